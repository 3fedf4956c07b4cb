// Package file appends alerts to a file, one line each.
package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// Config names the file (reference: falco-core.md §2.4, file_output).
type Config struct {
	Filename string
	// KeepAlive keeps the file open until Reopen. Without it the file is opened for each alert, so that a file that was moved
	// away is noticed at once.
	KeepAlive bool
}

// Sink appends lines. Each alert is handed to the kernel before Send returns, with one write, so lines of several writers do
// not mix and a reader never sees half a line: what a full disk has taken of a line is taken back.
type Sink struct {
	cfg      Config
	f        *os.File // nil while closed
	pollable bool     // f is a pipe or the like, whose writes can be interrupted
	out      []byte

	// A pipe does not give back the part of a line it has taken: torn is the line's alert, written the length of the part.
	torn    *alert.Alert
	written int
}

// New returns a sink. The file is opened with the first alert. New fails when no file is named.
func New(cfg Config) (*Sink, error) {
	if cfg.Filename == "" {
		return nil, errors.New("file output: file_output.filename is empty, it must name a file")
	}
	return &Sink{cfg: cfg}, nil
}

// Send appends the line. Errors are those of open(2), write(2) and close(2), like a full disk or a missing directory; the next
// call opens the file again.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, line []byte) error {
	if err := s.open(); err != nil {
		return err
	}
	s.out = append(append(s.out[:0], line...), '\n')
	text := s.out
	switch {
	case s.torn == a:
		text = text[s.written:]
	case s.torn != nil: // the line that was torn is not sent any more
		s.out = append(append(append(s.out[:0], '\n'), line...), '\n')
		text = s.out
	}
	n, err := s.write(ctx, text)
	if err != nil {
		if !s.takeBack(a, n) || errors.Is(err, syscall.EPIPE) {
			_ = s.close()
		}
		return fmt.Errorf("appending an alert: %w", err)
	}
	s.torn, s.written = nil, 0
	if s.cfg.KeepAlive {
		return nil
	}
	return s.close()
}

// Reopen closes the file and opens it by its name again. What is sent meanwhile waits; what was sent is in the old file.
func (s *Sink) Reopen(context.Context) error {
	if err := s.close(); err != nil {
		return err
	}
	if !s.cfg.KeepAlive {
		return nil
	}
	return s.open()
}

// Close closes the file.
func (s *Sink) Close(context.Context) error { return s.close() }

// open opens the file unless it is open. A pipe without a reader is an error, not a reason to wait.
func (s *Sink) open() error {
	if s.f != nil {
		return nil
	}
	f, err := os.OpenFile(s.cfg.Filename, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NONBLOCK, 0o644)
	if errors.Is(err, syscall.ENXIO) {
		return fmt.Errorf("opening %s: it is a pipe and nobody reads it", s.cfg.Filename)
	}
	if err != nil {
		return fmt.Errorf("opening the file for alerts: %w", err)
	}
	s.f, s.pollable = f, f.SetWriteDeadline(time.Time{}) == nil
	return nil
}

func (s *Sink) write(ctx context.Context, text []byte) (int, error) {
	if s.pollable {
		f := s.f
		if err := f.SetWriteDeadline(time.Time{}); err != nil {
			return 0, err
		}
		stop := context.AfterFunc(ctx, func() { f.SetWriteDeadline(time.Unix(1, 0)) }) // the error of a closed file does no harm
		defer stop()
	}
	return s.f.Write(text)
}

// takeBack removes the n bytes just written, which are a part of a line, from the end of the file. From a pipe they cannot be
// removed: then it remembers how much of the alert's line is written and says that the file must stay open for the rest.
func (s *Sink) takeBack(a *alert.Alert, n int) (stay bool) {
	if s.pollable {
		if s.torn != a && s.torn != nil && n > 0 {
			n-- // the line feed that ends the other line
			s.written = 0
		}
		s.written += n
		if s.written > 0 {
			s.torn = a
		}
		return s.written > 0
	}
	if n == 0 {
		return false
	}
	end, err := s.f.Seek(0, io.SeekCurrent)
	if err != nil {
		return false
	}
	if info, err := s.f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() == end {
		_ = s.f.Truncate(end - int64(n)) // when it fails, half a line stays
	}
	return false
}

func (s *Sink) close() error {
	if s.f == nil {
		return nil
	}
	err := s.f.Close()
	s.f, s.torn, s.written = nil, nil, 0
	if err != nil {
		return fmt.Errorf("closing the file for alerts: %w", err)
	}
	return nil
}
