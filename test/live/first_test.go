//go:build linux

package live

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFirstTenMinutes does what docs/first-ten-minutes.md says, with the rules file that stands there.
func TestFirstTenMinutes(t *testing.T) {
	b := newBench(t)
	doc, err := os.ReadFile("../../docs/first-ten-minutes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(doc), "```yaml\n")
	text, _, closed := strings.Cut(rest, "```")
	if !ok || !closed {
		t.Fatal("the page has no rules file")
	}
	// The page's directory in /tmp is the bench's here, so that nothing of the machine is touched.
	demo := filepath.Join(b.dir, "saker-demo")
	mine := b.file("mine.yaml", []byte(strings.ReplaceAll(text, "/tmp/saker-demo", demo)))

	if out, err := exec.Command(b.sensor, "-V", mine).CombinedOutput(); err != nil || !strings.Contains(string(out), "mine.yaml: Ok") {
		t.Fatalf("checking the rules: %v\n%s", err, out)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--list"}, "proc.exepath"},
		{[]string{"--list-events"}, "openat("},
		{[]string{"-L"}, "Rule "},
		{[]string{"-l", "Demo secret read", "-r", mine}, "Somebody reads one of the demonstration secrets."},
	} {
		if out, err := exec.Command(b.sensor, c.args...).Output(); err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("saker %s: %v, without %q", strings.Join(c.args, " "), err, c.want)
		}
	}

	s := b.start(t, mine)
	sh := func(script string) {
		t.Helper()
		if out, err := exec.Command("/bin/sh", "-c", strings.ReplaceAll(script, "/tmp/saker-demo", demo)).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
	}
	sh("mkdir -p /tmp/saker-demo; echo x > /tmp/saker-demo/token")
	sh("sha256sum /tmp/saker-demo/token")
	sh("cat /tmp/saker-demo/token")
	s.await(t, func(alertLine) bool { return true })
	s.stop(t)
	if alerts := s.alerts; len(alerts) != 1 || alerts[0].Rule != "Demo secret read" || alerts[0].Fields["proc.exepath"] != "/usr/bin/cat" {
		t.Errorf("alerts: %+v", s.alerts)
	}
	_ = os.RemoveAll(demo)

	// The first page of the README: our own rules, and somebody reads /etc/shadow.
	s = b.start(t)
	sh("cat /etc/shadow > /dev/null")
	s.await(t, func(a alertLine) bool {
		return a.Rule == "Password file read" && a.Fields["fd.name"] == "/etc/shadow" && a.Fields["proc.exepath"] == "/usr/bin/cat"
	})
	s.stop(t)
}
