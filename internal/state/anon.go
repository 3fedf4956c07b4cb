package state

import (
	"strconv"

	"github.com/saker-sec/saker/internal/event"
)

// onPipe opens both ends of a pipe; the event is about the second.
func (s *State) onPipe(c *Ctx, e *event.Event) {
	res, ok := e.Int(0)
	if !ok || res < 0 || c.Thread == nil {
		return
	}
	flags := uint32(0)
	if e.Code == event.SyscallPipe2X {
		flags = number[uint32](e, 4)
	}
	for i := 1; i <= 2; i++ {
		fd, ok := e.Int(i)
		if !ok {
			s.stats.Undecodable++
			return
		}
		d := s.free.fd()
		d.Type, d.Ino, d.OpenFlags = event.FDFifo, number[uint64](e, 3), flags
		c.FD = s.addFD(c, fd, d)
	}
}

// onAnon opens one of the kinds that have no name.
func (s *State) onAnon(c *Ctx, e *event.Event) {
	fd, ok := e.Int(0)
	if !ok || fd < 0 || c.Thread == nil || e.Code == event.SyscallBpfV2X && !bpfOpens(e) {
		return
	}
	d := s.free.fd()
	switch e.Code {
	case event.SyscallEventfdX:
		d.Type = event.FDEvent
	case event.SyscallEventfd2X:
		d.Type, d.OpenFlags = event.FDEvent, number[uint32](e, 1)
	case event.SyscallSignalfdX:
		d.Type = event.FDSignal
	case event.SyscallSignalfd4X:
		d.Type, d.OpenFlags = event.FDSignal, number[uint32](e, 1)
	case event.SyscallTimerfdCreateX:
		d.Type, d.OpenFlags = event.FDTimer, number[uint32](e, 2)
	case event.SyscallInotifyInitX:
		d.Type = event.FDInotify
	case event.SyscallInotifyInit1X:
		d.Type, d.OpenFlags = event.FDInotify, number[uint32](e, 1)
	case event.SyscallBpfV2X:
		d.Type = event.FDBPF
	case event.SyscallUserfaultfdX:
		d.Type = event.FDUserfault
	case event.SyscallIoUringSetupX:
		d.Type = event.FDIOUring
	case event.SyscallEpollCreateX:
		d.Type = event.FDEventpoll
	case event.SyscallEpollCreate1X:
		d.Type = event.FDEventpoll
		if number[uint32](e, 1)&1 != 0 {
			d.OpenFlags = openCloexec
		}
	}
	c.FD = s.addFD(c, fd, d)
}

// bpfCommands has a bit for each command of bpf(2) that returns a descriptor (linux/bpf.h): MAP_CREATE, PROG_LOAD,
// OBJ_GET, the GET_FD_BY_ID ones, RAW_TRACEPOINT_OPEN, BTF_LOAD, LINK_CREATE, ENABLE_STATS and ITER_CREATE. The others
// return 0, which Falco takes for standard input becoming a bpf descriptor.
const bpfCommands = 1<<0 | 1<<5 | 1<<7 | 1<<13 | 1<<14 | 1<<17 | 1<<18 | 1<<19 | 1<<28 | 1<<30 | 1<<32 | 1<<33

// bpfOpens says whether the call opened a descriptor; where the command is not known it is taken to have.
func bpfOpens(e *event.Event) bool {
	cmd, ok := e.Uint(1)
	return !ok || cmd < 64 && bpfCommands>>cmd&1 != 0
}

// onMemfd opens a file that lives in memory only.
func (s *State) onMemfd(c *Ctx, e *event.Event) {
	fd, ok := e.Int(0)
	if !ok || fd < 0 || c.Thread == nil {
		return
	}
	name, _ := e.Text(1)
	d := s.free.fd()
	d.Type, d.OpenFlags = event.FDMemfd, number[uint32](e, 2)
	d.setNames(name, "")
	c.FD = s.addFD(c, fd, d)
	c.NameChanged = c.FD != nil && name != ""
}

// onPidfdOpen opens a descriptor of a process; its name is the directory of the process in /proc.
func (s *State) onPidfdOpen(c *Ctx, e *event.Event) {
	fd, ok := e.Int(0)
	if !ok || fd < 0 || c.Thread == nil {
		return
	}
	pid, ok := e.Int(1)
	if !ok {
		s.stats.Undecodable++
		return
	}
	d := s.free.fd()
	d.Type, d.OpenFlags, d.PID = event.FDPidfd, number[uint32](e, 2), pid
	s.scratch = append(append(s.scratch[:0], s.cfg.HostRoot...), "/proc/"...)
	s.scratch = strconv.AppendInt(s.scratch, pid, 10)
	d.setNames(event.View(s.scratch), "")
	c.FD = s.addFD(c, fd, d)
	c.NameChanged = c.FD != nil
}

// onPidfdGetfd opens a copy of another process's descriptor.
func (s *State) onPidfdGetfd(c *Ctx, e *event.Event) {
	fd, ok := e.Int(0)
	if !ok || fd < 0 || c.Thread == nil {
		return
	}
	pidfd, _ := e.Int(1)
	target, _ := e.Int(2)
	d := c.Thread.FDs().Get(pidfd)
	if d == nil || d.Type != event.FDPidfd {
		return
	}
	owner := s.threads.get(d.PID)
	if owner == nil || s.cfg.FollowAll && c.Thread.InPidNS() { // there it is no number of the host's
		return
	}
	if d = owner.FDs().Get(target); d != nil {
		s.dupTo(c, d, fd, true)
	}
}
