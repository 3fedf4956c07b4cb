package driver

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/saker-sec/saker/internal/event"
)

// TestDeepPath runs a program in a directory so deep that its path alone would be a third of the largest event: it is cut, so that with all that
// else may be long the event can be sent.
func TestDeepPath(t *testing.T) {
	program, err := os.ReadFile("/bin/true")
	if err != nil {
		t.Skip(err)
	}
	d := open(t, Config{Syscalls: scs(t, "execve")})
	if d.locked != nil { // the path is empty there
		t.Skip(ErrLocked)
	}
	top := t.TempDir()
	dir, err := unix.Open(top, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("d", 250)
	const levels = 85
	for range levels {
		if err := unix.Mkdirat(dir, name, 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := unix.Openat(dir, name, unix.O_PATH|unix.O_DIRECTORY, 0)
		unix.Close(dir)
		if dir = next; err != nil {
			t.Fatal(err)
		}
	}
	defer unix.Close(dir)
	file := filepath.Join("/proc/self/fd", strconv.Itoa(dir), "deepest")
	if err := os.WriteFile(file, program, 0o755); err != nil {
		t.Fatal(err)
	}
	child := exec.Cmd{Path: "./deepest", Args: []string{"./deepest", "in the deep"}, Dir: filepath.Dir(file)}
	if err := child.Run(); err != nil {
		t.Skip("cannot run a program there: ", err)
	}
	until(t, d, func(e *event.Event) bool {
		if params(e)["args"] != "in the deep" {
			return false
		}
		path := params(e)["trusted_exepath"]
		if len(path) > 16384 || len(path) < 16000 || !strings.HasPrefix(path, top+"/"+name+"/") || !d.Truncated() {
			t.Errorf("a path of %d bytes has %d, cut %v", len(top)+levels*251+8, len(path), d.Truncated())
		}
		return true
	})
}
