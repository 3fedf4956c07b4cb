package program_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/program"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func open(t *testing.T, cfg program.Config) *program.Sink {
	t.Helper()
	cfg.Stderr = os.Stderr
	s, err := program.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		over, cancel := context.WithCancel(context.Background())
		cancel()
		s.Close(over)
	})
	return s
}

func lines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func TestConformance(t *testing.T) {
	t.Run("for each alert", func(t *testing.T) {
		sinktest.Run(t, func(t *testing.T) sinktest.Target {
			out := filepath.Join(t.TempDir(), "out")
			return sinktest.Target{
				Sink:  open(t, program.Config{Program: fmt.Sprintf("[ ! -e %s.broken ] || exit 75; cat >> %[1]s", out)}),
				Lines: func() []string { return lines(t, out) },
				Break: func() { touch(t, out+".broken") }, Mend: func() { os.Remove(out + ".broken") },
			}
		})
	})
	t.Run("kept alive", func(t *testing.T) {
		sinktest.Run(t, func(t *testing.T) sinktest.Target {
			out := filepath.Join(t.TempDir(), "out")
			return sinktest.Target{
				Sink: open(t, program.Config{
					Program: fmt.Sprintf("echo $$ > %s.pid; [ ! -e %[1]s.broken ] || exit 1; exec cat >> %[1]s", out), KeepAlive: true,
				}),
				Lines: func() []string { return lines(t, out) },
				Break: func() {
					await(t, func() bool { text, _ := os.ReadFile(out); return bytes.Count(text, []byte{'\n'}) == 20 })
					touch(t, out+".broken")
					kill(t, out+".pid")
				},
				Mend: func() { os.Remove(out + ".broken") },
			}
		})
	})
}

func touch(t *testing.T, name string) {
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Error(err)
	}
}

// kill kills the process whose id is in a file, and waits until it is dead: until then it may still read.
func kill(t *testing.T, pidFile string) {
	t.Helper()
	pid, err := strconv.Atoi(lines(t, pidFile)[0])
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { return !alive(pid) })
}

// await waits until another process has done something.
func await(t *testing.T, done func() bool) {
	t.Helper()
	for late := time.Now().Add(time.Minute); !done(); runtime.Gosched() {
		if time.Now().After(late) {
			t.Fatal("it does not happen")
		}
	}
}

func send(ctx context.Context, s *program.Sink, messages ...string) error {
	var errs []error
	for _, m := range messages {
		errs = append(errs, s.Send(ctx, sinktest.Alert(m), []byte(m)))
	}
	return errors.Join(errs...)
}

func TestExitStatus(t *testing.T) {
	for command, want := range map[string]struct {
		err       string
		permanent bool
	}{
		"exit 0":                    {"", false},
		"true; exec 0<&-; sleep 0":  {"", false},
		"cat > /dev/null; exit 3":   {"the program ended with exit status 3", true},
		"/nonexistent 2> /dev/null": {"the program ended with exit status 127", true},
		"kill -9 $$":                {"the program ended with signal: killed", true},
		"exit 75":                   {"the program ended with exit status 75", false},
	} {
		err := send(t.Context(), open(t, program.Config{Program: command}), "a")
		if err == nil && want.err == "" {
			continue
		}
		if err == nil || err.Error() != want.err || route.Permanent(err) != want.permanent {
			t.Errorf("%s: got %v, permanent %v; want %+v", command, err, route.Permanent(err), want)
		}
	}
	if _, err := program.New(program.Config{}); err == nil {
		t.Error("a sink without a program")
	}
}

func TestOutput(t *testing.T) {
	for _, keep := range []bool{false, true} {
		var out bytes.Buffer
		s := open(t, program.Config{Program: "sed s/^/got:/", KeepAlive: keep, Stdout: &out})
		if err := errors.Join(send(t.Context(), s, "a", "b"), s.Close(t.Context())); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != "got:a\ngot:b\n" {
			t.Errorf("keep_alive %v: the program printed %q", keep, got)
		}
	}
}

// TestHang kills a program that hangs, with what it started, when the time is over.
func TestHang(t *testing.T) {
	for _, keep := range []bool{false, true} {
		dir := t.TempDir()
		s := open(t, program.Config{Program: fmt.Sprintf("cd %s; sleep 1000 & echo $! > pid.tmp; mv pid.tmp pid; wait", dir), KeepAlive: keep})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			err := send(ctx, s, "a")
			if keep {
				<-ctx.Done()
			}
			done <- errors.Join(err, s.Close(ctx))
		}()
		await(t, func() bool { _, err := os.Stat(filepath.Join(dir, "pid")); return err == nil })
		cancel()
		err := <-done
		if want := map[bool]string{
			false: "the program hung and was killed", true: "the program ended without reading the last 1 lines",
		}[keep]; err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		pid, err := strconv.Atoi(lines(t, filepath.Join(dir, "pid"))[0])
		if err != nil {
			t.Fatal(err)
		}
		await(t, func() bool { return !alive(pid) })
	}
}

// alive says whether a process is neither gone nor a zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !bytes.Contains(stat, []byte(") Z "))
}

// TestUnreadIsKept kills a program that has read a part of what it was sent; the next one gets the rest, in whole lines.
func TestUnreadIsKept(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	// The first process reads five bytes (a line and a part of the next), tells, and waits to be killed.
	s := open(t, program.Config{KeepAlive: true, Program: fmt.Sprintf(
		`cd %s; if [ ! -e second ]; then touch second; dd bs=1 count=5 > first 2> /dev/null; echo $$ > pid.tmp; mv pid.tmp pid; kill -STOP $$; fi; cat > out`, dir)})
	if err := send(t.Context(), s, "aaa", "bbb", "ccc"); err != nil {
		t.Fatal(err)
	}
	await(t, func() bool { _, err := os.Stat(filepath.Join(dir, "pid")); return err == nil })
	kill(t, filepath.Join(dir, "pid"))
	<-s.Wake()
	err := s.Flush(t.Context())
	if err == nil || err.Error() != "the program ended with signal: killed and is started again" {
		t.Errorf("got %v", err)
	}
	var pause interface {
		RetryAfter() (time.Duration, bool)
	}
	if !errors.As(err, &pause) {
		t.Fatal("no pause")
	}
	d, _ := pause.RetryAfter()
	<-time.After(d)
	if err := errors.Join(s.Flush(t.Context()), send(t.Context(), s, "ddd"), s.Close(t.Context())); err != nil {
		t.Error(err)
	}
	if got := strings.Join(lines(t, out), " "); got != "bbb ccc ddd" {
		t.Errorf("the second process got %q", got)
	}
}

// TestHandOver puts another program in place of one that does not read: it gets what that one was sent, before what is newer. One that is
// started for each alert does not, and that is said.
func TestHandOver(t *testing.T) {
	for _, keep := range []bool{true, false} {
		out := filepath.Join(t.TempDir(), "out")
		router := func(drain time.Duration, cfg program.Config) *route.Router {
			return route.New(route.Config{Drain: drain, Outputs: []route.Output{{Name: "program", Sink: open(t, cfg)}}})
		}
		old := router(50*time.Millisecond, program.Config{KeepAlive: true, Program: "exec sleep 1000"})
		for _, text := range []string{"a", "b"} {
			old.Publish(&alert.Alert{Message: text})
		}
		await(t, func() bool { return old.Stats()[0].Sent == 2 })
		next := router(time.Minute, program.Config{KeepAlive: keep, Program: "cat >> " + out})
		err := old.HandOver(t.Context(), next)
		next.Publish(&alert.Alert{Message: "c"})
		if err := next.Close(t.Context()); err != nil {
			t.Error(err)
		}
		var got strings.Builder
		for _, l := range lines(t, out) {
			got.WriteString(l[len(l)-1:])
		}
		want := map[bool]string{true: "abc <nil>", false: `c closing the "program" output: the program ended without reading the last 2 lines`}[keep]
		if got := fmt.Sprint(got.String(), " ", err); got != want {
			t.Errorf("keep_alive %v: %s, want %s", keep, got, want)
		}
	}
}

// TestReopen restarts the program, which has read everything before the next one starts.
func TestReopen(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	s := open(t, program.Config{Program: fmt.Sprintf("echo start >> %s; cat >> %[1]s; echo end >> %[1]s", out), KeepAlive: true})
	err := errors.Join(s.Reopen(t.Context()), send(t.Context(), s, "a"), s.Reopen(t.Context()), send(t.Context(), s, "b"), s.Close(t.Context()))
	if err != nil {
		t.Error(err)
	}
	if got := strings.Join(lines(t, out), " "); got != "start a end start b end" {
		t.Errorf("got %q", got)
	}
}

// TestReopenRestartsOneThatHangs gives alerts to a program that reads none of them, and asks for a restart.
func TestReopenRestartsOneThatHangs(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	s := open(t, program.Config{KeepAlive: true, Program: fmt.Sprintf(
		"if [ ! -e %s.second ]; then touch %[1]s.second; sleep 1000; fi; cat >> %[1]s", out)})
	long := strings.Repeat("x", 100_000)
	stuck := make(chan struct{})
	r := route.New(route.Config{
		Outputs: []route.Output{{Name: "program", Sink: s, Style: alert.Style{Zone: time.UTC}}}, Timeout: 50 * time.Millisecond,
		Log: func(p alert.Priority, line string) {
			if p == alert.Critical && strings.Contains(line, "timeout") {
				select {
				case stuck <- struct{}{}:
				default:
				}
			}
		},
	})
	for _, m := range []string{"a", "b", long, "c"} {
		r.Publish(sinktest.Alert(m))
	}
	<-stuck
	await(t, func() bool { _, err := os.Stat(out + ".second"); return err == nil }) // or the next process would be the first
	r.Reopen()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		t.Error(err)
	}
	want := sinktest.Line("a") + "|" + sinktest.Line("b") + "|" + sinktest.Line(long) + "|" + sinktest.Line("c")
	if got := strings.Join(lines(t, out), "|"); got != want {
		t.Errorf("%d bytes arrived, want %d", len(got), len(want))
	}
}

// TestBackOff starts a program that ends at once ever more seldom.
func TestBackOff(t *testing.T) { synctest.Test(t, backOff) }

func backOff(t *testing.T) {
	s := open(t, program.Config{Program: "exit 1", KeepAlive: true})
	var last time.Duration
	for range 3 {
		var err error
		for err == nil {
			err = send(t.Context(), s, "a")
		}
		var pause interface {
			RetryAfter() (time.Duration, bool)
		}
		if !errors.As(err, &pause) {
			t.Fatal(err)
		}
		d, _ := pause.RetryAfter()
		if d < last+last/2 {
			t.Errorf("a pause of %v after one of %v", d, last)
		}
		last = d
		if again := send(t.Context(), s, "a"); again == nil || strings.Contains(again.Error(), "exit status") {
			t.Errorf("during the pause: %v", again)
		}
		<-time.After(d)
	}
}
