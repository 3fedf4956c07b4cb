package state

import "github.com/saker-sec/saker/internal/event"

// Parameters of the clone, fork, vfork and clone3 exit events (falco-events.tsv, code 223).
const (
	cloneExe    = 1
	cloneArgs   = 2
	clonePID    = 4
	clonePTID   = 5
	cloneLimit  = 7
	cloneMajor  = 8
	cloneComm   = 13
	cloneCgroup = 14
	cloneFlags  = 15
	cloneUID    = 16
	cloneGID    = 17
	cloneVTID   = 18
	cloneVPID   = 19
	clonePidns  = 20
)

// staleClone is the age (ns) from which a thread that starts once more is taken for an older one whose exit was lost.
const staleClone = 2e9

// onClone adds the new thread. The call returns twice, in the caller and in the child, and either may come first.
func (s *State) onClone(c *Ctx, e *event.Event) {
	res, ok := e.Int(0)
	if !ok || res < 0 {
		return
	}
	if res == 0 {
		s.cloneChild(c, e)
		return
	}
	s.cloneCaller(c, e, res)
}

// cloneCaller handles the event of the caller. It leaves the child to the child's own event where it cannot know the
// child's id in our pid namespace, and after vfork, where the child may be gone already.
func (s *State) cloneCaller(c *Ctx, e *event.Event, child int64) {
	caller := s.find(e.TID)
	c.Thread = caller
	if caller == nil {
		return
	}
	known := !caller.Invalid()
	if !known {
		caller.PID, _ = e.Int(clonePID)
		caller.PTID, _ = e.Int(clonePTID)
		s.setVirtual(caller, e)
		s.place(caller)
	}
	flags := number[uint32](e, cloneFlags)
	if flags&FlagCloneParent != 0 && flags&FlagCloneThread == 0 && known {
		s.noteCaller(caller, e, child)
	}
	if flags&(FlagChildInPidNS|FlagCloneNewPID|FlagCloneParent) != 0 || e.TID != caller.VTID {
		return
	}
	parent := e.TID
	if flags&FlagCloneThread != 0 {
		parent = caller.PTID // a thread's parent is its process's
	}
	if flags&FlagCloneVfork != 0 || e.Code == event.SyscallVforkV20X || s.recent.has(child, parent, e.Time) {
		return
	}
	if old := s.threads.get(child); old != nil {
		if old.Flags&FlagInverted != 0 || old == caller || e.Time < old.found {
			return // the last: it was looked at since
		}
		s.removeThread(child)
		if caller = s.find(e.TID); caller == nil {
			return
		}
		c.Thread = caller
		known = known && !caller.Invalid()
	}
	t := s.newThread(child)
	t.Flags = flags
	from := caller
	if !known {
		from = nil
	}
	if flags&FlagCloneThread == 0 {
		t.PID, t.PTID = child, caller.TID
	} else {
		t.PID, t.PTID = caller.PID, caller.PTID
		t.Flags |= FlagCloneFiles
		t.LastExec = caller.LastExec
	}
	t.VTID, t.VPID = t.TID, t.PID
	t.PidnsInitStart = s.machine.BootTime
	s.fillClone(t, from, e)
	if !known {
		caller.Comm = t.Comm
		s.shareImage(caller, t.Image)
		caller.Unknown = false
	}
	if s.insert(t) != nil {
		s.place(t)
		s.needAccounts(t)
	}
}

// cloneChild handles the event of the child.
func (s *State) cloneChild(c *Ctx, e *event.Event) {
	if t := c.Thread; t != nil && e.Time < t.found {
		return
	}
	if t := c.Thread; t != nil && t.CloneTime != 0 {
		if e.Time < t.CloneTime || e.Time-t.CloneTime < staleClone {
			return
		}
		s.removeThread(e.TID)
		c.Thread = nil
	}
	t := s.newThread(e.TID)
	t.PID, _ = e.Int(clonePID)
	t.PTID, _ = e.Int(clonePTID)
	s.setVirtual(t, e)
	t.Flags = number[uint32](e, cloneFlags) | FlagInverted
	leader := t.Flags&FlagCloneThread == 0
	look := t.PTID
	if !leader {
		look = t.PID
		t.Flags |= FlagCloneFiles
	}
	from := s.find(look)
	if from != nil && leader && t.Flags&FlagCloneParent != 0 {
		from = s.callerOf(t, from, e)
	}
	if from == nil {
		s.release(t)
		c.Thread = nil
		return
	}
	known := !from.Invalid()
	if !known && !leader {
		from.PID, from.PTID = t.PID, t.PTID
		from.VPID, from.VTID = t.VPID, t.VPID
		s.place(from)
	}
	if t.Flags&(FlagChildInPidNS|FlagCloneNewPID) != 0 || t.TID != t.VTID {
		if start, ok := e.Uint(clonePidns); ok {
			t.PidnsInitStart = start + s.machine.BootTime
		}
	} else {
		t.PidnsInitStart = s.machine.BootTime
	}
	if !leader && known {
		t.LastExec = from.LastExec
	}
	if known {
		s.fillClone(t, from, e)
	} else {
		s.fillClone(t, nil, e)
		if !leader {
			from.Comm = t.Comm
			s.shareImage(from, t.Image)
			from.Unknown = false
		}
	}
	if t = s.insert(t); t == nil {
		c.Thread = nil
		return
	}
	s.place(t)
	s.needAccounts(t)
	c.Thread = t
	s.lastTID, s.last = t.TID, t
}

// setVirtual takes the thread's ids in its own pid namespace from the event.
func (s *State) setVirtual(t *Thread, e *event.Event) {
	if vpid, ok := e.Int(cloneVPID); ok {
		t.VPID = vpid
		t.VTID, _ = e.Int(cloneVTID)
		return
	}
	t.VTID, t.VPID = t.TID, -1
}

// fillClone gives the new thread what the event says of it and what it inherits: from is its creator or leader, nil if
// nothing is known of that.
func (s *State) fillClone(t, from *Thread, e *event.Event) {
	exe, _ := e.Text(cloneExe)
	args := e.Param(cloneArgs)
	if comm, ok := e.Text(cloneComm); ok {
		t.Comm = s.names.text(comm)
	} else {
		t.Comm = s.names.text(exe)
	}
	if limit, ok := e.Int(cloneLimit); ok {
		t.FDLimit = limit
	}
	t.setMemory(e, cloneMajor)
	t.UID, t.GID = number[uint32](e, cloneUID), number[uint32](e, cloneGID)
	if g := e.Param(cloneCgroup); len(g) > 0 {
		s.joinGroups(t, from, s.cgroupsOf(from, g))
	}
	t.CloneTime = e.Time
	if from == nil {
		img := s.newImage(t.Comm, exe, "", args, nil)
		img.PID = t.PID
		s.setImage(t, img)
		return
	}
	s.takeAfter(t, from, exe, args)
}

// takeAfter gives a new thread what it inherits.
func (s *State) takeAfter(t, from *Thread, exe string, args []byte) {
	if from.Image.same(exe, args) {
		s.shareImage(t, from.Image)
	} else {
		s.setImage(t, s.rewrite(from.Image, exe, args))
	}
	t.root = from.root
	t.SID, t.VPGID, t.PGID, t.TTY, t.LoginUID = from.SID, from.VPGID, from.PGID, from.TTY, from.LoginUID
	t.CapPermitted, t.CapInheritable, t.CapEffective = from.CapPermitted, from.CapInheritable, from.CapEffective
	t.CtimeToClone = from.CtimeToClone
	if t.Flags&FlagCloneThread == 0 {
		s.inherit(t, from)
	}
}

// inherit gives a new process its creator's descriptors and working directory: the same ones with CLONE_FILES and
// CLONE_FS, else copies.
func (s *State) inherit(t, from *Thread) {
	m := from.Main()
	if f := from.FDs(); f != nil {
		if t.Flags&FlagCloneFiles != 0 && t.TID == t.PID {
			f.refs++
			t.fds = f
		} else {
			t.fds = s.copyTable(f)
		}
	}
	if m == nil {
		s.setCwd(t, from.Cwd())
		return
	}
	if m.fs == nil {
		return
	}
	if t.Flags&FlagCloneFS != 0 {
		m.fs.refs++
		t.fs = m.fs
		return
	}
	t.fs = s.free.context()
	t.fs.refs = 1
	t.fs.cwd = m.fs.cwd
}

// cgroupsOf returns the groups of an encoded list, which mostly are those of from.
func (s *State) cgroupsOf(from *Thread, raw []byte) *Cgroups {
	if from != nil && string(from.Cgroups.raw) == string(trimNUL(raw)) {
		return from.Cgroups
	}
	return s.cgroups.parse(raw)
}

// shareImage makes t run img too.
func (s *State) shareImage(t *Thread, img *Image) {
	img.refs++
	s.setImage(t, img)
}

// rewrite returns img with other arguments: a process may overwrite its own in memory.
func (s *State) rewrite(img *Image, exe string, args []byte) *Image {
	n := s.newImage(img.Comm, exe, img.ExePath, args, img.buf[img.env.from:img.env.to])
	n.copyExecutable(img)
	n.PID, n.ExecTime = img.PID, img.ExecTime
	s.linkParent(n, img.Parent)
	return n
}

// setMemory takes five parameters from first on: page faults, then memory in kB. They are there together or not at all.
func (t *Thread) setMemory(e *event.Event, first int) {
	swap, ok := e.Uint(first + 4)
	if !ok {
		return
	}
	t.PFMajor, t.PFMinor = number[uint64](e, first), number[uint64](e, first+1)
	t.VMSize, t.VMRSS, t.VMSwap = number[uint32](e, first+2), number[uint32](e, first+3), uint32(swap)
}

// number returns parameter i, 0 if it is empty.
func number[T uint8 | uint16 | uint32 | uint64](e *event.Event, i int) T {
	v, _ := e.Uint(i)
	return T(v)
}
