//go:build linux

package container

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// unified reports whether the machine has control groups of version 2 only.
func unified() bool {
	text, err := os.ReadFile("/sys/fs/cgroup/cgroup.controllers")
	return err == nil && strings.Contains(string(text), "memory")
}

// needUnified skips the test elsewhere.
func needUnified(t *testing.T) {
	t.Helper()
	if !unified() {
		t.Skip("needs a machine with control groups of version 2 only")
	}
}

// TestNoController finds a container in a group that no controller is switched on for, as those of users' own runtimes may be, and
// finds it from a cgroup namespace, as a saker that runs in a container of its own does.
func TestNoController(t *testing.T) {
	need(t, "unshare", "chroot")
	needUnified(t)
	dir := scratch(t)
	root := writeRoot(t, dir)
	top := "/sys/fs/cgroup/saker-test"
	id, later, own := strings.Repeat("1b", 32), strings.Repeat("2c", 32), strings.Repeat("3d", 32)
	for _, g := range []string{top, top + "/libpod-" + id + ".scope", top + "/libpod-" + later + ".scope", top + "/libpod-" + own + ".scope", top + "/libpod-" + own + ".scope/in"} {
		if err := os.Mkdir(g, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Remove(g) })
	}
	in := func(group string, args ...string) *exec.Cmd {
		return exec.Command("sh", append([]string{"-c", `echo 0 >"$0/cgroup.procs" && exec "$@"`, top + "/" + group}, args...)...)
	}

	// What runs before saker is read from /proc.
	before := in("libpod-"+id+".scope", "chroot", root, "/bin/sh", "-c", "while [ ! -e /data/go ]; do sleep 0.1; done; while read x; do echo $x; done </etc/secret")
	before.Env = []string{"CASE=before", "PATH=/bin:/usr/bin:/sbin:/usr/sbin"}
	if err := before.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		before.Process.Kill()
		before.Wait()
	})
	launcher := in("libpod-"+own+".scope/in", "unshare", "--cgroup").Args
	s := startBy(t, launcher, dir, rules, plugin(nil), "-o", patient())
	if err := os.WriteFile(filepath.Join(root, "data", "go"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	expect(t, one(t, s, "opened", "before"), map[string]any{"container.id": id[:12], "container.full_id": id, "container.id_mismatch": false})

	cmd := in("libpod-"+later+".scope", "chroot", root, "/bin/cat", "/etc/secret")
	cmd.Env = append(os.Environ(), "CASE=later")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	expect(t, one(t, s, "opened", "later"), map[string]any{"container.id": later[:12], "container.full_id": later, "container.id_mismatch": false})
}

// TestNested runs a container of podman in one of docker. The inner one counts; that nobody outside knows it is no offence.
func TestNested(t *testing.T) {
	needUnified(t)
	need(t, "podman", "runc", "conmon")
	dir := scratch(t)
	d := newDockerd(t, dir)
	s := start(t, dir, rules, plugin(map[string][]string{"docker": {d.socket}}), "-o", patient())
	// The machine's file system is what runs podman in there; the groups are those of the outer container's namespace, of which it
	// first leaves the root, as a container with systemd does.
	script := `set -e
b=/bin/busybox
$b mount -t proc p /host/proc
$b mount -o bind /sys/fs/cgroup /host/sys/fs/cgroup
$b mkdir /host/sys/fs/cgroup/init
echo 0 >/host/sys/fs/cgroup/init/cgroup.procs
p="podman --root ` + dir + `/inner --runroot ` + dir + `/innerrun --tmpdir ` + dir + `/innertmp --runtime runc --cgroup-manager cgroupfs --storage-driver vfs --events-backend file"
$b chroot /host $p load -i ` + dir + `/image.tar
$b chroot /host $p run --network host --env CASE=inner --name inner ` + image + ` /bin/cat /etc/secret
echo "id $($b chroot /host $p inspect --format '{{.Id}}' inner)"
cat /etc/secret
`
	out := d.box("outer", []string{"--privileged", "-v", "/:/host", "-v", dir + ":/host" + dir}, "/bin/sh", "-c", script)
	_, rest, ok := strings.Cut(out, "id ")
	if !ok {
		t.Fatalf("the inner podman did not tell its container's id: %s", out)
	}
	inner, _, _ := strings.Cut(rest, "\n")
	outer := d.docker("inspect", "--format", "{{.Id}}", "outer")
	expect(t, one(t, s, "opened", "inner"), map[string]any{"container.id": inner[:12], "container.full_id": inner, "container.image": nil, "container.id_mismatch": false})
	// The outer one opens the file itself, and when podman unpacks the image.
	await(t, "the alerts of the outer container", func() bool { return len(s.find("opened", "outer")) == 2 })
	for _, a := range s.find("opened", "outer") {
		expect(t, a, map[string]any{"container.id": outer[:12], "container.image": image, "container.id_mismatch": false})
	}
}
