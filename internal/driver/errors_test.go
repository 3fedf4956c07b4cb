package driver

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestNoPermission opens a driver on a thread without capabilities.
func TestNoPermission(t *testing.T) {
	if os.Geteuid() != 0 {
		_, err := Open(Config{})
		if !errors.Is(err, ErrPermission) {
			t.Errorf("without root: %v, want %v", err, ErrPermission)
		}
		return
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		t.Skip("the kernel has no BTF")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	head := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var old [2]unix.CapUserData
	if err := unix.Capget(&head, &old[0]); err != nil {
		t.Fatal(err)
	}
	none := [2]unix.CapUserData{{Permitted: old[0].Permitted}, {Permitted: old[1].Permitted}}
	if err := unix.Capset(&head, &none[0]); err != nil {
		t.Fatal(err)
	}
	defer unix.Capset(&head, &old[0])
	d, err := Open(Config{})
	if err == nil {
		d.Close()
		t.Skip("the kernel lets anybody use BPF")
	}
	if !errors.Is(err, ErrPermission) || strings.Contains(err.Error(), "\n") {
		t.Errorf("without capabilities: %q, want one line that says %q", err, ErrPermission)
	}
}
