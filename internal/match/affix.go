package match

import (
	"cmp"
	"slices"
)

// affix is what a text must have at a place for a comparison to hold.
type affix struct {
	text  string
	place place
}

func (a affix) compare(b affix) int {
	return cmp.Or(cmp.Compare(a.text, b.text), cmp.Compare(a.place, b.place))
}

type place uint8

const (
	whole  place = iota // it is the text
	start               // the text begins with it
	finish              // the text ends with it
	path                // the text begins with it when its slashes are single ones
)

// affixes finds those that a text has, in one walk from its start and one from its end: two automata with a state for everything
// that an affix begins with (or, read backwards, ends with). The walks end where no affix goes on, mostly after a few bytes.
type affixes struct {
	starts, ends *automaton
}

// newAffixes makes the automata of affixes, each with the set of guards that it raises. None has the place path.
func newAffixes(raised map[affix]Bits) *affixes {
	return &affixes{newAutomaton(raised, false), newAutomaton(raised, true)}
}

// raise raises the guards of all affixes that a text has, and perhaps others.
func (x *affixes) raise(s string, guards Bits) {
	a := x.starts
	state := a.enter(guards)
	for i := 0; state != 0 && i < len(s); i++ {
		state = a.step(state, s[i], guards)
	}
	if w := a.whole[state]; w != nil {
		guards.Merge(w)
	}
	a = x.ends
	state = a.enter(guards)
	for i := len(s) - 1; state != 0 && i >= 0; i-- {
		state = a.step(state, s[i], guards)
	}
}

// automaton reads a text byte by byte. Its states are 0, from which there is no way on, then those that raise nothing.
type automaton struct {
	classes [256]uint8 // by byte: 0 for one that no affix has
	width   int        // number of classes
	next    []uint16   // by state and class
	first   uint16     // the state before any byte
	marked  uint16     // the first state that raises guards
	part    []Bits     // what the states from marked on raise
	whole   []Bits     // by state: what is raised when the text ends there
}

// maxStates bounds the memory: affixes that need more are cut, and a text is taken to have one when it begins as that does.
const maxStates = 1 << 14

func (a *automaton) enter(guards Bits) uint16 {
	if a.first >= a.marked {
		guards.Merge(a.part[a.first-a.marked])
	}
	return a.first
}

func (a *automaton) step(state uint16, b byte, guards Bits) uint16 {
	state = a.next[int(state)*a.width+int(a.classes[b])]
	if state >= a.marked {
		guards.Merge(a.part[state-a.marked])
	}
	return state
}

// newAutomaton makes the automaton of those affixes that are looked for from the start or from the end.
func newAutomaton(raised map[affix]Bits, backwards bool) *automaton {
	var own []affix
	for a := range raised {
		if backwards == (a.place == finish) {
			own = append(own, a)
		}
	}
	slices.SortFunc(own, affix.compare)
	var nodes []*trie
	for depth := 64; nodes == nil || len(nodes) >= maxStates; depth /= 2 {
		root := &trie{}
		for _, a := range own {
			root.add(a, depth, raised[a])
		}
		nodes = root.all(nil)
	}
	a := &automaton{width: 1, marked: 1}
	a.whole = make([]Bits, 1+len(nodes))
	root := nodes[0]
	slices.SortStableFunc(nodes, func(x, y *trie) int { return min(len(x.part), 1) - min(len(y.part), 1) })
	for i, n := range nodes {
		n.state = uint16(i + 1)
		a.whole[n.state] = n.whole
		if n.part == nil {
			a.marked++
		} else {
			a.part = append(a.part, n.part)
		}
		for _, to := range n.next {
			if a.classes[to.last] == 0 {
				a.classes[to.last] = uint8(a.width) // 255 at most: no text of a rule has a zero byte
				a.width++
			}
		}
	}
	a.first = root.state
	a.next = make([]uint16, a.width*(1+len(nodes)))
	for _, n := range nodes {
		for _, to := range n.next {
			a.next[int(n.state)*a.width+int(a.classes[to.last])] = to.state
		}
	}
	return a
}

// trie is the tree of which an automaton is made.
type trie struct {
	last        byte // of what leads here
	next        []*trie
	part, whole Bits
	state       uint16
}

// add adds an affix, cut at a depth.
func (t *trie) add(a affix, depth int, guards Bits) {
	text := a.text
	if a.place == finish {
		text = reversed(text)
	}
	for _, b := range []byte(text[:min(len(text), depth)]) {
		t = t.child(b)
	}
	to := &t.part
	if a.place == whole && len(text) <= depth {
		to = &t.whole
	}
	if *to == nil {
		*to = make(Bits, len(guards))
	}
	to.Merge(guards)
}

// child returns the node that a byte leads to.
func (t *trie) child(b byte) *trie {
	for _, n := range t.next {
		if n.last == b {
			return n
		}
	}
	n := &trie{last: b}
	t.next = append(t.next, n)
	return n
}

// all appends the node and all below.
func (t *trie) all(dst []*trie) []*trie {
	dst = append(dst, t)
	for _, n := range t.next {
		dst = n.all(dst)
	}
	return dst
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}
