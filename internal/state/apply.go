package state

import "github.com/saker-sec/saker/internal/event"

// Apply changes the state by e and returns what e means. The result is valid until the next Apply. Events that announce
// a call (enter events) and those marked event.StateOnly are applied like all others.
func (s *State) Apply(e *event.Event) *Ctx {
	c := &s.ctx
	if s.late {
		s.settle(e.Time)
	}
	if s.cfg.Proc != nil && e.Time >= s.nextPurge {
		s.purge(e.Time)
	}
	if e.Time >= s.containers.nextSweep {
		s.sweepContainers(keepFor)
	}
	c.Event, c.Thread, c.FD, c.FDNum, c.NameChanged, c.Raced = e, nil, nil, -1, false, false
	c.PrevTime = s.shown
	if c.FirstTime == 0 && e.Type().Class != event.ClassMetaevent {
		c.FirstTime = e.Time
	}
	s.now, s.fresh = e.Time, nil
	o := &s.ops[e.Code]
	// What describes the state at the beginning of a capture is no event before the first one.
	if o.kind&opHidden == 0 && e.Dump&event.StateOnly == 0 && (o.kind&opMeta == 0 || s.shown != 0) {
		s.shown = e.Time
	}
	if o.kind&opNoThread != 0 || e.TID < 0 {
		if o.handle != nil {
			o.handle(s, c, e)
		}
		return c
	}
	t := s.last
	if e.TID == s.lastTID {
		s.stats.CachedThreadLookups++
	} else if o.kind&opFindOnly != 0 {
		t = s.recall(e.TID)
	} else {
		t = s.find(e.TID)
	}
	c.Thread = t
	if t != nil {
		t.lastFD = -1
		if o.fd >= 0 {
			if fd, ok := e.Int(int(o.fd)); ok {
				t.lastFD = fd
				c.FDNum = fd
				c.FD = s.lookupFD(t, fd)
			}
		}
	}
	if o.handle != nil {
		o.handle(s, c, e)
		t = c.Thread
	}
	if t != nil && o.kind&opKeepTime == 0 {
		t.PrevEventTime = t.LastEventTime
		t.LastEventTime = e.Time
	}
	return c
}

// lookupFD returns a descriptor of t's process and counts the lookup.
func (s *State) lookupFD(t *Thread, fd int64) *FD {
	if fd < 0 {
		return nil
	}
	d := t.FDs().Get(fd)
	if d == nil {
		s.stats.FailedFDLookups++
	} else {
		s.stats.NoncachedFDLookups++
	}
	return d
}

// recall returns the thread if it is in the table, and remembers it for the next event.
func (s *State) recall(tid int64) *Thread {
	t := s.threads.get(tid)
	if t == nil {
		s.stats.FailedThreadLookups++
		return nil
	}
	s.stats.NoncachedThreadLookups++
	s.lastTID, s.last = tid, t
	return t
}

// find returns the thread, looking it up in /proc where no event introduced it, and making one up where nothing is
// known. It returns nil only when the table is full.
func (s *State) find(tid int64) *Thread {
	if t := s.recall(tid); t != nil {
		return t
	}
	if tid < 0 || (s.threads.n >= s.cfg.MaxThreads && tid != s.cfg.SelfPID) {
		return nil
	}
	if s.cfg.Proc != nil {
		s.stats.ProcLookups++
		if p, err := s.cfg.Proc.Thread(tid); err == nil && p != nil && p.TID == tid {
			if t := s.enroll(p); t != nil {
				s.place(t)
				if t.Main() == nil && p.PID != tid {
					s.find(p.PID) // the main thread has the descriptors and the working directory
				}
				s.needAccounts(t)
				s.lastTID, s.last, s.fresh = tid, t, t
				return t
			}
		}
		s.stats.ProcLookupsFailed++
	}
	s.stats.MadeUpThreads++
	t := s.newThread(tid)
	t.Unknown = true
	t.Comm = "<NA>"
	t.Image = s.newImage("<NA>", "<NA>", "", nil, nil)
	if t = s.insert(t); t != nil {
		s.lastTID, s.last, s.fresh = tid, t, t
	}
	return t
}

// settle does what the last event left to do.
func (s *State) settle(now uint64) {
	s.late = false
	if s.elevated >= 0 {
		if t := s.threads.get(s.elevated); t != nil {
			t.CapInheritable, t.CapPermitted, t.CapEffective = allCaps, allCaps, allCaps
		}
		s.elevated = -1
	}
	if len(s.newcomer) > 0 {
		s.settleNewcomers()
	}
	if s.exited >= 0 {
		tid := s.exited
		s.exited = -1
		parent := int64(-1)
		if t := s.threads.get(tid); t != nil {
			parent = t.PTID
		}
		s.recent.add(tid, parent, now)
		s.removeThread(tid)
	}
	if s.closed >= 0 {
		fd := s.closed
		s.closed = -1
		if t := s.threads.get(s.closedBy); t != nil {
			if f := t.FDs(); f != nil && !s.eraseFD(f, fd) {
				s.stats.FailedFDLookups++
			}
		}
	}
}

// purge removes threads that were silent for long and no longer exist: their exit was lost. It looks at a small part of
// the table each time, so that it never takes long.
func (s *State) purge(now uint64) {
	const part = 256
	if s.nextPurge == 0 {
		s.nextPurge = now + s.cfg.ThreadTimeout
		return
	}
	size := len(s.threads.slots)
	s.nextPurge = now + s.cfg.ThreadTimeout/uint64(1+size/part)
	for range min(part, size) {
		s.purgePos = (s.purgePos + 1) & (size - 1)
		t := s.threads.slots[s.purgePos].val
		if t == nil || t.TID == s.cfg.SelfPID || now < max(t.LastEventTime, t.CloneTime)+s.cfg.ThreadTimeout {
			continue
		}
		if t.dead && t.NumThreads() > 0 || s.cfg.Proc.Alive(t.TID) {
			continue
		}
		s.removeThread(t.TID)
		s.stats.Purged++
	}
}

// addFD opens a descriptor of the event's thread and makes it the event's.
func (s *State) addFD(c *Ctx, fd int64, d *FD) *FD {
	t := c.Thread
	f := s.table(t)
	if f == nil {
		s.free.putFD(d)
		return nil
	}
	t.lastFD = fd
	c.FDNum = fd
	if !s.putFD(f, fd, d) {
		return nil
	}
	return d
}

// own returns the event's descriptor for changing. Where there is no room to change it, what it returns is for this event only.
func (s *State) own(c *Ctx) *FD {
	f := s.table(c.Thread)
	if f == nil {
		return c.FD
	}
	if d := s.ownFD(f, c.Thread.lastFD); d != nil {
		c.FD = d
	} else if c.FD != &s.passing {
		s.passing.copyFrom(c.FD)
		c.FD = &s.passing
	}
	return c.FD
}

// maxEnter bounds what is kept of a thread between the two events of a call: a path of PATH_MAX and a header fit.
const maxEnter = 8192

// onEnter keeps an event that announces a call, because what user memory held then cannot be changed any more, while
// what it holds when the call returns can (evasions.md rows 1 to 3).
func (s *State) onEnter(c *Ctx, e *event.Event) {
	if c.Thread == nil {
		s.stats.StoreDrops++
		return
	}
	if e.NumParams() == 0 || e.Code != event.SocketConnectE && e.Code != event.SyscallExecveatE && len(e.Param(0)) == 0 {
		return
	}
	if len(e.Raw()) > maxEnter {
		s.stats.StoreDrops++
		s.forget(c.Thread)
		return
	}
	t := c.Thread
	if t.enter == nil {
		t.enter = s.free.buffer()
	}
	t.enter = append(t.enter[:0], e.Raw()...)
	t.enterCode = uint16(e.Code)
	s.stats.StoredEvents++
}

// entered returns the enter event kept for this exit event, nil if there is none.
func (s *State) entered(t *Thread, exit event.Code) *event.Event {
	if t.enter == nil {
		s.stats.RetrieveDrops++
		return nil
	}
	code := event.Code(t.enterCode)
	ok := code+1 == exit || code == event.SyscallExecveatE && exit == event.SyscallExecveV19X
	if !ok || s.enter.Decode(t.enter) != nil {
		s.stats.RetrieveDrops++
		return nil
	}
	s.stats.RetrievedEvents++
	s.enteredAt = s.now
	return &s.enter
}

// forget drops the kept enter event. Its memory is reused only after the exit event has been looked at.
func (s *State) forget(t *Thread) {
	if t.enter != nil {
		s.free.putBuffer(t.enter)
		t.enter = nil
	}
}
