package app

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/saker-sec/saker/internal/capture"
	"github.com/saker-sec/saker/internal/event"
)

// TestMain lets scripts run saker as a process of its own.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"saker": func() {
			ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
			code := Run(ctx, Env{Args: os.Args[1:], Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv})
			stop()
			os.Exit(code)
		},
		"bigrules":    bigRules,
		"makecapture": makeCapture,
		"opener":      opener,
	})
}

// TestScripts runs the command line as a user does: testdata/*.txtar.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("TZ", "UTC")
			e.Setenv("FALCO_HOSTNAME", "lab")
			e.Setenv("HOOK", hook(e))
			return nil
		},
	})
}

// hook serves a destination that appends what it gets to the file of the path's name, and refuses what is sent to /refuse.
func hook(e *testscript.Env) string {
	var mu sync.Mutex
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/refuse" {
			http.Error(w, "no room", http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		f, err := os.OpenFile(filepath.Join(e.WorkDir, filepath.Base(r.URL.Path)), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		if err == nil {
			_, err = io.Copy(f, r.Body)
			fmt.Fprintln(f)
			f.Close()
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	e.Defer(s.Close)
	return s.URL
}

// bigRules writes a rules file of about 10 MB to stdout: many rules that share a macro and a list.
func bigRules() {
	var b bytes.Buffer
	b.WriteString("- list: shells\n  items: [bash, sh]\n- macro: spawned\n  condition: evt.type in (execve, execveat) and evt.res = SUCCESS\n")
	for i := 0; b.Len() < 10<<20; i++ {
		n := strings.Repeat("x", 8) + string(rune('a'+i%26))
		for j := i; j > 0; j /= 10 {
			n += string(rune('0' + j%10))
		}
		b.WriteString("- rule: r" + n + "\n  desc: one of many\n  condition: spawned and proc.name in (shells) and proc.cmdline contains " + n +
			"\n  output: shell %proc.name " + n + "\n  priority: INFO\n")
	}
	_, _ = os.Stdout.Write(b.Bytes())
}

// opener opens the files that its other arguments name, over and over, as often as its first says: calls of Saker's own process
// raise no alerts.
func opener() {
	n, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	for i := range n {
		fd, err := unix.Open(os.Args[2+i%(len(os.Args)-2)], unix.O_RDONLY, 0)
		if err != nil {
			panic(err)
		}
		_ = unix.Close(fd)
	}
}

// open runs opener.
func open(t *testing.T, n int, files ...string) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Args = append([]string{"opener", strconv.Itoa(n)}, files...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("opener: %v\n%s", err, out)
	}
}

// makeCapture writes the capture file that its argument names: a process that opens three files.
func makeCapture() {
	f, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	w, err := capture.NewWriter(f, &event.Snapshot{
		Machine: event.Machine{NumCPUs: 1, Hostname: "lab"},
		Users:   []event.User{{UID: 1000, GID: 1000, Name: "ada", Home: "/home/ada", Shell: "/bin/sh"}},
		Processes: []event.Process{
			{TID: 1, PID: 1, VTID: 1, VPID: 1, Comm: "init", Exe: "/sbin/init", ExePath: "/usr/sbin/init", Cwd: "/", Root: "/", LoginUID: 4294967295},
			{TID: 7, PID: 7, PTID: 1, VTID: 7, VPID: 7, Comm: "cat", Exe: "cat", ExePath: "/usr/bin/cat", Args: []string{"/etc/shadow"}, Cwd: "/home/ada", Root: "/", UID: 1000, GID: 1000, LoginUID: 1000},
		},
	})
	if err != nil {
		panic(err)
	}
	var c event.Encoder
	var e event.Event
	for i, name := range []string{"/etc/hostname", "/etc/shadow", "a\x1bb"} {
		c.Begin(event.SyscallOpenatV2X, 1_700_000_000_000_000_000+uint64(i)*1_500_000_000, 7)
		c.Int64(int64(3 + i))
		c.Int64(-100)
		c.Text(name)
		c.Uint32(1)
		c.Uint32(0)
		c.Uint32(0x801)
		c.Uint64(uint64(100 + i))
		if err := e.Decode(c.Bytes()); err != nil {
			panic(err)
		}
		if err := w.Write(&e); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	if len(os.Args) > 2 { // and two events that the reader has to pass over
		z := gzip.NewWriter(f)
		for _, code := range []event.Code{60000, event.SyscallCloseX} {
			b := binary.LittleEndian.AppendUint32(nil, 0x216)
			b = binary.LittleEndian.AppendUint32(b, 40)
			b = append(b, make([]byte, 2+8+8)...) // CPU, time, thread
			b = binary.LittleEndian.AppendUint32(b, event.HeaderSize)
			b = binary.LittleEndian.AppendUint16(b, uint16(code))
			b = binary.LittleEndian.AppendUint32(b, 0) // parameters
			if _, err := z.Write(binary.LittleEndian.AppendUint32(b, 40)); err != nil {
				panic(err)
			}
		}
		if err := z.Close(); err != nil {
			panic(err)
		}
	}
	if err := f.Close(); err != nil {
		panic(err)
	}
}
