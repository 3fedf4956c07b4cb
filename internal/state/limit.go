package state

import "github.com/saker-sec/saker/internal/event"

// limitFiles is the number of RLIMIT_NOFILE (PPM_RLIMIT_NOFILE).
const limitFiles = 7

// onRlimit handles getrlimit and setrlimit.
func (s *State) onRlimit(c *Ctx, e *event.Event) {
	res, ok := e.Int(0)
	if !ok || res < 0 || c.Thread == nil || number[uint8](e, 3) != limitFiles {
		return
	}
	if v, ok := e.Int(1); ok {
		c.Thread.setLimit(v)
	}
}

// onPrlimit handles prlimit, which may be about another process.
func (s *State) onPrlimit(c *Ctx, e *event.Event) {
	res, ok := e.Int(0)
	if !ok || res != 0 || number[uint8](e, 6) != limitFiles {
		return
	}
	tid, ok := e.Int(5)
	if !ok {
		return
	}
	t := c.Thread
	switch {
	case tid == 0 || tid == e.TID:
	case s.cfg.FollowAll && t != nil && t.InPidNS():
		// The number is one of the caller's pid namespace: it may know itself by it.
		if tid != t.VTID && tid != t.VPID {
			return
		}
	default:
		t = s.find(tid)
		s.lastTID, s.last = -1, nil
	}
	v, ok := e.Int(1)
	if upper, _ := e.Int(2); s.cfg.FollowAll && v == 0 && upper == 0 {
		// The driver sends zeros for a call that only asks, which is how getrlimit(3) does it. Falco takes them for a limit.
		v, ok = e.Int(3)
	}
	if ok && t != nil && !t.Invalid() {
		t.setLimit(v)
	}
}

// setLimit sets RLIMIT_NOFILE of the process; -1 is not known.
func (t *Thread) setLimit(v int64) {
	if m := t.Main(); m != nil && v != -1 {
		m.FDLimit = v
	}
}
