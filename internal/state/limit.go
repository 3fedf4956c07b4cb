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
	s.setLimit(c.Thread, e)
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
	if tid != 0 && tid != e.TID {
		t = s.find(tid)
		s.lastTID, s.last = -1, nil
	}
	if t != nil && !t.Invalid() {
		s.setLimit(t, e)
	}
}

func (s *State) setLimit(t *Thread, e *event.Event) {
	if v, ok := e.Int(1); ok && v != -1 {
		if m := t.Main(); m != nil {
			m.FDLimit = v
		}
	}
}
