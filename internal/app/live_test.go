package app

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/saker-sec/saker/internal/procfs"
	"github.com/saker-sec/saker/internal/state"
)

// TestLookupIsBounded looks users up while as many look-ups as there may be hang, as on a file system whose server is gone.
func TestLookupIsBounded(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"passwd", "group"} {
		if err := os.WriteFile(filepath.Join(root, "etc", name), []byte("web:x:33:34:::\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l := &live{fs: &finder{FS: procfs.New(root)}, answers: make(chan accounts, maxLookups)}
	l.lookup("", 1)
	if a := <-l.answers; len(a.users) != 1 || len(a.groups) != 1 {
		t.Errorf("found %+v", a)
	}
	l = &live{fs: l.fs, answers: make(chan accounts, maxLookups)}
	l.looking.Store(maxLookups)
	l.lookup("", 1)
	if n := l.looking.Load(); n != maxLookups {
		t.Errorf("%d look-ups are under way, at most %d should be", n, maxLookups)
	}
}

// TestFinder sees that the state can ask for single descriptors and directories: it finds out by itself whether it can.
func TestFinder(t *testing.T) {
	var lookup state.Proc = &finder{}
	if _, ok := lookup.(state.DescriptorProc); !ok {
		t.Error("the state has nobody to ask for single descriptors and directories")
	}
}
