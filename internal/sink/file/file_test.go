package file_test

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/file"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func open(t *testing.T, cfg file.Config) *file.Sink {
	t.Helper()
	s, err := file.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

func lines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	whole, ok := strings.CutSuffix(string(text), "\n")
	if !ok {
		t.Errorf("%s ends in a torn line", name)
	}
	return strings.Split(whole, "\n")
}

func TestConformance(t *testing.T) {
	for _, keep := range []bool{false, true} {
		t.Run(map[bool]string{false: "opened for each alert", true: "kept open"}[keep], func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Target {
				dir := filepath.Join(t.TempDir(), "log")
				name := filepath.Join(dir, "events.txt")
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				target := sinktest.Target{
					Sink: open(t, file.Config{Filename: name, KeepAlive: keep}), Lines: func() []string { return lines(t, name) },
				}
				if !keep {
					target.Break = func() { rename(t, dir, dir+".away") }
					target.Mend = func() { rename(t, dir+".away", dir) }
				}
				return target
			})
		})
	}
}

func rename(t *testing.T, from, to string) {
	if err := os.Rename(from, to); err != nil {
		t.Error(err)
	}
}

func send(t *testing.T, s *file.Sink, messages ...string) error {
	t.Helper()
	for _, m := range messages {
		if err := s.Send(t.Context(), sinktest.Alert(m), []byte(m)); err != nil {
			return err
		}
	}
	return nil
}

func expect(t *testing.T, what string, got []string, want string) {
	t.Helper()
	if g := strings.Join(got, " "); g != want {
		t.Errorf("%s: got %q, want %q", what, g, want)
	}
}

// TestRotation renames the file, writes on, and then asks to reopen, as logrotate does.
func TestRotation(t *testing.T) {
	for _, c := range []struct {
		keep     bool
		old, new string
	}{{true, "a b", "c"}, {false, "a", "b c"}} {
		name := filepath.Join(t.TempDir(), "events.txt")
		s := open(t, file.Config{Filename: name, KeepAlive: c.keep})
		err := errors.Join(send(t, s, "a"), os.Rename(name, name+".1"), send(t, s, "b"), s.Reopen(t.Context()), send(t, s, "c"))
		if err != nil {
			t.Fatal(err)
		}
		expect(t, "rotated file", lines(t, name+".1"), c.old)
		expect(t, "new file", lines(t, name), c.new)
	}
}

// TestDiskFull lets the file reach a size at which a line fits only in part, and then grow again.
func TestDiskFull(t *testing.T) {
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "events.txt")
	s := open(t, file.Config{Filename: name, KeepAlive: true})
	if err := send(t, s, "0123456789"); err != nil {
		t.Fatal(err)
	}
	limit := before
	limit.Cur = 15
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	err := send(t, s, "abcdefghij")
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, syscall.EFBIG) || route.Permanent(err) {
		t.Errorf("got %v, want one to try again after", err)
	}
	expect(t, "file while full", lines(t, name), "0123456789")
	if err := send(t, s, "abcdefghij"); err != nil {
		t.Error(err)
	}
	expect(t, "file afterwards", lines(t, name), "0123456789 abcdefghij")
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"/dev/full":                        "appending an alert: write /dev/full: no space left on device",
		filepath.Join(dir, "none", "file"): "opening the file for alerts: open " + dir + "/none/file: no such file or directory",
		dir:                                "opening the file for alerts: open " + dir + ": is a directory",
		fifo:                               "opening " + fifo + ": it is a pipe and nobody reads it",
	} {
		err := send(t, open(t, file.Config{Filename: name}), "a")
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
	if _, err := file.New(file.Config{}); err == nil {
		t.Error("a sink without a file name")
	}
}

// TestFullPipe interrupts a write to a pipe that is full, and completes the line when it is read again.
func TestFullPipe(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	reader, err := os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	s := open(t, file.Config{Filename: fifo, KeepAlive: true})
	if err := send(t, s, "first"); err != nil { // from here on the pipe has a writer
		t.Fatal(err)
	}
	r := bufio.NewReader(reader)
	read := func(want int) {
		t.Helper()
		if got, err := r.ReadString('\n'); err != nil || len(got) != want {
			t.Fatalf("a line of %d bytes, want %d; %v", len(got), want, err)
		}
	}
	read(len("first\n"))

	long, next := sinktest.Alert("long"), sinktest.Alert("next")
	line := []byte(strings.Repeat("x", 1<<20))
	over, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Send(over, long, line) }()
	if _, err := r.Peek(1); err != nil { // a part of the line is in the pipe
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("a megabyte in a pipe that nobody reads: %v", err)
	}
	go func() {
		done <- errors.Join(s.Send(t.Context(), long, line), s.Send(t.Context(), next, []byte("next")))
	}()
	read(len(line) + 1)
	read(len("next\n"))
	if err := <-done; err != nil {
		t.Error(err)
	}
}
