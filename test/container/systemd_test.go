//go:build linux

package container

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// needSystemd skips the test where systemd does not run the machine.
func needSystemd(t *testing.T) {
	t.Helper()
	if cgroupDriver() != "systemd" {
		t.Skip("needs a machine that systemd runs")
	}
}

// TestNspawn runs containers of systemd-nspawn as a service, as machinectl does, and by hand, where systemd-machined gives them a
// scope.
func TestNspawn(t *testing.T) {
	needSystemd(t)
	need(t, "systemd-nspawn", "systemctl")
	dir := scratch(t)
	root := writeRoot(t, dir)
	s := start(t, dir, rules, plugin(nil), "-o", patient())

	run(t, nil, "systemd-nspawn", "--quiet", "--machine", "by-hand", "--directory", root, "--setenv", "CASE=scope", "/bin/cat", "/etc/secret")
	expect(t, one(t, s, "opened", "scope"), nameless("by-hand", "systemd-nspawn"))
	if a := one(t, s, "started", "scope"); a.text("container.id") != "by-hand" {
		t.Errorf("the first process is reported in container %q", a.text("container.id"))
	}

	const unit = "systemd-nspawn@web-1.service"
	settings := filepath.Join("/run/systemd/system", unit+".d")
	if err := os.MkdirAll(settings, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		os.RemoveAll(settings)
		exec.Command("systemctl", "daemon-reload").Run()
	})
	text := "[Service]\nExecStart=\nExecStart=systemd-nspawn --quiet --keep-unit --register=no --machine web-1 --directory " + root + " --setenv CASE=service " +
		`/bin/sh -c "cat /etc/secret; while [ ! -e /data/go ]; do sleep 0.1; done; CASE=later cat /etc/secret; exec sleep 1000"` + "\n"
	if err := os.WriteFile(filepath.Join(settings, "test.conf"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, nil, "systemctl", "daemon-reload")
	run(t, nil, "systemctl", "start", unit)
	t.Cleanup(func() { exec.Command("systemctl", "stop", unit).Run() })
	expect(t, one(t, s, "opened", "service"), nameless("web-1", "systemd-nspawn"))
	later := start(t, dir, rules, plugin(nil), "-o", patient())
	if err := os.WriteFile(filepath.Join(root, "data", "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	expect(t, one(t, later, "opened", "later"), nameless("web-1", "systemd-nspawn"))
}

// TestRootless runs containers of a user's podman below the user's own systemd, at first without the service that tells of them and
// then with it. Saker is there before either.
func TestRootless(t *testing.T) {
	needSystemd(t)
	need(t, "podman", "crun", "conmon", "newuidmap", "useradd", "setpriv", "fuse-overlayfs")
	dir := scratch(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	const user, uid = "saker-test", "4711"
	if out, err := exec.Command("useradd", "--uid", uid, "--home-dir", filepath.Join(dir, "home"), "--create-home", "--shell", "/bin/sh", user).CombinedOutput(); err != nil {
		t.Fatalf("useradd: %v: %s", err, out)
	}
	t.Cleanup(func() {
		exec.Command("systemctl", "stop", "user@"+uid+".service").Run()
		exec.Command("userdel", user).Run()
	})
	run(t, nil, "usermod", "--add-subuids", "700000-765535", "--add-subgids", "700000-765535", user)
	run(t, nil, "systemctl", "start", "user@"+uid+".service")
	runtimeDir := "/run/user/" + uid
	as := func(args ...string) []string {
		return append([]string{
			"--reuid", uid, "--regid", uid, "--init-groups", "env", "-C", "/", "HOME=" + filepath.Join(dir, "home"), "XDG_RUNTIME_DIR=" + runtimeDir,
			"DBUS_SESSION_BUS_ADDRESS=unix:path=" + runtimeDir + "/bus",
		}, args...)
	}
	podman := func(args ...string) string {
		t.Helper()
		return run(t, nil, "setpriv", as(append([]string{
			"systemd-run", "--user", "--quiet", "--pipe", "--wait", "--collect", "podman", "--runtime", "crun",
			"--storage-driver", "vfs", "--events-backend", "file", "--cgroup-manager", "systemd",
		}, args...)...)...)
	}
	tar := filepath.Join(dir, "image.tar")
	writeImage(t, tar, image)
	podman("load", "-i", tar)
	box := func(name string, command ...string) string {
		t.Helper()
		return podman(append([]string{"run", "--network", "host", "--name", name, "--env", "CASE=" + name, image}, command...)...)
	}
	id := func(name string) string {
		t.Helper()
		return podman("inspect", "--format", "{{.Id}}", name)
	}

	s := start(t, dir, rules, plugin(map[string][]string{"podman": {"/run/user/*/podman/podman.sock"}}), "-o", patient())
	box("alone", "/bin/cat", "/etc/secret")
	alone := id("alone")
	expect(t, one(t, s, "opened", "alone"), map[string]any{"container.id": alone[:12], "container.full_id": alone, "container.image": nil, "container.id_mismatch": false})

	socket := filepath.Join(runtimeDir, "podman", "podman.sock")
	run(t, nil, "setpriv", as("mkdir", "-p", filepath.Dir(socket))...)
	run(t, nil, "setpriv", as("systemd-run", "--user", "--quiet", "--unit", "podman-api", "podman", "--runtime", "crun", "--storage-driver", "vfs", "--events-backend", "file",
		"--cgroup-manager", "systemd", "system", "service", "--time", "0", "unix://"+socket)...)
	await(t, "podman's service to listen", func() bool {
		_, err := os.Stat(socket)
		return err == nil
	})
	// The first container makes saker look for the socket.
	var a alertLine
	name := ""
	for i := 0; i < 5 && a.Fields["container.image"] == nil; i++ {
		name = "box" + strconv.Itoa(i)
		box(name, "/bin/cat", "/etc/secret")
		a = one(t, s, "opened", name)
		if got := a.text("container.full_id"); got != id(name) {
			t.Errorf("%s is reported in container %q", name, got)
		}
	}
	expect(t, a, map[string]any{
		"container.name": name, "container.image": image, "container.type": "podman", "container.image.repository": "registry.test:5000/team/box",
		"container.image.tag": "1.2", "container.image.id": imageID(t, tar), "container.id_mismatch": false, "container.host_network": true,
		"container.privileged": false,
	})
}
