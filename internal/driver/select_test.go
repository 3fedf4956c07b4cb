package driver

import (
	"slices"
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

// TestInterest asks for openat on each kind of machine. Only amd64 has callers with the numbers of i386.
func TestInterest(t *testing.T) {
	var openat *event.Syscall
	for i := range event.Syscalls() {
		if s := &event.Syscalls()[i]; s.Name == "openat" {
			openat = s
		}
	}
	for arch, want := range map[event.Arch]map[int16]byte{
		event.ArchX8664: {257: 1, 295: 2},
		event.ArchArm64: {56: 1},
	} {
		var w interest
		w.add(openat, arch)
		for nr, got := range w.calls {
			if got != want[int16(nr)] {
				t.Errorf("table %d: call %d is wanted by %b, want %b", arch, nr, got, want[int16(nr)])
			}
		}
	}
	var w interest
	for _, sc := range AllSyscalls() {
		w.add(&event.Syscalls()[sc], event.ArchArm64)
	}
	if w.socketcall != [32]uint16{} {
		t.Error("arm64 has a socketcall")
	}
}

func TestOrderOfAttaching(t *testing.T) {
	want := []string{"sched_process_exec", "sched_process_exit", "signal_deliver", "dispatch"}
	for range 10 {
		got := inOrder(map[string]bool{"dispatch": true, "signal_deliver": true, "sched_process_exit": true, "sched_process_exec": true})
		if !slices.Equal(got, want) {
			t.Fatalf("attached in the order %q, want %q", got, want)
		}
	}
}
