package state

import "github.com/saker-sec/saker/internal/event"

// With CLONE_PARENT the new process is a sibling of the one that calls clone: it has the caller's parent, but the memory, the
// descriptors and the rest of the caller. The child's event names the parent only. The caller's event says which child it made, and
// comes before it, after it, or not at all; so the caller is looked for in three ways. Falco takes the parent for the creator, and so
// do replays.

// maxSiblings is how many of the latest children of a process are looked at.
const maxSiblings = 64

// callerRing holds the latest callers whose child has not been seen.
type callerRing struct {
	ring [16]caller
	next int
}

type caller struct {
	tid, parent, child int64 // parent is a process, child as the caller's pid namespace numbers it
	time               uint64
}

// noteCaller takes the event of a caller: for the child to come, or to set right what a child took over that came first.
func (s *State) noteCaller(c *Thread, e *event.Event, child int64) {
	if !s.cfg.FollowAll {
		return
	}
	if t := s.siblingOf(c, child, e.Time); t == nil {
		s.callers.ring[s.callers.next] = caller{c.TID, s.parentProcess(c), child, e.Time}
		s.callers.next = (s.callers.next + 1) % len(s.callers.ring)
	} else if t.LastEventTime == t.CloneTime { // it has not done anything yet
		s.dropTable(t.fds)
		s.dropContext(t.fs)
		t.fds, t.fs = nil, nil
		img := t.Image
		s.takeAfter(t, c, img.Exe, img.buf[img.args.from:img.args.to])
		s.joinGroups(t, c, t.Cgroups)
	}
}

// siblingOf returns the process that c has made lately with CLONE_PARENT, by the id that c knows; nil if it is not there yet.
func (s *State) siblingOf(c *Thread, child int64, now uint64) *Thread {
	parent := s.parentProcess(c)
	is := func(t *Thread) bool {
		const made = FlagInverted | FlagCloneParent
		return t != nil && t != c && s.parentProcess(t) == parent && t.Flags&made == made && t.CloneTime <= now && now-t.CloneTime < staleClone
	}
	if c.TID == c.VTID {
		if t := s.threads.get(child); is(t) {
			return t
		}
		return nil
	}
	p := s.threads.get(parent)
	if p == nil {
		return nil
	}
	t := p.firstChild
	for i := 0; t != nil && i < maxSiblings; i++ {
		if t.VTID == child && is(t) {
			return t
		}
		t = t.nextSib
	}
	return nil
}

// parentProcess returns the id of a thread's parent process. PTID may be that of one of its threads.
func (s *State) parentProcess(t *Thread) int64 {
	if p := s.threads.get(t.PTID); p != nil && !p.Invalid() {
		return p.PID
	}
	return t.PTID
}

// callerOf returns who made t with CLONE_PARENT: the one that said so, else the latest sibling that runs what t runs, else the parent.
func (s *State) callerOf(t, parent *Thread, e *event.Event) *Thread {
	if !s.cfg.FollowAll {
		return parent
	}
	for i := range s.callers.ring {
		k := &s.callers.ring[i]
		if k.parent != s.parentProcess(t) || k.child != t.TID && k.child != t.VTID || e.Time < k.time || e.Time-k.time >= staleClone {
			continue
		}
		if c := s.threads.get(k.tid); c != nil && !c.Invalid() {
			*k = caller{}
			return c
		}
	}
	exe, _ := e.Text(cloneExe)
	comm, _ := e.Text(cloneComm)
	c := parent.firstChild
	for i := 0; c != nil && i < maxSiblings; i++ {
		if c.Comm == comm && !c.Invalid() && c.Image.same(exe, e.Param(cloneArgs)) {
			return c
		}
		c = c.nextSib
	}
	return parent
}
