package state

import "github.com/saker-sec/saker/internal/event"

// Ctx is what one event means: the event with the state it touches. The State owns the only one and returns it from
// Apply; it, and every pointer and string reached through it, is valid until the next Apply.
type Ctx struct {
	Event  *event.Event
	State  *State
	Thread *Thread // the thread of the event; nil for events that have none
	FDNum  int64   // number of the descriptor that the event is about, -1 if it is about none
	FD     *FD     // that descriptor, nil if it is about none or nothing is known of it

	// NameChanged says that the event changed the name of FD (fd.name_changed).
	NameChanged bool
	// Raced says that user memory held another path or address when the call began than when it returned; what the
	// state took over is the former (evasions.md rows 1 to 3).
	Raced bool
	// PrevTime is the time of the event before this one that rules can see, 0 for the first; FirstTime that of the
	// first that is no meta event.
	PrevTime, FirstTime uint64
}

// Container returns the container of the thread, nil for the host and for events without a thread.
func (c *Ctx) Container() *Container {
	if c.Thread == nil {
		return nil
	}
	return c.Thread.Container
}

// Keep returns a context for a later look at the container and at what the thread itself holds: its ids, flags and groups.
// It does not change with the state; what the thread points to is not to be followed, except for the container.
func (c *Ctx) Keep() *Ctx {
	t := *c.Thread
	t.Image, t.fs, t.fds, t.group, t.up, t.firstChild, t.nextSib, t.prevSib, t.nextInGroup, t.prevGroup, t.enter = nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil
	return &Ctx{State: c.State, Thread: &t, FDNum: -1}
}
