//go:build linux

package container

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// image is the image of the tests.
const image = "registry.test:5000/team/box:1.2"

// containerd is a containerd of the test's own.
type containerd struct {
	t      *testing.T
	dir    string
	socket string
	cmd    *exec.Cmd
	log    *os.File
}

// newContainerd starts containerd and gives it the image.
func newContainerd(t *testing.T, dir string) *containerd {
	t.Helper()
	need(t, "containerd", "ctr", "runc", "containerd-shim-runc-v2")
	if runtime.GOARCH != "amd64" {
		t.Skip("the image of the test is for amd64")
	}
	c := &containerd{t: t, dir: dir, socket: filepath.Join(dir, "c.sock")}
	config := fmt.Sprintf(`version = 2
root = %q
state = %q
[grpc]
  address = %q
[ttrpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = %q
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = %v
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = %q
`, filepath.Join(dir, "root"), filepath.Join(dir, "state"), c.socket, filepath.Join(dir, "t.sock"), image,
		cgroupDriver() == "systemd", filepath.Join(dir, "cni"))
	if err := os.WriteFile(filepath.Join(dir, "containerd.toml"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "containerd.log"))
	if err != nil {
		t.Fatal(err)
	}
	c.log = log
	t.Cleanup(func() {
		c.clear()
		c.stop()
		unmount(t, dir)
		log.Close()
		if t.Failed() {
			if text, err := os.ReadFile(log.Name()); err == nil {
				t.Logf("the end of containerd's log:\n%s", text[max(0, len(text)-4000):])
			}
		}
	})
	c.start()
	tar := filepath.Join(dir, "image.tar")
	writeImage(t, tar, image)
	c.ctr("default", "images", "import", "--snapshotter", "native", tar)
	c.ctr("k8s.io", "images", "import", "--snapshotter", "native", tar)
	return c
}

// start starts the daemon and waits until it answers.
func (c *containerd) start() {
	c.t.Helper()
	c.cmd = exec.Command("containerd", "-c", filepath.Join(c.dir, "containerd.toml"))
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	await(c.t, "containerd to answer", func() bool {
		return exec.Command("ctr", "-a", c.socket, "version").Run() == nil
	})
}

// stop ends the daemon; containers go on.
func (c *containerd) stop() {
	if c.cmd == nil {
		return
	}
	c.cmd.Process.Signal(syscall.SIGTERM)
	c.cmd.Wait()
	c.cmd = nil
}

// clear ends what still runs.
func (c *containerd) clear() {
	if c.cmd == nil {
		return
	}
	for _, ns := range []string{"default", "k8s.io"} {
		client := func(args ...string) string {
			out, err := exec.Command("ctr", append([]string{"-a", c.socket, "-n", ns}, args...)...).Output()
			if err != nil {
				c.t.Logf("ctr %s: %v", strings.Join(args, " "), err)
			}
			return string(out)
		}
		for _, task := range strings.Fields(client("tasks", "ls", "-q")) {
			client("tasks", "rm", "-f", task)
		}
	}
}

// unmount unmounts all that is mounted below a directory.
func unmount(t *testing.T, dir string) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(mounts), "\n")
	for _, line := range slices.Backward(lines) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], dir+"/") {
			if err := syscall.Unmount(f[1], syscall.MNT_DETACH); err != nil {
				t.Logf("unmounting %s: %v", f[1], err)
			}
		}
	}
}

// ctr runs containerd's client.
func (c *containerd) ctr(namespace string, args ...string) string {
	c.t.Helper()
	return run(c.t, nil, "ctr", append([]string{"-a", c.socket, "-n", namespace}, args...)...)
}

// box runs a container to its end.
func (c *containerd) box(name string, options []string, command ...string) {
	c.t.Helper()
	args := append([]string{"run", "--rm", "--snapshotter", "native", "--env", "CASE=" + name}, options...)
	c.ctr("default", append(append(args, image, name), command...)...)
}

// plugin is the init_config that names the test's runtimes only.
func plugin(engines map[string][]string) map[string]any {
	all := map[string]any{}
	for _, e := range []string{"docker", "podman", "cri", "containerd"} {
		all[e] = map[string]any{"enabled": len(engines[e]) > 0, "sockets": append([]string{}, engines[e]...)}
	}
	return map[string]any{"engines": all}
}

// rules report what happens in the containers of the tests; the second is decided by what only a runtime knows.
const rules = `
- rule: opened
  desc: A file of the test was opened.
  condition: evt.type in (open, openat) and fd.name = /etc/secret and evt.rawres >= 0
  output: >-
    opened (case=%proc.env[CASE] id=%container.id full=%container.full_id name=%container.name image=%container.image
    repository=%container.image.repository tag=%container.image.tag digest=%container.image.digest imageid=%container.image.id type=%container.type
    privileged=%container.privileged labels=%container.labels label=%container.label[team] mounts=%container.mounts source=%container.mount.source[/data]
    mismatch=%container.id_mismatch pod=%k8s.pod.name ns=%k8s.ns.name uid=%k8s.pod.uid sandbox=%k8s.pod.sandbox_id podlabels=%k8s.pod.labels hostpid=%container.host_pid
    hostnet=%container.host_network)
  priority: NOTICE
- rule: opened in box
  desc: The same, of one image only.
  condition: evt.type in (open, openat) and fd.name = /etc/secret and evt.rawres >= 0 and container.image.repository endswith team/box
  output: opened in box (case=%proc.env[CASE] id=%container.id)
  priority: NOTICE
- rule: opened elsewhere
  desc: The same, of all other images.
  condition: evt.type in (open, openat) and fd.name = /etc/secret and evt.rawres >= 0 and not container.image.repository endswith team/box
  output: opened elsewhere (case=%proc.env[CASE] id=%container.id)
  priority: NOTICE
- rule: started
  desc: A container's first process.
  condition: evt.type = execve and evt.rawres = 0 and proc.vpid = 1 and container.id != host
  output: started (case=%proc.env[CASE] id=%container.id image=%container.image.repository proc=%proc.exepath)
  priority: NOTICE
`

// one returns the only alert of a rule in a case.
func one(t *testing.T, s *sensor, rule, name string) alertLine {
	t.Helper()
	var got []alertLine
	await(t, "an alert of "+rule+" in "+name, func() bool { got = s.find(rule, name); return len(got) > 0 })
	if len(got) != 1 {
		t.Errorf("%d alerts of %s in %s", len(got), rule, name)
	}
	return got[0]
}

// expect compares fields of an alert.
func expect(t *testing.T, a alertLine, want map[string]any) {
	t.Helper()
	for field, v := range want {
		if got := a.Fields[field]; got != v {
			t.Errorf("%s: %s is %v, want %v", a.text("proc.env[CASE]"), field, got, v)
		}
	}
	if t.Failed() {
		t.Logf("alert: %v", a.Fields)
	}
}

func TestContainerd(t *testing.T) {
	dir := scratch(t)
	c := newContainerd(t, dir)
	digest := ""
	for _, line := range strings.Split(c.ctr("default", "images", "ls"), "\n") {
		if f := strings.Fields(line); len(f) > 2 && f[0] == image {
			digest = f[2]
		}
	}
	s := start(t, dir, rules, plugin(map[string][]string{"containerd": {c.socket}}), "-o", patient())
	mount := filepath.Join(dir, "data")
	if err := os.Mkdir(mount, 0o755); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"container.image": image, "container.image.repository": "registry.test:5000/team/box", "container.image.tag": "1.2",
		"container.image.digest": digest, "container.image.id": imageID(t, filepath.Join(dir, "image.tar")), "container.type": "containerd", "container.privileged": false, "container.id_mismatch": false,
		"container.host_pid": false, "container.host_network": false,
	}
	check := func(name string, more map[string]any) {
		t.Helper()
		a := one(t, s, "opened", name)
		expect(t, a, want)
		expect(t, a, more)
		expect(t, a, map[string]any{"container.id": name, "container.name": name, "container.full_id": name})
		one(t, s, "opened in box", name)
		if n := len(s.find("opened elsewhere", name)); n != 0 {
			t.Errorf("%s: %d alerts for another image", name, n)
		}
	}

	c.box("short", []string{"--label", "team=blue", "--mount", "type=bind,src=" + mount + ",dst=/data,options=rbind:ro"}, "/bin/cat", "/etc/secret")
	check("short", map[string]any{
		"container.label[team]": "blue", "container.labels": "io.containerd.image.config.stop-signal:SIGTERM, team:blue",
		"container.mount.source[/data]": mount, "container.mounts": mount + ":/data:ro:false:",
	})
	if a := one(t, s, "started", "short"); a.text("container.image.repository") != "registry.test:5000/team/box" {
		t.Errorf("the first process is reported without its image: %v", a.Fields)
	}

	want["container.privileged"] = true
	c.box("strong", []string{"--privileged", "--net-host"}, "/bin/cat", "/etc/secret")
	delete(want, "container.host_network")
	check("strong", map[string]any{"container.host_network": true})
	want["container.privileged"] = false

	// A container that was there before the runtime was restarted, and one that comes after.
	c.ctr("default", "run", "-d", "--snapshotter", "native", "--env", "CASE=long", image, "long", "/bin/sleep", "1000")
	c.ctr("default", "tasks", "exec", "--exec-id", "one", "long", "/bin/cat", "/etc/secret")
	check("long", nil)
	c.stop()
	c.start()
	c.box("after", nil, "/bin/cat", "/etc/secret")
	check("after", nil)
	before := len(s.find("opened", "long"))
	c.ctr("default", "tasks", "exec", "--exec-id", "two", "long", "/bin/cat", "/etc/secret")
	await(t, "the second alert", func() bool { return len(s.find("opened", "long")) == before+1 })
	expect(t, s.find("opened", "long")[before], want)
}
