package state

import "github.com/saker-sec/saker/internal/event"

// onSetsid makes the process lead a new session.
func (s *State) onSetsid(c *Ctx, e *event.Event) {
	if res, ok := e.Int(0); ok && res >= 0 && c.Thread != nil {
		c.Thread.SID = res
	}
}

// onSetpgid moves a process to another group. Falco ignores the call until the next execve; the group is followed here
// where ids are the host's, which they are outside of pid namespaces.
func (s *State) onSetpgid(c *Ctx, e *event.Event) {
	res, ok := e.Int(0)
	if !ok || res != 0 || c.Thread == nil || !s.cfg.FollowAll || c.Thread.InPidNS() {
		return
	}
	pid, ok1 := e.Int(1)
	pgid, ok2 := e.Int(2)
	if !ok1 || !ok2 {
		s.stats.Undecodable++
		return
	}
	t := c.Thread
	if pid != 0 && pid != t.TID {
		t = s.threads.get(pid)
	}
	if t == nil {
		return
	}
	if pgid == 0 {
		pgid = t.PID
	}
	t.PGID, t.VPGID = pgid, pgid
}

// onPrctl follows PR_SET_CHILD_SUBREAPER and PR_SET_NAME.
func (s *State) onPrctl(c *Ctx, e *event.Event) {
	const setName, setSubreaper, getSubreaper = 15, 36, 37
	res, ok := e.Int(0)
	t := c.Thread
	if !ok || res < 0 || t == nil || t.Invalid() {
		return
	}
	switch number[uint32](e, 1) {
	case setSubreaper, getSubreaper:
		arg, _ := e.Int(3)
		if t.group != nil {
			t.group.reaper = arg != 0
		}
	case setName:
		if !s.cfg.FollowAll {
			return
		}
		if name, ok := e.Text(2); ok {
			// The kernel keeps 15 bytes.
			t.Comm = s.names.text(name[:min(len(name), 15)])
		}
	}
}
