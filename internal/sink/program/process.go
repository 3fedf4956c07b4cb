package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	settled    = 10 * time.Second       // a process that ran for so long was started well
	firstPause = 100 * time.Millisecond // before the second start, after one that ended sooner; it doubles
	longPause  = 30 * time.Second
	patience   = 5 * time.Second // for a process to end after the end of its input, and again after SIGTERM
)

// process is the program while it is kept alive.
type process struct {
	cmd     *exec.Cmd
	in      *os.File // its standard input, our end of the pipe
	started time.Time
	exited  chan struct{}
	err     error // of Wait; read after exited

	capacity int    // of the pipe, in bytes
	recent   []byte // what was last written, at least as much as the pipe can hold, from the beginning of a line
}

// start starts the program.
func (s *Sink) start() (*process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("starting the program: %w", err)
	}
	p := &process{cmd: s.command(context.Background()), in: w, started: time.Now(), exited: make(chan struct{}), capacity: 1 << 20}
	p.control(func(fd int) {
		if n, err := unix.FcntlInt(uintptr(fd), unix.F_GETPIPE_SZ, 0); err == nil {
			p.capacity = n
		}
	})
	p.cmd.Stdin = r
	err = p.cmd.Start()
	r.Close()
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("starting the program: %w", err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}()
	return p, nil
}

// control calls f with the descriptor of our end of the pipe.
func (p *process) control(f func(fd int)) {
	raw, err := p.in.SyscallConn()
	if err == nil {
		raw.Control(func(fd uintptr) { f(int(fd)) }) // fails only when closed, and then there is nothing to ask
	}
}

// write writes a line and remembers it.
func (p *process) write(ctx context.Context, line []byte) error {
	stop := context.AfterFunc(ctx, func() { p.in.SetWriteDeadline(time.Unix(1, 0)) }) // the error of a closed pipe does no harm
	defer stop()
	n, err := p.in.Write(line)
	if len(p.recent) > 2*p.capacity+1<<16 {
		old := p.recent[:len(p.recent)-p.capacity]
		p.recent = append(p.recent[:0], p.recent[bytes.LastIndexByte(old, '\n')+1:]...)
	}
	p.recent = append(p.recent, line[:n]...)
	return err
}

// unread returns the lines of which the process has not read the last n bytes that were written, without one that was not
// written to its end.
func (p *process) unread(n int) []byte {
	n = min(n, len(p.recent))
	if n <= 0 {
		return nil
	}
	first := bytes.LastIndexByte(p.recent[:len(p.recent)-n], '\n') + 1
	return p.recent[first : bytes.LastIndexByte(p.recent, '\n')+1]
}

// inPipe returns how many bytes wait in the pipe of a descriptor.
func inPipe(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}

// look notices that the process has ended.
func (s *Sink) look() {
	if s.p == nil {
		return
	}
	select {
	case <-s.p.exited:
		n := 0
		s.p.control(func(fd int) { n = inPipe(fd) })
		s.bury(n)
	default:
	}
}

// bury lets go of a process that has ended and left n bytes unread.
func (s *Sink) bury(n int) {
	s.backlog = append(bytes.Clone(s.p.unread(n)), s.backlog...)
	s.p.in.Close()
	now, pause := time.Now(), time.Duration(0)
	if now.Sub(s.p.started) >= settled {
		s.crashes = 0
	} else {
		pause = longPause
		if s.crashes < 16 {
			pause = min(pause, firstPause<<s.crashes)
		}
		s.crashes++
	}
	s.notBefore = now.Add(pause)
	status := "exit status 0"
	if s.p.err != nil {
		status = s.p.err.Error()
	}
	s.ended = ended{"the program ended with " + status + " and is started again", pause}
	s.p = nil
}

// revive returns when a process runs that has been given what others left unread. It reports how the last one ended before
// it starts another.
func (s *Sink) revive(ctx context.Context) error {
	s.look()
	s.adopt()
	if err := s.ended; err != nil {
		s.ended = nil
		return err
	}
	if s.p == nil {
		if pause := time.Until(s.notBefore); pause > 0 {
			return ended{"the program ended soon after it was started, and is started again later", pause}
		}
		p, err := s.start()
		if err != nil {
			return err
		}
		s.p = p
	}
	for len(s.backlog) > 0 {
		line := s.backlog[:bytes.IndexByte(s.backlog, '\n')+1]
		if err := s.p.write(ctx, line); err != nil {
			return s.lost(ctx, err)
		}
		s.backlog = s.backlog[len(line):]
	}
	return nil
}

// lost handles a line that could not be written: the process has ended, or closed its input and is ended, or hangs.
func (s *Sink) lost(ctx context.Context, err error) error {
	if !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("writing to the program: %w", err)
	}
	n := 0
	s.p.control(func(fd int) { n = inPipe(fd) })
	s.end(ctx)
	s.bury(n)
	err, s.ended = s.ended, nil
	return err
}

// stop ends the process after it has read what it was sent. What it has not read when it has to be killed is kept.
func (s *Sink) stop(ctx context.Context) {
	// Another descriptor for the reading end tells how much is left when the writing end is closed (proc(5), /proc/pid/fd).
	var left *os.File
	s.p.control(func(fd int) {
		if f, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d", fd), os.O_RDONLY|syscall.O_NONBLOCK, 0); err == nil {
			left = f
		}
	})
	s.p.in.Close()
	s.end(ctx)
	n := 0
	if left != nil {
		if raw, err := left.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) { n = inPipe(int(fd)) }) // fails only when closed
		}
		left.Close()
	}
	s.bury(n)
}

// end waits for the end of the process and its input, and forces it when it takes too long, or at once when ctx is done.
func (s *Sink) end(ctx context.Context) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		t := time.NewTimer(patience)
		select {
		case <-s.p.exited:
		case <-t.C:
		case <-ctx.Done():
			signal = syscall.SIGKILL
		}
		t.Stop()
		select {
		case <-s.p.exited:
			return
		default:
			_ = syscall.Kill(-s.p.cmd.Process.Pid, signal) // it fails when the process has just ended
		}
		if signal == syscall.SIGKILL {
			break
		}
	}
	<-s.p.exited
}

// ended is the error of a process that is to be started again.
type ended struct {
	text  string
	pause time.Duration
}

// Error says how it ended.
func (e ended) Error() string { return e.text }

// RetryAfter says when it may be started.
func (e ended) RetryAfter() (time.Duration, bool) { return e.pause, true }
