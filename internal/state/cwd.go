package state

import "github.com/saker-sec/saker/internal/event"

// onChdir handles chdir, and getcwd, which tells where the process really is.
func (s *State) onChdir(c *Ctx, e *event.Event) {
	res, ok := e.Int(0)
	if !ok || res < 0 || c.Thread == nil {
		return
	}
	path, ok := e.Text(1)
	switch {
	case e.Code == event.SyscallGetcwdX && (path == "" || path[0] != '/'):
		// It tells nothing, or only that the directory cannot be reached from the root (getcwd(2)).
	case !ok:
		s.loseDir(c.Thread)
	default:
		s.changeDir(c.Thread, path)
	}
}

// loseDir is for a process that moved to a directory whose name could not be read: it asks the kernel where that is.
func (s *State) loseDir(t *Thread) {
	m := t.Main()
	if m == nil {
		return
	}
	s.stats.Undecodable++
	if s.fdProc != nil {
		if cwd, err := s.fdProc.Cwd(m.PID); err == nil {
			s.setCwd(m, event.View(closeDir(AppendPath(s.scratch[:0], "", cwd))))
			return
		}
	}
	s.setCwd(m, unknownDir)
}

// onFchdir handles fchdir.
func (s *State) onFchdir(c *Ctx, e *event.Event) {
	res, ok := e.Int(0)
	if !ok || res < 0 || c.Thread == nil || c.FD == nil {
		return
	}
	s.changeDir(c.Thread, c.FD.Name)
}

// changeDir moves the process to path, which may be relative to where it is.
func (s *State) changeDir(t *Thread, path string) {
	m := t.Main()
	if m == nil {
		return
	}
	cwd := ""
	if m.fs != nil {
		cwd = m.fs.cwd
	}
	s.scratch = closeDir(AppendPath(s.scratch[:0], cwd, path))
	s.setCwd(m, event.View(s.scratch))
}

// onChroot changes the root directory.
func (s *State) onChroot(c *Ctx, e *event.Event) {
	res, ok := e.Int(0)
	if !ok || res != 0 || c.Thread == nil {
		return
	}
	path, _ := e.Text(1)
	t := c.Thread
	if path != "" && path[0] == '/' {
		t.root = s.names.text(path)
		return
	}
	s.scratch = AppendPath(s.scratch[:0], t.Cwd(), path)
	t.root = s.names.bytes(s.scratch)
}
