//go:build linux

package container

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// writeRoot unpacks the files of the tests' image into a directory and returns it.
func writeRoot(t *testing.T, dir string) string {
	t.Helper()
	root := filepath.Join(dir, "rootfs")
	for _, d := range []string{"bin", "sbin", "etc", "proc", "sys", "dev", "tmp", "run", "data", "usr"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skipf("needs the program busybox: %v", err)
	}
	run(t, nil, "cp", busybox, filepath.Join(root, "bin", "busybox"))
	for _, link := range []string{"sh", "cat", "sleep", "mkdir", "echo"} {
		if err := os.Symlink("busybox", filepath.Join(root, "bin", link)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"secret": "secret\n", "passwd": "root:x:0:0:root:/:/bin/sh\n", "os-release": "ID=box\n"} {
		if err := os.WriteFile(filepath.Join(root, "etc", name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// nameless is what is known of a container whose kind has no runtime to ask: it has no image.
func nameless(name, kind string) map[string]any {
	return map[string]any{
		"container.id": name, "container.full_id": name, "container.name": name, "container.type": kind, "container.image": "",
		"container.id_mismatch": false,
	}
}

func TestLXC(t *testing.T) {
	need(t, "lxc-execute", "lxc-start", "lxc-attach", "lxc-stop")
	dir := scratch(t)
	root := writeRoot(t, dir)
	t.Cleanup(func() {
		// LXC leaves the group in which it ends a container. One that is in use stays.
		for _, pattern := range []string{"/sys/fs/cgroup/lxc.pivot", "/sys/fs/cgroup/*/lxc.pivot"} {
			left, _ := filepath.Glob(pattern)
			for _, group := range left {
				os.Remove(group)
			}
		}
	})
	s := start(t, dir, rules, plugin(nil), "-o", patient())
	lxc := func(program, name string, args ...string) string {
		t.Helper()
		return run(t, nil, program, append([]string{"-P", dir, "-n", name}, args...)...)
	}
	for _, name := range []string{"short-1", "long-1"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		config := fmt.Sprintf("lxc.uts.name = box\nlxc.rootfs.path = dir:%s\nlxc.mount.auto = proc sys\nlxc.net.0.type = none\n"+
			"lxc.environment = CASE=%s\nlxc.apparmor.profile = unconfined\n", root, name)
		if err := os.WriteFile(filepath.Join(dir, name, "config"), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	lxc("lxc-execute", "short-1", "--", "/bin/cat", "/etc/secret")
	expect(t, one(t, s, "opened", "short-1"), nameless("short-1", "lxc"))

	lxc("lxc-start", "long-1", "--", "/bin/sleep", "1000")
	t.Cleanup(func() { exec.Command("lxc-stop", "-P", dir, "-n", "long-1", "-k").Run() })
	if a := one(t, s, "started", "long-1"); a.text("container.id") != "long-1" {
		t.Errorf("the first process is reported in container %q", a.text("container.id"))
	}
	lxc("lxc-attach", "long-1", "--set-var", "CASE=long-1", "--", "/bin/cat", "/etc/secret")
	expect(t, one(t, s, "opened", "long-1"), nameless("long-1", "lxc"))

	// A saker that comes later finds the container in /proc.
	later := start(t, dir, rules, plugin(nil), "-o", patient())
	lxc("lxc-attach", "long-1", "--set-var", "CASE=later", "--", "/bin/cat", "/etc/secret")
	expect(t, one(t, later, "opened", "later"), nameless("long-1", "lxc"))
}
