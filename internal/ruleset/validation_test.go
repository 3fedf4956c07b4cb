package ruleset_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/rule"
	"github.com/saker-sec/saker/internal/ruleset"
)

// TestValidation loads rule files, good and broken, with the real catalogue and compares what validation prints.
func TestValidation(t *testing.T) {
	readLines(t, filepath.Join(shared, "golden", "validation.jsonl.gz"), func(line []byte) {
		var g struct{ Name, Rules, Stdout string }
		if err := json.Unmarshal(line, &g); err != nil {
			t.Fatal(err)
		}
		l := rule.NewLoader(rule.Config{Checker: ruleset.NewChecker(testOptions(t)), MinPriority: alert.Debug})
		res := l.Load("rules.yaml", []byte(g.Rules))
		if got := rule.ValidationText([]*rule.Result{res}) + "\n"; got != g.Stdout {
			t.Errorf("%s\n got %s\nwant %s", g.Name, got, g.Stdout)
		}
	})
}
