package capture

import "github.com/saker-sec/saker/internal/event"

// enterTable holds the last enter event of each thread until its exit event takes it. It is a hash table with linear
// probing whose slots keep their buffers, so that it stops allocating once it has seen the threads of a capture. Slots
// that hold nothing are forgotten when it grows: it is as large as the number of threads inside a system call asks for.
type enterTable struct {
	slots []enterSlot
	used  int // slots that belong to a thread
}

type enterSlot struct {
	tid  int64
	used bool // the slot belongs to tid
	full bool // raw is an event that was not taken yet
	code event.Code
	raw  []byte
}

// find returns the slot of tid, or the free one where it belongs. There is always a free one.
func (t *enterTable) find(tid int64) *enterSlot {
	mask := uint64(len(t.slots) - 1)
	for i := uint64(tid) * 0x9E3779B97F4A7C15 >> 32; ; i++ {
		s := &t.slots[i&mask]
		if !s.used || s.tid == tid {
			return s
		}
	}
}

// put remembers raw, an event of type code, as the last enter event of tid.
func (t *enterTable) put(tid int64, code event.Code, raw []byte) {
	if 2*t.used >= len(t.slots) {
		t.grow()
	}
	s := t.find(tid)
	if !s.used {
		s.tid, s.used = tid, true
		t.used++
	}
	s.full, s.code = true, code
	s.raw = append(s.raw[:0], raw...)
}

// take returns the enter event of tid and forgets it. It returns nil when there is none, or when it is of another type:
// then the exit event's own enter event is missing from the capture, and the one found belongs to a call whose exit is
// missing. The result is valid until the next put.
func (t *enterTable) take(tid int64, code event.Code) []byte {
	if len(t.slots) == 0 {
		return nil
	}
	s := t.find(tid)
	if !s.used || !s.full {
		return nil
	}
	s.full = false
	if s.code != code {
		return nil
	}
	return s.raw
}

// clear forgets everything.
func (t *enterTable) clear() { *t = enterTable{} }

// grow makes room for more threads and forgets those that hold nothing.
func (t *enterTable) grow() {
	full := 0
	for i := range t.slots {
		if t.slots[i].full {
			full++
		}
	}
	size := max(64, len(t.slots))
	for size < 4*(full+1) {
		size *= 2
	}
	old := t.slots
	t.slots, t.used = make([]enterSlot, size), 0
	for i := range old {
		if old[i].full {
			s := t.find(old[i].tid)
			*s = old[i]
			t.used++
		}
	}
}
