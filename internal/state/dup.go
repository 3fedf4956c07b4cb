package state

import "github.com/saker-sec/saker/internal/event"

// fcntl commands (PPM_FCNTL_…).
const (
	fcntlDupFD        = 1
	fcntlSetFD        = 3
	fcntlDupFDCloexec = 26
)

// onDup handles dup, dup2 and dup3: the new descriptor is a copy that stays open on execve unless dup3 says otherwise.
func (s *State) onDup(c *Ctx, e *event.Event) {
	res, ok := e.Int(0)
	if !ok || res < 0 || c.Thread == nil {
		return
	}
	if c.FD == nil {
		s.dupUnknown(c, res)
		return
	}
	// A process whose standard input or output is replaced is part of a shell pipe, most likely.
	switch res {
	case 0:
		c.Thread.Flags |= FlagPipeDest
	case 1:
		c.Thread.Flags |= FlagPipeSource
	}
	s.dupTo(c, c.FD, res, e.Code == event.SyscallDup3X && number[uint32](e, 3)&openCloexec != 0)
}

// dupUnknown makes fd a copy of a descriptor that nothing is known of: then nothing is known of it either. In a replay it keeps its old name, as in
// Falco.
func (s *State) dupUnknown(c *Ctx, fd int64) {
	if f := s.table(c.Thread); f != nil && s.cfg.FollowAll {
		s.eraseFD(f, fd)
	}
}

// dupTo opens fd as a copy of d.
func (s *State) dupTo(c *Ctx, d *FD, fd int64, cloexec bool) {
	n := s.free.fd()
	n.copyFrom(d)
	n.clearCloexec()
	if cloexec {
		n.OpenFlags |= openCloexec
	}
	c.FD = s.addFD(c, fd, n)
}

// onFcntl handles F_DUPFD, F_DUPFD_CLOEXEC and F_SETFD.
func (s *State) onFcntl(c *Ctx, e *event.Event) {
	cmd := number[uint8](e, 2)
	if cmd != fcntlDupFD && cmd != fcntlDupFDCloexec && cmd != fcntlSetFD {
		return
	}
	res, ok := e.Int(0)
	if !ok || res < 0 || c.Thread == nil {
		return
	}
	if c.FD == nil {
		if cmd != fcntlSetFD {
			s.dupUnknown(c, res)
		}
		return
	}
	if cmd != fcntlSetFD {
		s.dupTo(c, c.FD, res, cmd == fcntlDupFDCloexec)
		return
	}
	arg := number[uint64](e, 3)
	d := s.own(c)
	d.clearCloexec()
	if arg&1 != 0 {
		d.OpenFlags |= openCloexec
	}
}
