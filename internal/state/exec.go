package state

import "github.com/saker-sec/saker/internal/event"

// Parameters of the execve exit event (falco-events.tsv, code 293).
const (
	execExe     = 1
	execArgs    = 2
	execPID     = 4
	execPTID    = 5
	execLimit   = 7
	execMajor   = 8
	execComm    = 13
	execCgroup  = 14
	execEnv     = 15
	execTTY     = 16
	execVPGID   = 17
	execLogin   = 18
	execFlags   = 19
	execCapInh  = 20
	execCapPerm = 21
	execCapEff  = 22
	execIno     = 23
	execCtime   = 24
	execMtime   = 25
	execUID     = 26
	execPath    = 27
	execPGID    = 28
	execGID     = 29
)

// Flags of the execve exit event (PPM_EXE_…).
const (
	exeWritable  = 1 << 0
	exeUpper     = 1 << 1
	exeFromMemfd = 1 << 2
	exeLower     = 1 << 3
)

// atEmptyPath is execveat's flag for executing the descriptor itself (PPM_EXVAT_AT_EMPTY_PATH).
const atEmptyPath = 1

// onExec replaces the image of the process. A failed call changes nothing.
func (s *State) onExec(c *Ctx, e *event.Event) {
	t := c.Thread
	res, ok := e.Int(0)
	if t == nil || !ok || res < 0 {
		if t != nil {
			s.forget(t)
		}
		return
	}
	if t.dead {
		// A second thread executed after the main thread had exited: it takes over the main thread's id.
		t.dead = false
		t.Flags &^= FlagClosed
		if t.group != nil {
			t.group.alive++
		}
	}
	if pid, ok := e.Int(execPID); ok {
		t.PID = pid
	}
	if t.Invalid() {
		t.PTID, _ = e.Int(execPTID)
		if t.Flags&FlagChildInPidNS == 0 {
			t.VTID, t.VPID = t.TID, t.PID
		}
		s.place(t)
	}
	t.Unknown = false
	t.LastExec = e.Time
	s.execImage(c, t, e)
	s.execAttributes(t, e)
	s.needAccounts(t)
	s.forget(t)

	if f := s.table(t); f != nil {
		if f.refs > 1 && t.fds == f {
			// execve ends the sharing of the table (kernel: unshare_files in begin_new_exec).
			t.fds = s.copyTable(f)
			f.refs--
			f = t.fds
		}
		s.eraseIf(f, closesOnExec)
	}
	t.Flags = t.Flags&(FlagPipeSource|FlagPipeDest|FlagMainThread|FlagInverted) | FlagActive | FlagNameChanged
	s.endSiblings(t)
	if c.FD != nil {
		c.FD = t.FDs().Get(c.FDNum)
	}
}

func closesOnExec(_ int64, d *FD) bool { return d.closesOnExec() }

// execImage makes the new image.
func (s *State) execImage(c *Ctx, t *Thread, e *event.Event) {
	old := t.Image
	exe, _ := e.Text(execExe)
	comm, ok := e.Text(execComm)
	if !ok {
		comm = exe
	}
	t.Comm = s.names.text(comm)
	path := old.ExePath
	if p, ok := e.Text(execPath); ok {
		path = withoutDeleted(p)
	} else if enter := s.entered(t, e.Code); enter != nil {
		path = withoutDeleted(s.enteredExePath(c, t, enter))
	}
	env := old.buf[old.env.from:old.env.to]
	if p := e.Param(execEnv); len(p) > 0 {
		env = p
	}
	img := s.newImage(comm, exe, path, e.Param(execArgs), env)
	img.copyExecutable(old)
	img.PID, img.ExecTime = t.PID, e.Time
	if s.fresh != t {
		s.linkParent(img, old)
	} else if p := s.threads.get(t.PTID); p != nil {
		s.linkParent(img, p.Image)
	}
	if flags, ok := e.Uint(execFlags); ok {
		img.ExeWritable, img.ExeUpperLayer = flags&exeWritable != 0, flags&exeUpper != 0
		img.ExeFromMemfd, img.ExeLowerLayer = flags&exeFromMemfd != 0, flags&exeLower != 0
	}
	if mtime, ok := e.Uint(execMtime); ok {
		img.ExeMtime = mtime
		img.ExeIno, img.ExeCtime = number[uint64](e, execIno), number[uint64](e, execCtime)
		if t.CloneTime != 0 {
			t.CtimeToClone = t.CloneTime - img.ExeCtime
		}
		if t.PidnsInitStart != 0 && img.ExeCtime > t.PidnsInitStart {
			t.CtimeFromPidns = img.ExeCtime - t.PidnsInitStart
		}
	}
	s.setImage(t, img)
}

// execAttributes takes over the rest that the event says of the process.
func (s *State) execAttributes(t *Thread, e *event.Event) {
	if limit, ok := e.Int(execLimit); ok {
		t.FDLimit = limit
	}
	t.setMemory(e, execMajor)
	if g := e.Param(execCgroup); len(g) > 0 {
		s.regroup(t, s.cgroupsOf(t, g))
	}
	if v, ok := e.Uint(execTTY); ok {
		t.TTY = uint32(v)
	}
	if v, ok := e.Int(execVPGID); ok {
		t.VPGID = v
	}
	if v, ok := e.Uint(execLogin); ok {
		t.LoginUID = uint32(v)
	}
	if v, ok := e.Uint(execCapEff); ok {
		t.CapEffective = v
		t.CapInheritable, t.CapPermitted = number[uint64](e, execCapInh), number[uint64](e, execCapPerm)
	}
	if v, ok := e.Uint(execUID); ok {
		t.UID = uint32(v)
	}
	t.PGID = -1
	if v, ok := e.Int(execPGID); ok {
		t.PGID = v
	}
	if v, ok := e.Uint(execGID); ok {
		t.GID = uint32(v)
	}
}

// enteredExePath builds the path of the executable from the arguments of the call, for captures whose exit event does
// not carry what the kernel resolved.
func (s *State) enteredExePath(c *Ctx, t *Thread, enter *event.Event) string {
	if enter.Code == event.SyscallExecveV19E {
		name := text(enter, 0)
		if name == "<NA>" {
			return name
		}
		s.scratch = AppendPath(s.scratch[:0], s.dirOf(t, AtFDCWD, name), name)
		return event.View(s.scratch)
	}
	dirfd, _ := enter.Int(0)
	name := text(enter, 1)
	flags := number[uint32](enter, 2)
	dir := s.dirOf(t, dirfd, name)
	if dir == unknownDir || name == "<NA>" && flags&atEmptyPath == 0 {
		return "<NA>"
	}
	if name != "" && name[0] != '/' {
		c.FD = t.FDs().Get(dirfd)
	}
	if flags&atEmptyPath != 0 {
		s.scratch = AppendPath(s.scratch[:0], "", dir)
	} else {
		s.scratch = AppendPath(s.scratch[:0], dir, name)
	}
	return event.View(s.scratch)
}

// endSiblings removes the other threads of the process: execve ends them all.
func (s *State) endSiblings(t *Thread) {
	g := t.group
	if g == nil || g.alive <= 1 {
		return
	}
	for x := g.first; x != nil; {
		next := x.nextInGroup
		if !x.IsMain() && x != t {
			s.removeThread(x.TID)
		}
		x = next
	}
	s.lastTID, s.last = t.TID, t
}
