package state

import "github.com/saker-sec/saker/internal/event"

// onMemory takes the memory sizes that brk, mmap, mmap2 and munmap report.
func (s *State) onMemory(c *Ctx, e *event.Event) {
	t := c.Thread
	if t == nil {
		return
	}
	if v, ok := e.Uint(1); ok {
		t.VMSize = uint32(v)
	}
	if v, ok := e.Uint(3); ok {
		t.VMRSS, t.VMSwap = number[uint32](e, 2), uint32(v)
	}
}

// onSwitch takes the page faults of the thread that stops running, and the memory sizes of its process.
func (s *State) onSwitch(c *Ctx, e *event.Event) {
	t := c.Thread
	if t == nil {
		return
	}
	swap, ok := e.Uint(5)
	if !ok {
		return
	}
	t.PFMajor, t.PFMinor = number[uint64](e, 1), number[uint64](e, 2)
	if m := t.Main(); m != nil {
		m.VMSize, m.VMRSS, m.VMSwap = number[uint32](e, 3), number[uint32](e, 4), uint32(swap)
	}
}
