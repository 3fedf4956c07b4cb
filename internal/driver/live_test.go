package driver

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/event"
)

// scs returns the system calls with the given names.
func scs(t testing.TB, names ...string) []event.SC {
	t.Helper()
	var out []event.SC
	for _, n := range names {
		found := false
		for i := range event.Syscalls() {
			if event.Syscalls()[i].Name == n {
				out, found = append(out, event.SC(i)), true
			}
		}
		if !found {
			t.Fatalf("there is no system call %q", n)
		}
	}
	return out
}

// open opens a driver for the test, or skips it where that is not possible.
func open(t testing.TB, cfg Config) *Driver {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to load BPF programs")
	}
	d, err := Open(cfg)
	if errors.Is(err, ErrPermission) || errors.Is(err, ErrBTF) || errors.Is(err, ErrOldKernel) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("%+v", err)
	}
	t.Cleanup(func() { d.Close() })
	for _, p := range d.Problems() {
		if errors.Is(p, ErrLocked) {
			t.Log(p)
			continue
		}
		t.Errorf("problem: %v", p)
	}
	return d
}

// until delivers events to f until it returns true; the test fails after a minute.
func until(t testing.TB, d *Driver, f func(e *event.Event) bool) {
	t.Helper()
	var e event.Event
	for start := time.Now(); time.Since(start) < time.Minute; {
		err := d.Next(&e)
		if errors.Is(err, event.ErrIdle) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if f(&e) {
			return
		}
	}
	t.Fatalf("the event did not come within a minute; %+v", d.Stats())
}

// TestAll loads every program, also those for kernels that preempt: open reports what does not load.
func TestAll(t *testing.T) {
	for _, copies := range []int{0, maxCopies} {
		begin := time.Now()
		d := open(t, Config{copies: copies})
		t.Logf("%d programs in %v", len(d.loaded), time.Since(begin))
		if testing.Short() {
			break
		}
	}
}

func TestOpenat(t *testing.T) {
	d := open(t, Config{Syscalls: scs(t, "openat", "close")})
	f, err := os.Open("/etc/hostname")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	until(t, d, func(e *event.Event) bool {
		name, _ := e.Text(2)
		if e.Code != event.SyscallOpenatV2X || name != "/etc/hostname" {
			return false
		}
		for i := range e.Type().Params {
			t.Logf("%s %x", e.Type().Params[i].Name, e.Param(i))
		}
		t.Log(time.Unix(0, int64(e.Time)), e.CPU, e.TID)
		return true
	})
	until(t, d, func(e *event.Event) bool { return e.Code == event.SyscallCloseX })
	t.Logf("%+v", d.Stats())
}
