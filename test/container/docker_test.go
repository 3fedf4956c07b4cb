//go:build linux

package container

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// dockerd is a docker daemon of the test's own, with the containerd that it starts.
type dockerd struct {
	t      *testing.T
	dir    string
	socket string
	cmd    *exec.Cmd
	ended  chan struct{} // closed when cmd has ended
	log    *os.File
}

func newDockerd(t *testing.T, dir string) *dockerd {
	t.Helper()
	need(t, "dockerd", "docker", "containerd", "runc", "containerd-shim-runc-v2")
	d := &dockerd{t: t, dir: dir, socket: filepath.Join(dir, "d.sock"), ended: make(chan struct{})}
	close(d.ended)
	log, err := os.Create(filepath.Join(dir, "dockerd.log"))
	if err != nil {
		t.Fatal(err)
	}
	d.log = log
	t.Cleanup(func() {
		select {
		case <-d.ended:
		default:
			if out, err := exec.Command("docker", "-H", "unix://"+d.socket, "ps", "-aq").Output(); err == nil {
				for id := range strings.FieldsSeq(string(out)) {
					exec.Command("docker", "-H", "unix://"+d.socket, "rm", "-f", id).Run()
				}
			}
			d.stop()
		}
		unmount(t, dir)
		log.Close()
		if t.Failed() {
			if text, err := os.ReadFile(log.Name()); err == nil {
				t.Logf("the end of docker's log:\n%s", text[max(0, len(text)-4000):])
			}
		}
	})
	d.start()
	tar := filepath.Join(dir, "image.tar")
	writeImage(t, tar, image)
	d.docker("load", "-i", tar)
	return d
}

// start starts the daemon without a network of its own and waits until it answers. Containers outlive it. The daemon gives up when its
// containerd is not there after 15 s, as may happen on an emulated machine; then it is started again.
func (d *dockerd) start() {
	d.t.Helper()
	await(d.t, "docker's daemon to answer", func() bool {
		select {
		case <-d.ended:
			d.launch()
		default:
		}
		return exec.Command("docker", "-H", "unix://"+d.socket, "version").Run() == nil
	})
}

func (d *dockerd) launch() {
	d.t.Helper()
	d.cmd = exec.Command("dockerd", "--host", "unix://"+d.socket, "--data-root", filepath.Join(d.dir, "root"), "--exec-root", filepath.Join(d.dir, "x"),
		"--pidfile", filepath.Join(d.dir, "pid"), "--storage-driver", "vfs", "--bridge", "none", "--iptables=false", "--ip6tables=false",
		"--userland-proxy=false", "--live-restore", "--oom-score-adjust", "0", "--exec-opt", "native.cgroupdriver="+cgroupDriver())
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	ended := make(chan struct{})
	d.ended = ended
	go func(cmd *exec.Cmd) {
		cmd.Wait()
		close(ended)
	}(d.cmd)
}

func (d *dockerd) stop() {
	d.cmd.Process.Signal(syscall.SIGTERM)
	<-d.ended
}

// docker runs docker's client.
func (d *dockerd) docker(args ...string) string {
	d.t.Helper()
	return run(d.t, nil, "docker", append([]string{"-H", "unix://" + d.socket}, args...)...)
}

// box runs a container to its end and returns what it printed.
func (d *dockerd) box(name string, options []string, command ...string) string {
	d.t.Helper()
	args := append([]string{"run", "--network", "host", "--ulimit", "nofile=256:256", "--name", name, "--env", "CASE=" + name}, options...)
	return d.docker(append(append(args, image), command...)...)
}

func TestDocker(t *testing.T) {
	dir := scratch(t)
	d := newDockerd(t, dir)
	// Docker gives a privileged container every capability that the kernel knows; podman only those that there are to give.
	last, err := strconv.Atoi(run(t, nil, "cat", "/proc/sys/kernel/cap_last_cap"))
	if err != nil {
		t.Fatal(err)
	}
	privileged := strings.HasSuffix(run(t, nil, "grep", "CapBnd", "/proc/self/status"), fmt.Sprintf("%016x", uint64(2)<<last-1))
	x := apiTest{kind: "docker", dir: dir, socket: d.socket, mode: "ro", privileged: privileged, client: d.docker, box: d.box, stop: d.stop, start: d.start}
	x.run(t)
}

// apiTest compares what saker says of containers with what a runtime says that speaks docker's API.
type apiTest struct {
	kind   string // of the runtime, as saker is to be told
	dir    string
	socket string
	digest string // of the image; "" where the runtime has none
	mode   string // of a mount that is read only
	// privileged says that privileged containers can run.
	privileged bool

	client      func(args ...string) string
	box         func(name string, options []string, command ...string) string
	stop, start func()
}

func (x apiTest) run(t *testing.T) {
	s := start(t, x.dir, rules, plugin(map[string][]string{x.kind: {x.socket}}), "-o", patient())
	mount := filepath.Join(x.dir, "data")
	if err := os.Mkdir(mount, 0o755); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"container.image": image, "container.image.repository": "registry.test:5000/team/box", "container.image.tag": "1.2",
		"container.image.id": imageID(t, filepath.Join(x.dir, "image.tar")), "container.image.digest": x.digest, "container.type": x.kind,
		"container.privileged": false, "container.id_mismatch": false, "container.host_pid": false, "container.host_network": true,
	}
	check := func(name string, more map[string]any) {
		t.Helper()
		a := one(t, s, "opened", name)
		id := x.client("inspect", "--format", "{{.Id}}", name)
		expect(t, a, want)
		expect(t, a, more)
		expect(t, a, map[string]any{"container.id": id[:12], "container.full_id": id, "container.name": name})
		one(t, s, "opened in box", name)
		if n := len(s.find("opened elsewhere", name)); n != 0 {
			t.Errorf("%s: %d alerts for another image", name, n)
		}
	}
	x.box("short", []string{"--label", "team=blue", "-v", mount + ":/data:ro"}, "/bin/cat", "/etc/secret")
	check("short", map[string]any{
		"container.label[team]": "blue", "container.labels": "team:blue", "container.mount.source[/data]": mount,
		"container.mounts": mount + ":/data:" + x.mode + ":false:rprivate",
	})
	if a := one(t, s, "started", "short"); a.text("container.image.repository") != "registry.test:5000/team/box" {
		t.Errorf("the first process is reported without its image: %v", a.Fields)
	}
	strong := []string{"--pid", "host"}
	if x.privileged {
		strong = append(strong, "--privileged")
	}
	want["container.privileged"] = x.privileged
	x.box("strong", strong, "/bin/cat", "/etc/secret")
	delete(want, "container.host_pid")
	check("strong", map[string]any{"container.host_pid": true})
	want["container.privileged"] = false

	x.box("long", []string{"-d"}, "/bin/sleep", "1000")
	x.client("exec", "long", "/bin/cat", "/etc/secret")
	check("long", nil)
	x.stop()
	x.start()
	x.box("after", nil, "/bin/cat", "/etc/secret")
	check("after", nil)
	x.client("exec", "long", "/bin/cat", "/etc/secret")
	await(t, "the second alert", func() bool { return len(s.find("opened", "long")) == 2 })
	expect(t, s.find("opened", "long")[1], want)
	if x.privileged && unified() {
		x.strayed(t, s)
	}
	if strings.Contains(s.messages(), "Warning") {
		t.Logf("saker said:\n%s", s.messages())
	}
}

// strayed runs a container whose process moves to a group that poses as another container's. It is reported where it was started, and
// the default rule says so.
func (x apiTest) strayed(t *testing.T, s *sensor) {
	s.stray.Store(true)
	group := "/sys/fs/cgroup/docker-" + strings.Repeat("5a", 32) + ".scope"
	if err := os.Mkdir(group, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(group) })
	x.box("stray", []string{"--privileged", "-v", group + ":/data"}, "/bin/sh", "-c", "echo 0 >/data/cgroup.procs && exec cat /etc/secret")
	id := x.client("inspect", "--format", "{{.Id}}", "stray")
	a := one(t, s, "opened", "stray")
	expect(t, a, map[string]any{"container.id": id[:12], "container.full_id": id, "container.id_mismatch": true, "container.image": image})
	await(t, "the alert of the default rule", func() bool { return len(s.find(strays, "")) == 1 })
	if a := s.find(strays, "")[0]; a.text("container.id") != id[:12] || !strings.Contains(a.text("thread.cgroups"), "/docker-5a5a") {
		t.Errorf("the default rule says %s", a.Output)
	}
}
