// Package stdout writes alerts to standard output, one line each.
package stdout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/saker-sec/saker/internal/alert"
)

// Config says where and how to write (reference: falco-core.md §2.4, stdout_output and buffered_outputs).
type Config struct {
	Writer io.Writer
	Colour bool // each line in the colour of its priority; for text on a terminal
	// Buffered lets lines gather while others wait to be written. They are written when none waits, when many have gathered,
	// and at the end. Without it each line is written before Send returns.
	Buffered bool
}

// bufferSize is how many bytes gather at most.
const bufferSize = 64 << 10

// Sink writes lines.
type Sink struct {
	cfg Config
	out []byte // not written yet
}

// New returns a sink. It fails without a writer.
func New(cfg Config) (*Sink, error) {
	if cfg.Writer == nil {
		return nil, errors.New("stdout output: no writer is given")
	}
	return &Sink{cfg: cfg}, nil
}

// Send writes the line. An error is permanent when nobody reads standard output any more. When only a part of the line could
// be written, it is taken: the rest follows first of all.
func (s *Sink) Send(_ context.Context, a *alert.Alert, line []byte) error {
	if len(s.out) > 0 && (!s.cfg.Buffered || len(s.out)+len(line) > bufferSize) {
		if err := s.write(); err != nil {
			return err
		}
	}
	if s.cfg.Colour {
		s.out = append(s.out, colourOf(a.Priority)...)
	}
	s.out = append(s.out, line...)
	if s.cfg.Colour {
		s.out = append(s.out, "\x1b[0m"...)
	}
	s.out = append(s.out, '\n')
	if s.cfg.Buffered {
		return nil
	}
	whole := len(s.out)
	if err := s.write(); err != nil && (len(s.out) == 0 || len(s.out) == whole) {
		s.out = s.out[:0]
		return err
	}
	return nil
}

// Flush writes what has gathered.
func (s *Sink) Flush(context.Context) error {
	if len(s.out) == 0 {
		return nil
	}
	return s.write()
}

// Close writes what has gathered. The writer stays open.
func (s *Sink) Close(ctx context.Context) error { return s.Flush(ctx) }

// write writes what is in out and keeps there what could not be written, unless it never can be.
func (s *Sink) write() error {
	n, err := s.cfg.Writer.Write(s.out)
	if err == nil && n < len(s.out) {
		err = io.ErrShortWrite
	}
	s.out = s.out[:copy(s.out, s.out[n:])]
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, fs.ErrClosed) || errors.Is(err, io.ErrClosedPipe) {
		s.out = s.out[:0]
		return gone{fmt.Errorf("writing to standard output, which nobody reads any more: %w", err)}
	}
	return fmt.Errorf("writing to standard output: %w", err)
}

// gone is an error after which nothing can be written any more.
type gone struct{ error }

// Permanent says that trying again is of no use.
func (gone) Permanent() bool { return true }

// Unwrap returns the cause.
func (g gone) Unwrap() error { return errors.Unwrap(g.error) }

// colourOf returns the terminal escape that the alerts of a priority begin with.
func colourOf(p alert.Priority) string {
	switch {
	case p <= alert.Critical:
		return "\x1b[1;31m" // bold red
	case p == alert.Error:
		return "\x1b[31m" // red
	case p == alert.Warning:
		return "\x1b[33m" // yellow
	case p == alert.Notice:
		return "\x1b[36m" // cyan
	}
	return "\x1b[2m" // faint
}
