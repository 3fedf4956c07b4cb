//go:build linux

// Package kernels runs the program on other Linux kernels than the one the tests run on, each in a virtual machine: it must
// attach, see a deed, and end without a loss, or say in one line why it cannot run there. The driver's tests under load run there too.
//
// The tests run where SAKER_KERNELS is set: to "all", or to names of kernels with commas between. They need a program that runs a command inside a machine with a given kernel, vm-run KERNEL COMMAND, and the kernels below
// $VMLAB/kernels (/var/tmp/saker-kernels/kernels). SAKER_VM_RUN names the program, otherwise ../shared/tools/kernels/vm-run is
// looked for, whose get-kernels fetches the kernels. Without them the tests are skipped. Machines are emulated where there is no
// hardware for it, so a kernel takes half a minute on an idle machine and minutes on a busy one: that is why they are asked for. The
// tests of containers take a quarter of an hour and more: give go test a -timeout of 2h, or leave them out with -skip TestContainers.
package kernels

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/saker-sec/saker/internal/app" // the program that is built: what changes in it is to be tested again
)

// machineTime bounds boot, command and shutdown of one machine.
const machineTime = 7 * time.Minute

// machine starts commands under other kernels.
type machine struct {
	run, kernels, dir, saker string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	if os.Getenv("SAKER_KERNELS") == "" {
		t.Skip("other kernels take minutes: set SAKER_KERNELS=all, or to names of kernels, to run them")
	}
	m := &machine{run: os.Getenv("SAKER_VM_RUN"), kernels: os.Getenv("VMLAB"), dir: t.TempDir()}
	if m.run == "" {
		m.run = filepath.Join("..", "..", "..", "shared", "tools", "kernels", "vm-run")
	}
	if m.kernels == "" {
		m.kernels = "/var/tmp/saker-kernels"
	}
	m.kernels = filepath.Join(m.kernels, "kernels")
	if _, err := exec.LookPath(m.run); err != nil {
		t.Skipf("there is nothing to run other kernels with: %v; SAKER_VM_RUN may name it", err)
	}
	if _, err := os.Stat(m.kernels); err != nil {
		t.Skipf("there are no other kernels: %v; get-kernels beside vm-run fetches them", err)
	}
	m.saker = filepath.Join(m.dir, "saker")
	build := exec.Command("go", "build", "-o", m.saker, "../../cmd/saker")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building saker: %v\n%s", err, out)
	}
	return m
}

// deed starts saker, waits until it watches, reads a file that the default rules speak of, and stops it. It prints what saker
// printed and its exit code.
const deed = `
"$1" >/tmp/out 2>/tmp/err &
pid=$!
for i in $(seq 600); do
  grep -q 'watching this machine' /tmp/err && break
  kill -0 $pid 2>/dev/null || break
  sleep .1
done
cat /etc/shadow >/dev/null
for i in $(seq 100); do
  grep -q 'Password file read' /tmp/out && break
  kill -0 $pid 2>/dev/null || break
  sleep .1
done
kill -INT $pid 2>/dev/null
wait $pid
echo "exit code $?"
cat /tmp/out /tmp/err
`

// need skips the test of a kernel that is not asked for or not there.
func (m *machine) need(t *testing.T, kernel string) {
	t.Helper()
	if names := os.Getenv("SAKER_KERNELS"); names != "all" && !slices.Contains(strings.Split(names, ","), kernel) {
		t.Skipf("SAKER_KERNELS is %s", names)
	}
	if _, err := os.Stat(filepath.Join(m.kernels, kernel)); err != nil {
		t.Skipf("there is no kernel %s below %s", kernel, m.kernels)
	}
}

// do runs the deed under a kernel, started with the arguments args of its command line.
func (m *machine) do(t *testing.T, kernel, args string) string {
	t.Helper()
	script := filepath.Join(m.dir, "deed.sh")
	if err := os.WriteFile(script, []byte(deed), 0o755); err != nil {
		t.Fatal(err)
	}
	return m.command(t, kernel, args, "bash", script, m.saker)
}

// command runs a command under a kernel and returns what it printed. It fails when the command does.
func (m *machine) command(t *testing.T, kernel, args string, command ...string) string {
	t.Helper()
	m.need(t, kernel)
	ctx, cancel := context.WithTimeout(t.Context(), machineTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, m.run, append([]string{"-t", "400", "-k", args, kernel}, command...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("under %s: %v\n%s", kernel, err, out)
	}
	return string(out)
}

func TestKernels(t *testing.T) {
	m := newMachine(t)
	kernels, err := os.ReadDir(m.kernels)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kernels {
		t.Run(k.Name(), func(t *testing.T) {
			out := m.do(t, k.Name(), "")
			for _, want := range []string{"exit code 0\n", "Password file read | file=/etc/shadow", " cmdline=cat /etc/shadow ", " user=root "} {
				if !strings.Contains(out, want) {
					t.Errorf("%q is missing in\n%s", want, out)
				}
			}
			if strings.Contains(out, "Lost:") {
				t.Errorf("events were lost:\n%s", out)
			}
		})
	}
}

// TestCrowd runs the driver's tests of many tasks that take the CPU from each other, with each way of preempting that the kernel has: whatever
// is preempted, every event arrives once and unmixed. Kernels from 7.0 on preempt the programs themselves.
func TestCrowd(t *testing.T) {
	m := newMachine(t)
	test := filepath.Join(m.dir, "driver.test")
	if out, err := exec.Command("go", "test", "-c", "-o", test, "../../internal/driver").CombinedOutput(); err != nil {
		t.Fatalf("building the driver's tests: %v\n%s", err, out)
	}
	kernels, err := os.ReadDir(m.kernels)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kernels {
		for _, model := range []string{"", "preempt=full"} {
			t.Run(strings.TrimSpace(k.Name()+" "+model), func(t *testing.T) {
				out := m.command(t, k.Name(), model, test, "-test.run", "^(TestAll|TestCrowd)", "-test.skip", "/with_copies", "-test.short", "-test.v")
				t.Log(out)
				if strings.Count(out, "\n--- PASS: Test") != 3 || strings.Contains(out, "--- SKIP") {
					t.Error("not all three passed")
				}
			})
		}
	}
}

// TestLockdown boots kernels that let BPF programs read kernel memory by typed loads only.
func TestLockdown(t *testing.T) {
	m := newMachine(t)
	for kernel, want := range map[string][]string{
		"6.12": {"exit code 0\n", "Password file read | file=/etc/shadow", "Warning: the kernel is locked down (confidentiality)"},
		"6.1":  {"exit code 1\n", "Error: opening the driver: the kernel is locked down (confidentiality) and older than 6.2"},
	} {
		t.Run(kernel, func(t *testing.T) {
			out := m.do(t, kernel, "lockdown=confidentiality")
			for _, w := range want {
				if !strings.Contains(out, w) {
					t.Errorf("%q is missing in\n%s", w, out)
				}
			}
		})
	}
}
