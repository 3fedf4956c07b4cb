//go:build linux

package container

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// podman is a podman of the test's own, with its service.
type podman struct {
	t      *testing.T
	dir    string
	socket string
	cmd    *exec.Cmd
	log    *os.File

	runtime string // what runs the containers
}

func newPodman(t *testing.T, dir string) *podman {
	t.Helper()
	need(t, "podman", "runc", "conmon")
	p := &podman{t: t, dir: dir, socket: filepath.Join(dir, "p.sock"), runtime: "runc"}
	config := filepath.Join(dir, "home", ".config", "containers")
	if err := os.MkdirAll(config, 0o755); err != nil {
		t.Fatal(err)
	}
	conf := `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
netns = "host"
[engine]
events_logger = "file"
`
	for name, text := range map[string]string{"policy.json": `{"default":[{"type":"insecureAcceptAnything"}]}`, "containers.conf": conf} {
		if err := os.WriteFile(filepath.Join(config, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.Create(filepath.Join(dir, "podman.log"))
	if err != nil {
		t.Fatal(err)
	}
	p.log = log
	t.Cleanup(func() {
		all := exec.Command("podman", p.args("rm", "-f", "-t", "0", "-a")...)
		all.Env = append(os.Environ(), p.env()...)
		all.Run()
		p.stop()
		unmount(t, dir)
		log.Close()
		if t.Failed() {
			if text, err := os.ReadFile(log.Name()); err == nil {
				t.Logf("the end of podman's log:\n%s", text[max(0, len(text)-4000):])
			}
		}
	})
	p.start()
	tar := filepath.Join(dir, "image.tar")
	writeImage(t, tar, image)
	p.podman("load", "-i", tar)
	return p
}

func (p *podman) args(args ...string) []string {
	return append([]string{
		"--root", filepath.Join(p.dir, "root"), "--runroot", filepath.Join(p.dir, "runroot"), "--tmpdir", filepath.Join(p.dir, "tmp"),
		"--runtime", p.runtime, "--cgroup-manager", cgroupDriver(), "--storage-driver", "vfs", "--events-backend", "file",
	}, args...)
}

func (p *podman) env() []string {
	return []string{"HOME=" + filepath.Join(p.dir, "home"), "CONTAINERS_CONF=" + filepath.Join(p.dir, "home", ".config", "containers", "containers.conf")}
}

func (p *podman) podman(args ...string) string {
	p.t.Helper()
	return run(p.t, p.env(), "podman", p.args(args...)...)
}

func (p *podman) start() {
	p.t.Helper()
	p.cmd = exec.Command("podman", p.args("system", "service", "--time", "0", "unix://"+p.socket)...)
	p.cmd.Env = append(os.Environ(), p.env()...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	await(p.t, "podman's service to listen", func() bool {
		_, err := os.Stat(p.socket)
		return err == nil
	})
}

func (p *podman) stop() {
	if p.cmd == nil {
		return
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.cmd.Wait()
	os.Remove(p.socket)
	p.cmd = nil
}

// box runs a container to its end and returns what it printed.
func (p *podman) box(name string, options []string, command ...string) string {
	p.t.Helper()
	args := append([]string{"run", "--ulimit", "nofile=256:256", "--ulimit", "nproc=256:256", "--name", name, "--env", "CASE=" + name}, options...)
	return p.podman(append(append(args, image), command...)...)
}

func TestPodman(t *testing.T) {
	for _, kind := range []string{"podman", "docker"} {
		t.Run(kind, func(t *testing.T) {
			dir := scratch(t)
			p := newPodman(t, dir)
			digest := p.podman("image", "inspect", "--format", "{{.Digest}}", image)
			x := apiTest{kind: kind, dir: dir, socket: p.socket, digest: digest, privileged: true, client: p.podman, box: p.box, stop: p.stop, start: p.start}
			x.run(t)
		})
	}
}
