package state

import "github.com/saker-sec/saker/internal/event"

// setParam returns the parameter that becomes the effective id: the second id of setresuid and setreuid, the only one of
// setuid.
func setParam(e *event.Event) (uint32, bool) {
	if res, ok := e.Int(0); !ok || res != 0 {
		return 0, false
	}
	i := 2
	if e.Code == event.SyscallSetuidX || e.Code == event.SyscallSetgidX {
		i = 1
	}
	id, ok := e.Uint(i)
	return uint32(id), ok
}

// onSetUID handles setuid, setreuid and setresuid. An id of -1 leaves the user as it is.
func (s *State) onSetUID(c *Ctx, e *event.Event) {
	if id, ok := setParam(e); ok && c.Thread != nil && id != 0xffffffff {
		c.Thread.UID = id
		s.needAccounts(c.Thread)
	}
}

// onSetGID handles setgid, setregid and setresgid.
func (s *State) onSetGID(c *Ctx, e *event.Event) {
	if id, ok := setParam(e); ok && c.Thread != nil && id != 0xffffffff {
		c.Thread.GID = id
		s.needAccounts(c.Thread)
	}
}

// onCapset takes over the new capabilities.
func (s *State) onCapset(c *Ctx, e *event.Event) {
	res, ok := e.Int(0)
	if t := c.Thread; ok && res >= 0 && t != nil {
		t.CapInheritable, t.CapPermitted, t.CapEffective = number[uint64](e, 1), number[uint64](e, 2), number[uint64](e, 3)
	}
}

// allCaps has a bit for each capability of Linux up to CAP_CHECKPOINT_RESTORE (40).
const allCaps = 1<<41 - 1

// onUnshare handles unshare and setns. The first process in a user namespace has all capabilities there: in a replay at once, as
// in Falco, which counts inheritable ones too; live from the next event on, as rules about the call itself ask what it was allowed
// before.
func (s *State) onUnshare(c *Ctx, e *event.Event) {
	res, ok := e.Int(0)
	t := c.Thread
	if !ok || res < 0 || t == nil {
		return
	}
	i := 1
	if e.Code == event.SyscallSetnsX {
		i = 2
	}
	flags := number[uint32](e, i)
	switch {
	case flags&FlagCloneNewUser == 0:
	case s.cfg.FollowAll:
		s.late, s.elevated = true, t.TID
	default:
		t.CapInheritable, t.CapPermitted, t.CapEffective = allCaps, allCaps, allCaps
	}
	if e.Code != event.SyscallUnshareX || !t.IsMain() {
		return
	}
	if f := t.fds; flags&FlagCloneFiles != 0 && f != nil && f.refs > 1 {
		t.fds = s.copyTable(f)
		f.refs--
	}
	if flags&FlagCloneFS != 0 && t.fs != nil && t.fs.refs > 1 {
		cwd := t.fs.cwd
		t.fs.refs--
		t.fs = nil
		s.setCwd(t, cwd)
	}
}
