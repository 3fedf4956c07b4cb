package stdout_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/stdout"
)

// flaky is a writer that takes a few bytes and then fails, while broken.
type flaky struct {
	bytes.Buffer
	broken chan struct{} // holds a value while broken
	takes  int           // bytes that the next broken write takes
}

func (f *flaky) Write(p []byte) (int, error) {
	if len(f.broken) == 0 {
		return f.Buffer.Write(p)
	}
	n := min(f.takes, len(p)-1)
	f.takes = 0
	f.Buffer.Write(p[:n])
	return n, syscall.ENOSPC
}

func TestConformance(t *testing.T) {
	for _, buffered := range []bool{false, true} {
		t.Run(map[bool]string{false: "unbuffered", true: "buffered"}[buffered], func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Target {
				w := &flaky{broken: make(chan struct{}, 1), takes: 20}
				s, err := stdout.New(stdout.Config{Writer: w, Buffered: buffered})
				if err != nil {
					t.Fatal(err)
				}
				return sinktest.Target{
					Sink: s, Lines: func() []string { return lines(w.String()) },
					Break: func() { w.broken <- struct{}{} }, Mend: func() { <-w.broken },
				}
			})
		})
	}
}

func lines(s string) []string { return strings.Split(strings.TrimSuffix(s, "\n"), "\n") }

func TestColour(t *testing.T) {
	for p, want := range map[alert.Priority]string{
		alert.Emergency: "\x1b[1;31mline\x1b[0m\n", alert.Critical: "\x1b[1;31mline\x1b[0m\n", alert.Error: "\x1b[31mline\x1b[0m\n",
		alert.Warning: "\x1b[33mline\x1b[0m\n", alert.Notice: "\x1b[36mline\x1b[0m\n", alert.Debug: "\x1b[2mline\x1b[0m\n",
	} {
		var out bytes.Buffer
		s, err := stdout.New(stdout.Config{Writer: &out, Colour: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Send(t.Context(), &alert.Alert{Priority: p}, []byte("line")); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%v: got %q, want %q", p, out.String(), want)
		}
	}
}

// TestBuffered writes many lines at once, and at the latest when none waits.
func TestBuffered(t *testing.T) {
	var writes int
	w := writer(func(p []byte) (int, error) { writes++; return len(p), nil })
	s, err := stdout.New(stdout.Config{Writer: w, Buffered: true})
	if err != nil {
		t.Fatal(err)
	}
	line := bytes.Repeat([]byte("x"), 99)
	for range 10_000 {
		if err := s.Send(t.Context(), &alert.Alert{}, line); err != nil {
			t.Fatal(err)
		}
	}
	if writes < 10 || writes > 20 {
		t.Errorf("a million bytes in %d writes", writes)
	}
	if err := errors.Join(s.Flush(t.Context()), s.Flush(t.Context())); err != nil || writes > 21 {
		t.Errorf("%v, %d writes", err, writes)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// TestBrokenPipe wants the loss of the reader to be said once, and no attempt to be repeated.
func TestBrokenPipe(t *testing.T) {
	signal.Ignore(syscall.SIGPIPE)
	defer signal.Reset(syscall.SIGPIPE)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	for _, c := range []struct {
		name   string
		writer io.Writer
	}{{"pipe", w}, {"closed file", r}} {
		s, err := stdout.New(stdout.Config{Writer: c.writer})
		if err != nil {
			t.Fatal(err)
		}
		said := make(chan string, 100)
		router := route.New(route.Config{
			Outputs: []route.Output{{Name: "stdout", Sink: s}},
			Log:     func(p alert.Priority, line string) { said <- p.String() + " " + line },
		})
		for range 50 {
			router.Publish(sinktest.Alert("m"))
		}
		if err := router.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if n := router.Stats()[0]; n.Failed != 50 || n.Retried != 0 {
			t.Errorf("%s: %+v", c.name, n)
		}
		if line := <-said; len(said) != 0 || !strings.HasPrefix(line, `Error "stdout" output: writing to standard output, which nobody reads any more: `) {
			t.Errorf("%s: %d further lines after %q", c.name, len(said), line)
		}
	}
}

func TestConfig(t *testing.T) {
	if _, err := stdout.New(stdout.Config{}); err == nil {
		t.Error("a sink without a writer")
	}
}
