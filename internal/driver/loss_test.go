package driver

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/saker-sec/saker/internal/event"
)

// still ends the watching: nothing more comes, not even from a program that is in the middle of its work on another CPU, which is waited for
// (man 2 membarrier).
func still(t *testing.T, d *Driver) {
	t.Helper()
	if err := d.SetSyscalls(nil); err != nil {
		t.Fatal(err)
	}
	const global = 1 // MEMBARRIER_CMD_GLOBAL
	if _, _, err := unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0); err != 0 {
		t.Log("waiting for programs that run: ", err)
	}
}

// TestLoss floods a ring of one page that nobody reads: every event is either delivered or counted in its category.
func TestLoss(t *testing.T) {
	d := open(t, Config{Syscalls: scs(t, "openat", "close"), BufferSize: os.Getpagesize(), CPUsPerBuffer: 0})
	for range 1000 {
		fd, err := unix.Open("/etc/hostname", unix.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		unix.Close(fd)
	}
	still(t, d)
	var e event.Event
	delivered := uint64(0)
	for d.Next(&e) == nil {
		delivered++
	}
	s := d.Stats()
	if s.Dropped[DropOpen] == 0 || s.Dropped[DropClose] == 0 {
		t.Errorf("opens and closes lost: %d and %d, want both", s.Dropped[DropOpen], s.Dropped[DropClose])
	}
	if delivered == 0 || delivered+s.Lost() != s.Events {
		t.Errorf("%d delivered and %d lost of %d", delivered, s.Lost(), s.Events)
	}
	perCPU := uint64(0)
	for _, c := range s.PerCPU {
		perCPU += c.Events
	}
	if perCPU != s.Events || s.Events < 2000 {
		t.Errorf("%d events, %d by CPU, want the same and at least 2000", s.Events, perCPU)
	}
}

func TestSetSyscalls(t *testing.T) {
	d := open(t, Config{Syscalls: scs(t, "close")})
	unix.Open("/nowhere", unix.O_RDONLY, 0)
	unix.Close(-1)
	until(t, d, func(e *event.Event) bool {
		if e.Code != event.SyscallCloseX {
			t.Fatalf("%s came, which nobody wants", e.Type().PPME)
		}
		res, _ := e.Result()
		return res == -int64(unix.EBADF)
	})
	if err := d.SetSyscalls(scs(t, "openat", "getppid")); err != nil {
		t.Fatal(err)
	}
	unix.Open("/nowhere", unix.O_RDONLY, 0)
	unix.Getppid()
	seen := map[event.Code]bool{}
	until(t, d, func(e *event.Event) bool {
		if e.Code == event.GenericX {
			id, _ := e.Uint(0)
			nr, _ := e.Uint(1)
			if event.Syscalls()[id].Name != "getppid" || nr != unix.SYS_GETPPID {
				t.Errorf("generic event of call %d, number %d; want getppid", id, nr)
			}
		}
		seen[e.Code] = true
		return seen[event.SyscallOpenatV2X] && seen[event.GenericX]
	})
	if err := d.SetSyscalls([]event.SC{9999}); err == nil {
		t.Error("call 9999 was accepted")
	}
}

// TestSetSyscallsFails asks for something that cannot be attached: what was watched before still is, and nothing else.
func TestSetSyscallsFails(t *testing.T) {
	d := open(t, Config{Syscalls: scs(t, "close", "sched_process_exit")})
	broken, err := d.loaded[programsProgSysGeneric].Clone()
	if err != nil {
		t.Fatal(err)
	}
	broken.Close()
	d.loaded[programsProgSignalDeliver] = broken
	if err := d.SetSyscalls(scs(t, "openat", "execve", "signal_deliver")); err == nil || !strings.Contains(err.Error(), "attaching signal_deliver") {
		t.Fatalf("error %v", err)
	}
	var attached []string
	for _, a := range d.attached {
		attached = append(attached, a.name)
	}
	if got := strings.Join(attached, " "); got != "sched_process_exit dispatch" {
		t.Errorf("attached are %s", got)
	}
	unix.Open("/nowhere", unix.O_RDONLY, 0)
	unix.Close(-1)
	until(t, d, func(e *event.Event) bool {
		// One that somebody else made before the attachment failed may come.
		if name, _ := e.Text(2); e.Code == event.SyscallOpenatV2X && name == "/nowhere" {
			t.Fatal("an openat came, which was asked for in vain")
		}
		return e.Code == event.SyscallCloseX
	})
}

func TestDropFailed(t *testing.T) {
	d := open(t, Config{Syscalls: scs(t, "openat"), DropFailed: true})
	unix.Open("/nowhere", unix.O_RDONLY, 0)
	fd, err := unix.Open("/etc/hostname", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	until(t, d, func(e *event.Event) bool {
		name, _ := e.Text(2)
		if res, _ := e.Result(); res < 0 {
			t.Errorf("a call that returned %d came", res)
		}
		return name == "/etc/hostname"
	})
}

// TestSelf opens files in this process and in a child: only the child's come.
func TestSelf(t *testing.T) {
	d := open(t, Config{Syscalls: scs(t, "openat"), Self: uint32(os.Getpid())})
	fd, err := unix.Open("/etc/hostname", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(fd)
	child := exec.Command("/bin/cat", "/etc/hostname")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	until(t, d, func(e *event.Event) bool {
		name, _ := e.Text(2)
		if name == "/etc/hostname" && e.TID == int64(os.Getpid()) {
			t.Error("a call of this process came")
		}
		return name == "/etc/hostname" && e.TID == int64(child.Process.Pid)
	})
}

func TestTruncatedPath(t *testing.T) {
	d := open(t, Config{Syscalls: scs(t, "openat")})
	for _, c := range []struct {
		length, kept int
		truncated    bool
	}{{100, 100, false}, {4095, 4095, false}, {4096, 4095, true}, {10000, 4095, true}} {
		path := "/" + strings.Repeat("x", c.length-1)
		unix.Open(path, unix.O_RDONLY, 0)
		until(t, d, func(e *event.Event) bool {
			name, _ := e.Text(2)
			if !strings.HasPrefix(name, "/xxx") {
				return false
			}
			if len(name) != c.kept || d.Truncated() != c.truncated {
				t.Errorf("path of %d bytes: %d kept, truncated %v; want %d, %v", c.length, len(name), d.Truncated(), c.kept, c.truncated)
			}
			return true
		})
	}
	if n := d.Stats().TruncatedPath; n != 2 {
		t.Errorf("%d truncated paths counted, want 2", n)
	}
}

func TestClose(t *testing.T) {
	d := open(t, Config{Syscalls: scs(t, "close")})
	done := make(chan error)
	go func() {
		var e event.Event
		for {
			if err := d.Next(&e); err != nil && !errors.Is(err, event.ErrIdle) {
				done <- err
				return
			}
		}
	}()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != io.EOF {
		t.Errorf("after Close: %v, want EOF", err)
	}
	if err := d.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if err := d.SetSyscalls(nil); err == nil {
		t.Error("SetSyscalls works after Close")
	}
}

// TestCloseLosesNothing closes the driver before anybody has read what happened.
func TestCloseLosesNothing(t *testing.T) {
	d := open(t, Config{Syscalls: scs(t, "openat"), CPUsPerBuffer: 1})
	const calls = 1000
	for i := range calls {
		unix.Open(fmt.Sprintf("/nowhere/%d", i), unix.O_RDONLY, 0)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	var e event.Event
	var err error
	for next := 0; ; {
		if err = d.Next(&e); err != nil {
			if next != calls {
				t.Errorf("%d calls were delivered, want %d", next, calls)
			}
			break
		}
		if name, _ := e.Text(2); name == fmt.Sprintf("/nowhere/%d", next) {
			next++
		}
	}
	if err != io.EOF {
		t.Errorf("at the end: %v, want EOF", err)
	}
}

func TestConfig(t *testing.T) {
	for name, c := range map[string]Config{
		"buffer size no power of two": {BufferSize: 5000}, "buffer size below a page": {BufferSize: 512},
		"negative snaplen": {SnapLen: -1}, "snaplen above 65000": {SnapLen: 65001}, "negative CPUs per buffer": {CPUsPerBuffer: -1},
	} {
		if _, err := Open(c); err == nil || !strings.Contains(err.Error(), "must be") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
