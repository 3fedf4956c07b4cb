package state

import "github.com/saker-sec/saker/internal/event"

// Flags of close_range (PPM_CLOSE_RANGE_…).
const (
	rangeUnshare = 1 << 1
	rangeCloexec = 1 << 2
)

// onClose closes the descriptor when the next event comes.
func (s *State) onClose(c *Ctx, e *event.Event) {
	res, ok := e.Int(0)
	if !ok || res < 0 {
		return
	}
	if c.Thread == nil || c.FD == nil {
		return
	}
	s.closedBy, s.closed, s.late = c.Thread.TID, c.FDNum, true
}

// onCloseRange closes a range of descriptors, or marks it to be closed by execve.
func (s *State) onCloseRange(c *Ctx, e *event.Event) {
	res, ok := e.Int(0)
	if !ok || res < 0 || c.Thread == nil {
		return
	}
	f := s.table(c.Thread)
	if f == nil {
		return
	}
	first, last := int64(number[uint32](e, 1)), int64(number[uint32](e, 2))
	flags := number[uint32](e, 3)
	if t := c.Thread; flags&rangeUnshare != 0 && f.refs > 1 && t.fds == f {
		t.fds = s.copyTable(f)
		f.refs--
		f = t.fds
	}
	if flags&rangeCloexec == 0 {
		s.eraseIf(f, func(fd int64, _ *FD) bool { return fd >= first && fd <= last })
		return
	}
	f.Each(func(fd int64, d *FD) bool {
		if fd > last {
			return false
		}
		if fd >= first && d.OpenFlags&openCloexec == 0 {
			if d := s.ownFD(f, fd); d != nil {
				d.OpenFlags |= openCloexec
			}
		}
		return true
	})
}
