package app

import (
	"testing"

	"github.com/saker-sec/saker/internal/procfs"
	"github.com/saker-sec/saker/internal/state"
)

// TestLookupsAreBounded begins no look-up of users while many hang.
func TestLookupsAreBounded(t *testing.T) {
	l := &live{fs: &finder{FS: procfs.New(t.TempDir())}, answers: make(chan accounts, maxLookups)}
	l.lookup("c", 1)
	eventually(t, "a look-up ends", func() bool { return l.looking.Load() == 0 })
	l.fs = nil // what began now would fail
	l.looking.Store(maxLookups)
	l.lookup("c", 1)
	l.lookup("", 1)
	if n := l.looking.Load(); n != maxLookups {
		t.Errorf("%d look-ups are under way, want %d", n, maxLookups)
	}
}

// TestFinder sees that the state can ask for single descriptors and directories: it finds out by itself whether it can.
func TestFinder(t *testing.T) {
	var lookup state.Proc = &finder{}
	if _, ok := lookup.(state.DescriptorProc); !ok {
		t.Error("the state has nobody to ask for single descriptors and directories")
	}
}
