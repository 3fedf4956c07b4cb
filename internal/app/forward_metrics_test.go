package app

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// TestMetricsOfOddNames has destinations with names of all characters, and one that is called as Falcosidekick calls another.
func TestMetricsOfOddNames(t *testing.T) {
	names := []string{"plain", "a\"b\\c\nd\re\tf", "日本語 🦅", "}{=,#", "\u2028\u0085\u007f", "a.b", "le", "awslambda", strings.Repeat("é", 30)}
	dir := t.TempDir()
	config := map[string]any{
		"queue": map[string]any{"dir": filepath.Join(dir, "queue")},
		"aws":   map[string]any{"region": "r", "accesskeyid": "a", "secretaccesskey": "s", "lambda": map[string]any{"functionname": "f"}},
	}
	var list []any
	for _, n := range names {
		list = append(list, map[string]any{"name": n, "type": "webhook", "address": "http://127.0.0.1:1"})
	}
	config["destinations"] = list
	yml, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(path, yml, 0o600); err != nil {
		t.Fatal(err)
	}
	conf, _, err := loadForward(path, environment())
	if err != nil {
		t.Fatal(err)
	}
	c := &courier{log: &logger{w: &lines{}, now: time.Now}, conf: conf}
	defer c.close()
	if err := c.start(context.Background()); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c.metrics(t.Context(), &out)
	text, seen := out.String(), map[string]bool{}
	for line := range strings.Lines(text) {
		series := line[:strings.LastIndexByte(line, ' ')]
		if line[0] != '#' && seen[series] {
			t.Errorf("twice: %s", series)
		}
		seen[series] = true
	}
	for _, n := range append(names, "aws.lambda") {
		if series := "\nsaker_forward_queued{destination=" + label(n) + "} 0\n"; !strings.Contains(text, series) {
			t.Errorf("no %s", series)
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("promtool is not installed: the Debian package prometheus has it")
	}
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = strings.NewReader(text)
	if said, err := cmd.CombinedOutput(); err != nil || len(said) > 0 {
		t.Errorf("promtool: %v: %s\n%s", err, said, text)
	}
}
