// Package program hands alerts to a program's standard input, one line each. The program is a line for /bin/sh, as popen(3)
// takes it; its output goes where ours goes. It runs in a process group of its own, so that it does not end with us when a
// terminal interrupts us, but by the end of its input.
//
// The line for the shell may hold secrets; it is in no error.
package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// Config names the program (reference: falco-core.md §2.4, program_output).
type Config struct {
	Program string
	// KeepAlive keeps one process running and writes all alerts to it. Without it there is one process for each alert.
	KeepAlive      bool
	Stdout, Stderr io.Writer // of the program; nil is nowhere
}

// tryLater is the exit status by which a program asks for the same alert again (EX_TEMPFAIL of sysexits(3)).
const tryLater = 75

// Sink runs the program.
//
// Without KeepAlive, Send returns when the process has ended. An exit status other than 0 is a permanent error, because the
// program has seen the alert; 75 is not, the alert is given to another process later.
//
// With KeepAlive, Send returns when the line is written to the pipe. When the process ends, it is started again: at once when
// it ran for some time, else after pauses that double. What it had not read is written to the next one, with the whole of a
// line it had read in part; what it had read is its own affair.
type Sink struct {
	cfg  Config
	wake chan struct{}

	// With KeepAlive:
	p         *process // nil when none runs
	ended     error    // how the last one ended, until it is reported
	backlog   []byte   // lines that the last one did not read
	crashes   int      // processes in a row that ended soon after their start
	notBefore time.Time

	mu        sync.Mutex
	inherited []byte // lines that the process of another sink did not read
}

// New returns a sink. It fails when no program is named; the program is first started with the first alert.
func New(cfg Config) (*Sink, error) {
	if cfg.Program == "" {
		return nil, errors.New("program output: program_output.program is empty, it must be a command for the shell")
	}
	return &Sink{cfg: cfg, wake: make(chan struct{}, 1)}, nil
}

// Send gives the line to the program.
func (s *Sink) Send(ctx context.Context, _ *alert.Alert, line []byte) error {
	text := append(append(make([]byte, 0, len(line)+1), line...), '\n')
	if !s.cfg.KeepAlive {
		return s.runOnce(ctx, text)
	}
	if err := s.revive(ctx); err != nil {
		return err
	}
	if err := s.p.write(ctx, text); err != nil {
		return s.lost(ctx, err)
	}
	return nil
}

// Wake yields a value when the process has ended, for Flush to see what it left unread, or when lines are inherited.
func (s *Sink) Wake() <-chan struct{} { return s.wake }

// Flush starts a process for what the last one left unread.
func (s *Sink) Flush(ctx context.Context) error {
	s.look()
	s.adopt()
	if len(s.backlog) == 0 {
		return nil
	}
	return s.revive(ctx)
}

// Leave returns what was not read, after Close.
func (s *Sink) Leave() []byte { return s.backlog }

// Inherit takes over lines that the program of another sink did not read. Without KeepAlive it does not.
func (s *Sink) Inherit(lines []byte) bool {
	if !s.cfg.KeepAlive {
		return false
	}
	s.mu.Lock()
	s.inherited = append(s.inherited, lines...)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return true
}

// adopt makes inherited lines the next ones to be written.
func (s *Sink) adopt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.backlog, s.inherited = append(s.inherited, s.backlog...), nil
}

// Reopen ends the process, after it has read what it was sent, and starts another.
func (s *Sink) Reopen(ctx context.Context) error {
	if s.p == nil {
		return nil
	}
	s.stop(ctx)
	s.ended, s.crashes, s.notBefore = nil, 0, time.Time{}
	return s.revive(ctx)
}

// Close ends the process. The error says that it did not read everything.
func (s *Sink) Close(ctx context.Context) error {
	if s.p != nil {
		s.stop(ctx)
	}
	s.adopt()
	if n := bytes.Count(s.backlog, []byte{'\n'}); n > 0 {
		return fmt.Errorf("the program ended without reading the last %d lines", n)
	}
	return nil
}

// command returns the program, not started. When ctx is done it is killed, with all it started.
func (s *Sink) command(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", s.cfg.Program)
	cmd.Stdout, cmd.Stderr = s.cfg.Stdout, s.cfg.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second // a process it left behind may hold its output open
	return cmd
}

// runOnce runs the program for one line.
func (s *Sink) runOnce(ctx context.Context, text []byte) error {
	cmd := s.command(ctx)
	cmd.Stdin = bytes.NewReader(text)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting the program: %w", err)
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return nil
	case ctx.Err() != nil:
		return errors.New("the program hung and was killed")
	case errors.As(err, &exit) && exit.ExitCode() != tryLater:
		return refused{exit.String()}
	}
	return fmt.Errorf("the program ended with %w", err)
}

// refused is the error of a program that has seen the alert and failed.
type refused struct{ status string }

// Error says how the program ended.
func (r refused) Error() string { return "the program ended with " + r.status }

// Permanent says that trying again is of no use.
func (refused) Permanent() bool { return true }
