package procfs

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestSelf looks at this process, and at one in a pid namespace of its own, which knows the number that the kernel has for it from
// the host's /proc only.
func TestSelf(t *testing.T) {
	if os.Getenv("SAKER_TEST_SELF") != "" {
		pid, ok := New("").Self()
		fmt.Println("self", pid, ok, os.Getpid())
		return
	}
	if pid, ok := (fake{"proc/self": "-> 12", "proc/12/ns/pid": "", "proc/2/comm": "sh\n"}).build(t).Self(); ok {
		t.Errorf("without the initial pid namespace: %d", pid)
	}
	pid, ok := New("").Self()
	if !ok {
		t.Skip("this process does not run where the host's pid namespace can be seen")
	}
	if pid != int64(os.Getpid()) {
		t.Errorf("Self() = %d, want %d", pid, os.Getpid())
	}
	if os.Getuid() != 0 {
		t.Skip("a pid namespace needs root")
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestSelf$")
	cmd.Env = append(os.Environ(), "SAKER_TEST_SELF=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if want := "self " + strconv.Itoa(cmd.Process.Pid) + " true 1\n"; !strings.Contains(out.String(), want) {
		t.Errorf("in a pid namespace of its own: %q, want %q", out.String(), want)
	}
}
