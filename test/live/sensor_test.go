//go:build linux

package live

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// bench is what one test works with: the program under test and a directory that is removed afterwards.
type bench struct {
	dir    string // not a temporary directory in the eyes of the rules
	sensor string // the saker program
	actor  string // this test's program, under a name of its own in dir
}

// alertLine is an alert as the sensor prints it with json_output.
type alertLine struct {
	Rule     string         `json:"rule"`
	Priority string         `json:"priority"`
	Output   string         `json:"output"`
	Fields   map[string]any `json:"output_fields"`
}

// mark returns the name of the test case whose process, or whose descendant, raised the alert; "" for others.
func (a alertLine) mark() string {
	for _, key := range []string{"proc.env[" + envCase + "]", "proc.aenv[" + envCase + "]"} {
		if s, ok := a.Fields[key].(string); ok && s != "" && s != "<NA>" {
			return s
		}
	}
	return ""
}

// newBench skips the test where it cannot run, builds the program and makes the directory.
func newBench(t *testing.T) *bench {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: loads BPF programs and makes namespaces")
	}
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		t.Skipf("needs a kernel with BTF: %v", err)
	}
	if testing.Short() {
		t.Skip("runs the program on this machine: not in a short run")
	}
	dir, err := os.MkdirTemp(scratchBase(), "saker-live-")
	if err != nil {
		t.Fatalf("making the scratch directory: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("finding this test's program: %v", err)
	}
	b := &bench{dir: dir, sensor: buildSensor(t, dir), actor: filepath.Join(dir, "actor")}
	if err := copyFile(self, b.actor, 0o755); err != nil {
		t.Fatalf("copying this test's program: %v", err)
	}
	return b
}

// scratchBase returns the directory for scratch directories. It is none of those that rules take for temporary ones, and
// not on an overlay file system, where programs would count as added to a container.
func scratchBase() string {
	var fs unix.Statfs_t
	if err := unix.Statfs("/var/lib", &fs); err == nil && fs.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return "/run"
	}
	return "/var/lib"
}

// file writes a file into the bench's directory and returns its path.
func (b *bench) file(name string, text []byte) string {
	path := filepath.Join(b.dir, name)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		panic("writing " + path + ": " + err.Error())
	}
	return path
}

// sensor is a running saker.
type sensor struct {
	cmd    *exec.Cmd
	lines  chan alertLine
	alerts []alertLine

	mu     sync.Mutex
	stderr bytes.Buffer
}

// start runs saker with the rules files and waits until it says that it is watching.
func (b *bench) start(t *testing.T, files ...string) *sensor {
	t.Helper()
	args := []string{"-o", "json_output=true", "-o", "rule_matching=all", "-o", "priority=debug", "-o", "buffered_outputs=false"}
	for _, f := range files {
		args = append(args, "-r", f)
	}
	s := &sensor{cmd: exec.Command(b.sensor, args...), lines: make(chan alertLine, 1<<16)}
	s.cmd.Dir = b.dir
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("starting saker: %v", err)
	}
	t.Cleanup(func() { s.cmd.Process.Kill() })
	ready := make(chan struct{})
	var once sync.Once
	note := func(line string) {
		if strings.Contains(line, "watching") {
			once.Do(func() { close(ready) })
		}
	}
	failed := make(chan struct{})
	go func() {
		s.readErrors(stderr, note)
		close(failed)
	}()
	go s.readAlerts(stdout, note)
	select {
	case <-ready:
	case <-failed:
		t.Fatalf("saker ended before it was watching:\n%s", s.errors())
	case <-time.After(settleTime):
		t.Fatalf("saker did not say that it is watching within %v:\n%s", settleTime, s.errors())
	}
	return s
}

func (s *sensor) readErrors(r io.Reader, note func(string)) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 1<<16), 1<<20)
	for lines.Scan() {
		s.mu.Lock()
		s.stderr.WriteString(lines.Text() + "\n")
		s.mu.Unlock()
		note(lines.Text())
	}
}

func (s *sensor) readAlerts(r io.Reader, note func(string)) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 1<<20), 1<<24)
	for lines.Scan() {
		var a alertLine
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil || a.Rule == "" {
			note(lines.Text())
			s.mu.Lock()
			s.stderr.WriteString(lines.Text() + "\n") // what is not an alert is shown with the messages
			s.mu.Unlock()
			continue
		}
		s.lines <- a
	}
	close(s.lines)
}

func (s *sensor) errors() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stderr.String()
}

// await takes alerts until one satisfies the condition.
func (s *sensor) await(t *testing.T, found func(alertLine) bool) {
	t.Helper()
	deadline := time.After(settleTime)
	for {
		select {
		case a, ok := <-s.lines:
			if !ok {
				t.Fatalf("saker ended while alerts were waited for:\n%s", s.errors())
			}
			s.alerts = append(s.alerts, a)
			if found(a) {
				return
			}
		case <-deadline:
			t.Fatalf("no sign of the last provocation within %v; messages:\n%s", settleTime, s.errors())
		}
	}
}

// finish waits until everything done so far has been judged, stops saker, and returns the alerts by test case.
func (s *sensor) finish(t *testing.T) map[string][]alertLine {
	t.Helper()
	b := &bench{dir: s.cmd.Dir, actor: filepath.Join(s.cmd.Dir, "actor")}
	b.sentinel(t)
	s.await(t, func(a alertLine) bool { return a.mark() == sentinelCase })
	s.stop(t)
	byCase := map[string][]alertLine{}
	for _, a := range s.alerts {
		byCase[a.mark()] = append(byCase[a.mark()], a)
	}
	return byCase
}

// stop sends SIGINT and checks that saker ends with status 0 and its closing statistics.
func (s *sensor) stop(t *testing.T) {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatalf("stopping saker: %v", err)
	}
	for a := range s.lines {
		s.alerts = append(s.alerts, a)
	}
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("saker did not end with status 0: %v\n%s", err, s.errors())
	}
	if !strings.Contains(s.errors(), "Events detected:") {
		t.Errorf("saker ended without its closing statistics:\n%s", s.errors())
	}
}
