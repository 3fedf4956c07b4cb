//go:build linux

// Package container holds tests that start real container runtimes of their own (containerd, podman, docker, LXC,
// systemd-nspawn), run containers in them, and compare what a running saker says of them with what they are.
//
// They need root, a kernel with BTF, and the Debian packages containerd, runc, podman, conmon, docker.io, lxc and busybox-static;
// without them they are skipped and say why. Some need a machine that systemd runs, or one with control groups of version 2 alone:
// those run in the virtual machines of ../kernels. The runtimes have their own directories and sockets below a temporary one and
// touch nothing of those that may run on the machine.
package container

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/saker-sec/saker/test/alone"

	_ "github.com/saker-sec/saker/internal/app" // the program that is built: what changes in it is to be tested again
)

// settleTime bounds every wait. An emulated machine takes a minute to load the BPF programs, and more when it has to share.
func settleTime() time.Duration {
	if os.Getenv(programName) != "" {
		return 15 * time.Minute
	}
	return time.Minute
}

// programName is the environment variable that names a saker that was compiled elsewhere, for a virtual machine, which has better things
// to do.
const programName = "SAKER_PROGRAM"

// alertLine is an alert as saker prints it with json_output.
type alertLine struct {
	Rule   string         `json:"rule"`
	Output string         `json:"output"`
	Fields map[string]any `json:"output_fields"`
}

// text returns a field as text; "" for none.
func (a alertLine) text(field string) string {
	s, _ := a.Fields[field].(string)
	return s
}

// sensor is a running saker.
type sensor struct {
	t   *testing.T
	cmd *exec.Cmd

	// stray says that the test itself lets a container's process move to other control groups.
	stray atomic.Bool

	mu     sync.Mutex
	alerts []alertLine
	log    bytes.Buffer
	ended  chan struct{}
}

// strays is the default rule about processes in control groups that are not theirs.
const strays = "Control groups tell of another container"

// need skips the test where something is missing that it cannot do without.
func need(t *testing.T, programs ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: loads BPF programs and runs containers")
	}
	if testing.Short() {
		t.Skip("runs container runtimes on this machine: not in a short run")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		t.Skipf("needs a kernel with BTF: %v", err)
	}
	for _, p := range append(programs, "busybox") {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("needs the program %s: %v", p, err)
		}
	}
}

// scratch returns a directory with a short path: the path of a socket has at most 107 bytes.
func scratch(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/var/lib", "saker-ct-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// built is the program, compiled once for all tests unless there is one.
var built = sync.OnceValues(func() (string, error) {
	if program := os.Getenv(programName); program != "" {
		return program, nil
	}
	dir, err := os.MkdirTemp("", "saker-ct-")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "saker")
	cmd := exec.Command("go", "build", "-o", program, "../../cmd/saker")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building saker: %w\n%s", err, out)
	}
	return program, nil
})

// TestMain removes the program at the end.
func TestMain(m *testing.M) {
	alone.Wait()
	status := m.Run()
	if started.Load() && os.Getenv(programName) == "" {
		if program, err := built(); err == nil {
			os.RemoveAll(filepath.Dir(program))
		}
	}
	os.Exit(status)
}

// started says that the program was compiled.
var started atomic.Bool

// patient makes alerts wait longer than they do by default, so that the tests hold on a machine that is busy with others.
func patient() string {
	if os.Getenv(programName) != "" {
		return "containers.alert_hold=60000"
	}
	return "containers.alert_hold=3000"
}

// start runs saker with rules and the init_config of its container plugin, and waits until it watches.
func start(t *testing.T, dir, rules string, plugin map[string]any, options ...string) *sensor {
	t.Helper()
	return startBy(t, nil, dir, rules, plugin, options...)
}

// startBy does that by way of another program, which is given saker and its arguments after its own.
func startBy(t *testing.T, launcher []string, dir, rules string, plugin map[string]any, options ...string) *sensor {
	t.Helper()
	started.Store(true)
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	dir, err = os.MkdirTemp(dir, "saker-")
	if err != nil {
		t.Fatal(err)
	}
	rulesFile, configFile := filepath.Join(dir, "rules.yaml"), filepath.Join(dir, "saker.yaml")
	conf, err := json.Marshal(map[string]any{
		"json_output": true, "rule_matching": "all", "priority": "debug", "buffered_outputs": false,
		"stdout_output": map[string]any{"enabled": true},
		"plugins":       []any{map[string]any{"name": "container", "library_path": "libcontainer.so", "init_config": plugin}},
		"load_plugins":  []string{"container"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{rulesFile: rules, configFile: string(conf)} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// The default rules are there too, to see that no runtime's own work looks like a process that strays.
	args := slices.Concat(launcher, []string{program, "-c", configFile, "-r", rulesFile, "-r", "../../rules/saker_rules.yaml"}, options)
	s := &sensor{t: t, cmd: exec.Command(args[0], args[1:]...), ended: make(chan struct{})}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.cmd.Stderr = writer(func(p []byte) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.log.Write(p)
	})
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go s.read(stdout)
	t.Cleanup(func() {
		s.cmd.Process.Signal(syscall.SIGTERM)
		<-s.ended
		s.cmd.Wait()
		for _, a := range s.find(strays, "") {
			if !s.stray.Load() {
				t.Errorf("an ordinary container raised: %s", a.Output)
			}
		}
		if t.Failed() {
			t.Logf("saker said:\n%s", s.messages())
		}
	})
	await(t, "saker to watch", func() bool { return s.running() && strings.Contains(s.messages(), "watching") })
	return s
}

// running fails the test when saker has ended.
func (s *sensor) running() bool {
	select {
	case <-s.ended:
		s.t.Fatal("saker ended")
	default:
	}
	return true
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

func (s *sensor) read(r io.Reader) {
	defer close(s.ended)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var a alertLine
		s.mu.Lock()
		if err := json.Unmarshal(lines.Bytes(), &a); err == nil && a.Rule != "" {
			s.alerts = append(s.alerts, a)
		} else {
			s.log.Write(append(lines.Bytes(), '\n'))
		}
		s.mu.Unlock()
	}
}

func (s *sensor) messages() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// find returns the alerts of a rule whose field proc.env[CASE] is name; all with name "".
func (s *sensor) find(rule, name string) []alertLine {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []alertLine
	for _, a := range s.alerts {
		if (rule == "" || a.Rule == rule) && (name == "" || a.text("proc.env[CASE]") == name) {
			out = append(out, a)
		}
	}
	return out
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), settleTime())
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited %v in vain for %s", settleTime(), what)
		case <-tick.C:
		}
	}
}

// run runs a program to its end and returns what it printed.
func run(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// cgroupDriver is what makes the control groups of containers: systemd where it runs the machine, otherwise the runtime itself.
func cgroupDriver() string {
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		return "systemd"
	}
	return "cgroupfs"
}

func mustWrite(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}
