package match

import (
	"math/bits"
	"slices"
)

// linearSet is the size up to which a set is searched from end to end.
const linearSet = 4

// textSet is a set of texts made for look-ups that mostly fail: the length decides first, then a hash of the length and
// of both ends, which costs the same for every text.
type textSet struct {
	all     []string // sorted, each once
	lengths uint64   // bit n: some text has length n; bit 63: 63 or more
	table   []uint32 // 1 + index in all, by hash with linear probing; 0 is free
	shift   uint8
}

func newTextSet(texts []string) *textSet {
	s := &textSet{all: slices.Compact(slices.Sorted(slices.Values(texts)))}
	for _, t := range s.all {
		s.lengths |= 1 << min(len(t), 63)
	}
	if len(s.all) <= linearSet {
		return s
	}
	n := bits.Len(uint(len(s.all))) + 1 // at most half full
	s.table = make([]uint32, 1<<n)
	s.shift = uint8(64 - n)
	for i, t := range s.all {
		at := endsHash(t) >> s.shift
		for s.table[at] != 0 {
			at = (at + 1) & uint64(len(s.table)-1)
		}
		s.table[at] = uint32(i + 1)
	}
	return s
}

// has reports whether t is in the set.
func (s *textSet) has(t string) bool {
	if s.lengths>>min(len(t), 63)&1 == 0 {
		return false
	}
	if s.table == nil {
		for _, v := range s.all {
			if v == t {
				return true
			}
		}
		return false
	}
	mask := uint64(len(s.table) - 1)
	for at := endsHash(t) >> s.shift & mask; ; at = (at + 1) & mask {
		i := s.table[at]
		if i == 0 {
			return false
		}
		if s.all[i-1] == t {
			return true
		}
	}
}

// endsHash mixes the length, the first and the last eight bytes; the high bits are the good ones.
func endsHash(s string) uint64 {
	n := len(s)
	var a, b uint64
	switch {
	case n >= 8:
		a, b = load8(s), load8(s[n-8:])
	case n >= 4:
		a = uint64(load4(s))
		b = uint64(load4(s[n-4:]))
	default:
		for i := range n {
			a = a<<8 | uint64(s[i])
		}
	}
	h := (a ^ bits.RotateLeft64(b, 29) ^ uint64(n)) * 0x9e3779b97f4a7c15
	return (h ^ h>>32) * 0xd6e8feb86659fd93
}

func load8(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

func load4(s string) uint32 {
	_ = s[3]
	return uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24
}

// numSet is a set of numbers.
type numSet struct {
	few  []uint64
	many map[uint64]struct{}
}

func newNumSet(vals []value) *numSet {
	s := &numSet{}
	if len(vals) <= 2*linearSet {
		for _, v := range vals {
			s.few = append(s.few, v.num)
		}
		return s
	}
	s.many = make(map[uint64]struct{}, len(vals))
	for _, v := range vals {
		s.many[v.num] = struct{}{}
	}
	return s
}

// has reports whether n is in the set.
func (s *numSet) has(n uint64) bool {
	if s.many != nil {
		_, ok := s.many[n]
		return ok
	}
	for _, v := range s.few {
		if v == n {
			return true
		}
	}
	return false
}
