//go:build linux

package live

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestFlood runs 20 000 short processes beside a running Saker. Its memory stays bounded, nothing is lost, and what it knows
// afterwards is right: a process started then has its name, its parents and its directory.
func TestFlood(t *testing.T) {
	b := newBench(t)
	rules := b.file("flood.yaml", []byte(`
- rule: probe
  desc: a file that the test opens
  condition: evt.type in (open, openat) and fd.name endswith /flood-probe
  output: probe
  priority: NOTICE
- rule: fields
  desc: what is known of the process that opens it
  condition: evt.type in (open, openat) and fd.name endswith /flood-probe
  output: name=%proc.name exepath=%proc.exepath pname=%proc.pname gparent=%proc.aname[2] cwd=%proc.cwd threads=%proc.nthreads
  priority: NOTICE
`))
	probe := b.file("flood-probe", nil)
	s := b.start(t, rules)
	touch := func() alertLine {
		t.Helper()
		cmd := exec.Command("/bin/sh", "-c", "cat "+probe+"; true")
		cmd.Dir = b.dir
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		var last alertLine
		s.await(t, func(a alertLine) bool { last = a; return a.Rule == "fields" })
		return last
	}
	touch()
	before := s.memory(t)
	const processes = 20_000
	flood := exec.Command("/bin/sh", "-c", fmt.Sprintf("i=0; while [ $i -lt %d ]; do (:); i=$((i+1)); done", processes))
	if out, err := flood.CombinedOutput(); err != nil {
		t.Fatalf("the flood: %v\n%s", err, out)
	}
	a := touch()
	after := s.memory(t)
	t.Logf("%d processes; resident before %d kB, after %d kB, at most %d kB", processes, before.resident, after.resident, after.peak)
	if after.resident > before.resident+32<<10 {
		t.Errorf("resident memory grew from %d to %d kB", before.resident, after.resident)
	}
	for field, want := range map[string]string{"proc.name": "cat", "proc.pname": "sh", "proc.aname[2]": "live.test", "proc.cwd": b.dir + "/"} {
		if got := a.Fields[field]; got != want {
			t.Errorf("after the flood %s is %v, want %s", field, got, want)
		}
	}
	s.stop(t)
	if text := s.errors(); strings.Contains(text, "Lost:") || strings.Contains(text, "overflowed") {
		t.Errorf("something was lost:\n%s", text)
	}
}

// memory is what a process has resident, in kB.
type memory struct{ resident, peak int }

func (s *sensor) memory(t *testing.T) memory {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var m memory
	for line := range strings.Lines(string(text)) {
		_, _ = fmt.Sscanf(line, "VmRSS: %d kB", &m.resident)
		_, _ = fmt.Sscanf(line, "VmHWM: %d kB", &m.peak)
	}
	return m
}
