package rule_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/rule"
)

func gunzip(t testing.TB, path string) *bufio.Scanner {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Skip("the goldens are not here: ", err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<24)
	return lines
}

// TestValidation compares text, JSON and verdict with what Falco printed for the same files.
func TestValidation(t *testing.T) {
	checker := newChecker(t)
	n := 0
	for lines := gunzip(t, shared+"golden/validation.jsonl.gz"); lines.Scan(); n++ {
		var g struct {
			Name, Rules, Stdout string
			Exit                int
			JSON                json.RawMessage
		}
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatal(err)
		}
		t.Run(g.Name, func(t *testing.T) {
			l := rule.NewLoader(rule.Config{Checker: checker, MinPriority: alert.Debug})
			results := []*rule.Result{l.Load("rules.yaml", []byte(g.Rules))}
			if got := rule.ValidationText(results) + "\n"; got != g.Stdout {
				t.Errorf("text:\n%s\nwant:\n%s", got, g.Stdout)
			}
			if got, want := string(rule.ValidationJSON(results, nil)), canonical(t, g.JSON); got != want {
				t.Errorf("JSON:\n%s\nwant:\n%s", got, want)
			}
			if got := results[0].Successful(); got != (g.Exit == 0) {
				t.Errorf("successful is %v, the exit code is %d", got, g.Exit)
			}
		})
	}
	if n != 69 {
		t.Errorf("%d files, want 69", n)
	}
}

// canonical writes JSON without blanks and with sorted keys.
func canonical(t *testing.T, data []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// TestUpstreamRules loads the rule files of the project that this one is compatible with: each alone, and all in order.
func TestUpstreamRules(t *testing.T) {
	checker := newChecker(t)
	all := rule.NewLoader(rule.Config{Checker: checker, MinPriority: alert.Debug})
	sum := 0
	for _, name := range []string{"falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"} {
		content, err := os.ReadFile(shared + "rules/upstream/" + name)
		if err != nil {
			t.Skip("the rule files are not here: ", err)
		}
		alone := rule.NewLoader(rule.Config{Checker: checker, MinPriority: alert.Debug})
		for _, l := range []*rule.Loader{alone, all} {
			res := l.Load(name, content)
			if !res.Successful() || res.Schema() != "ok" {
				t.Errorf("%s", res.Verbose())
			}
			if err := l.CheckPlugins([]rule.Plugin{{Name: "container", Version: "0.7.1"}}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		sum += len(alone.Rules())
	}
	if n := len(all.Rules()); n != 93 || sum != 93 {
		t.Errorf("%d rules together, %d alone, want 93", n, sum)
	}
}
