package state

// group is a process: the threads with one pid. The main thread comes first, if it is known.
type group struct {
	pid    int64
	alive  int
	reaper bool // orphans below it become its children: an init, or prctl(PR_SET_CHILD_SUBREAPER)
	first  *Thread
	last   *Thread
}

func (g *group) add(t *Thread) {
	t.group = g
	g.alive++
	switch {
	case g.first == nil:
		g.first, g.last = t, t
	case t.IsMain():
		t.nextInGroup, g.first.prevGroup = g.first, t
		g.first = t
	default:
		t.prevGroup, g.last.nextInGroup = g.last, t
		g.last = t
	}
}

func (g *group) remove(t *Thread) {
	if t.prevGroup != nil {
		t.prevGroup.nextInGroup = t.nextInGroup
	} else {
		g.first = t.nextInGroup
	}
	if t.nextInGroup != nil {
		t.nextInGroup.prevGroup = t.prevGroup
	} else {
		g.last = t.prevGroup
	}
	t.group, t.prevGroup, t.nextInGroup = nil, nil, nil
}

// kill counts t as dead.
func (t *Thread) kill() {
	if t.dead {
		return
	}
	t.dead = true
	t.Flags |= FlagClosed
	if t.group != nil && t.group.alive > 0 {
		t.group.alive--
	}
}

// adopt makes c a child of p.
func (p *Thread) adopt(c *Thread) {
	c.disown()
	c.up = p
	c.PTID = p.TID
	c.nextSib = p.firstChild
	if p.firstChild != nil {
		p.firstChild.prevSib = c
	}
	p.firstChild = c
}

// disown takes c out of its parent's children.
func (c *Thread) disown() {
	if c.up == nil {
		return
	}
	if c.prevSib != nil {
		c.prevSib.nextSib = c.nextSib
	} else {
		c.up.firstChild = c.nextSib
	}
	if c.nextSib != nil {
		c.nextSib.prevSib = c.prevSib
	}
	c.up, c.nextSib, c.prevSib = nil, nil, nil
}

// place puts a thread that is in the table into its process and below its parent. A thread whose parent is unknown gets
// 0 as parent, as if the idle process were it; an invalid thread is left alone.
func (s *State) place(t *Thread) {
	if t.Invalid() || t.group != nil {
		return
	}
	g := s.groups.get(t.PID)
	if g == nil {
		g = s.free.group()
		g.pid = t.PID
		g.reaper = t.PID == 1 || t.VPID == 1
		s.groups.put(t.PID, g)
	}
	g.add(t)
	if t.PID == 1 {
		return
	}
	p := s.threads.get(t.PTID)
	if p == nil || p.Invalid() || p == t {
		t.PTID = 0
		return
	}
	p.adopt(t)
}

// insert adds a new thread to the table. It returns nil, taking the thread back, when the table is full.
func (s *State) insert(t *Thread) *Thread {
	if old := s.threads.get(t.TID); old != nil {
		s.unlink(old)
	} else if s.threads.n >= s.cfg.MaxThreads && t.PID != s.cfg.SelfPID {
		s.stats.DropsFullThreadTable++
		s.release(t)
		return nil
	}
	s.threads.put(t.TID, t)
	s.stats.AddedThreads++
	if s.lastTID == t.TID {
		s.lastTID, s.last = -1, nil
	}
	return t
}

// newThread returns a thread that nothing is known of but its id.
func (s *State) newThread(tid int64) *Thread {
	t := s.free.thread()
	t.s = s
	t.TID, t.PID, t.PTID = tid, -1, -1
	t.VTID, t.VPID = -1, -1
	t.SID, t.PGID, t.VPGID = -1, -1, -1
	t.ReaperTID, t.FDLimit, t.lastFD = -1, -1, -1
	t.UID, t.GID, t.LoginUID = 0xffffffff, 0xffffffff, 0xffffffff
	t.Flags = FlagNameChanged
	t.Cgroups = &s.cgroups.none
	return t
}

// release gives back all that the thread holds, and the thread.
func (s *State) release(t *Thread) {
	s.leave(t)
	s.dropTable(t.fds)
	s.dropContext(t.fs)
	if t.Image != nil {
		s.dropImage(t.Image)
	}
	if t.enter != nil {
		s.free.putBuffer(t.enter)
	}
	s.free.putThread(t)
}

// unlink removes a thread from the table, its process and its family; its children are left to their PTID.
func (s *State) unlink(t *Thread) {
	s.threads.remove(t.TID)
	s.lastTID, s.last = -1, nil
	for c := t.firstChild; c != nil; c = t.firstChild {
		c.disown()
	}
	t.disown()
	if g := t.group; g != nil {
		t.kill()
		g.remove(t)
		if g.first == nil {
			s.groups.remove(g.pid)
			s.free.putGroup(g)
		}
	}
	if s.ctx.Thread == t {
		s.ctx.Thread, s.ctx.FD = nil, nil
	}
	s.release(t)
}

// table returns the descriptors of t's process for writing, creating the table if need be; nil if the main thread is
// unknown.
func (s *State) table(t *Thread) *FDTable {
	if t.Flags&FlagCloneFiles != 0 {
		if t = t.Main(); t == nil {
			return nil
		}
	}
	if t.fds == nil {
		t.fds = s.newTable()
	}
	return t.fds
}

// setCwd changes the working directory of the process that t leads, and of those that share it.
func (s *State) setCwd(t *Thread, cwd string) {
	if t.fs == nil {
		t.fs = s.free.context()
		t.fs.refs = 1
	}
	t.fs.cwd = s.names.text(cwd)
}

func (s *State) dropContext(f *fsContext) {
	if f == nil {
		return
	}
	f.refs--
	if f.refs == 0 {
		s.free.putContext(f)
	}
}
