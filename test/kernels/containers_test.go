//go:build linux

package kernels

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// containerTime bounds a machine that runs the tests of containers: half an hour when it has to share its processor.
const containerTime = 50 * time.Minute

// containerTests are the tests of ../container that show something on a machine that systemd runs with control groups of version 2.
// TestPodman is not among them: emulated, root's podman was not seen to answer within the two seconds that a call may take.
var containerTests = []string{"TestNoController", "TestLXC", "TestNspawn", "TestRootless", "TestCRI", "TestDocker", "TestNested"}

// firstProcess is read by the shell that is the first process of the machine (bash(1), BASH_ENV). It leaves vm-run's own work to a
// child and becomes systemd, without what an emulated machine has no use for. AppArmor is off because docker would want its tools.
const firstProcess = `
[ $$ = 1 ] || return 0
unset BASH_ENV
for unit in systemd-udevd.service systemd-udev-trigger.service systemd-udevd-control.socket systemd-udevd-kernel.socket \
  systemd-hwdb-update.service systemd-random-seed.service systemd-sysctl.service systemd-modules-load.service keyboard-setup.service \
  console-setup.service apparmor.service systemd-journal-flush.service systemd-update-utmp.service systemd-sysusers.service \
  systemd-remount-fs.service systemd-timesyncd.service systemd-tmpfiles-setup-dev.service systemd-binfmt.service \
  proc-sys-fs-binfmt_misc.automount; do
  ln -sf /dev/null /etc/systemd/system/$unit
done
echo >/etc/fstab
mount -t cgroup2 c /sys/fs/cgroup
/run/vmrun/init2 &
exec /lib/systemd/systemd --unit=basic.target
`

// runContainerTests waits for systemd and runs the tests. Its arguments are their program and which to run.
const runContainerTests = `
for i in $(seq 3000); do [ -S /run/systemd/private ] && break; sleep .1; done
systemctl is-system-running --wait
systemctl start dbus.socket
"$1" -test.v -test.timeout 0 -test.run "$2"
`

// TestContainers runs containers of docker, a user's podman, containerd's CRI plugin, LXC and systemd-nspawn on a machine
// as most are today: systemd is the first process and makes the control groups, which are of version 2 only.
func TestContainers(t *testing.T) {
	m := newMachine(t)
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
		t.Skipf("needs systemd: %v", err)
	}
	tests := filepath.Join(m.dir, "container.test")
	if out, err := exec.Command("go", "test", "-c", "-o", tests, "../container").CombinedOutput(); err != nil {
		t.Fatalf("building the tests of containers: %v\n%s", err, out)
	}
	first, script := filepath.Join(m.dir, "first.sh"), filepath.Join(m.dir, "tests.sh")
	for path, text := range map[string]string{first: firstProcess, script: runContainerTests} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, kernel := range []string{"6.1"} {
		t.Run(kernel, func(t *testing.T) {
			m.need(t, kernel)
			ctx, cancel := context.WithTimeout(t.Context(), containerTime)
			defer cancel()
			cmd := exec.CommandContext(ctx, m.run, "-m", "4000", "-t", "2900", "-k", "apparmor=0 BASH_ENV="+first, "-e", "SAKER_PROGRAM="+m.saker, kernel,
				"bash", script, tests, "^("+strings.Join(containerTests, "|")+")$")
			cmd.Dir = "../container"
			cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
			cmd.WaitDelay = 10 * time.Second
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("under %s: %v\n%s", kernel, err, out)
			}
			for _, name := range containerTests {
				switch {
				case strings.Contains(string(out), "--- SKIP: "+name+" "):
					t.Errorf("%s was skipped:\n%s", name, out)
				case !strings.Contains(string(out), "--- PASS: "+name+" "):
					t.Errorf("%s did not pass", name)
				}
			}
		})
	}
}
