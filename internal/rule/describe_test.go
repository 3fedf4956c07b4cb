package rule_test

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/filter"
	"github.com/saker-sec/saker/internal/rule"
)

// fakeDescriber knows the fields of outputs and the one plugin of the stable rules, but no events.
type fakeDescriber struct{}

func (fakeDescriber) Events(string, filter.Expr) []string           { return nil }
func (fakeDescriber) OutputFields(_ string, output string) []string { return fieldsOf(output) }

func (fakeDescriber) Plugins(_ string, _, fields []string) []string {
	for _, f := range fields {
		if strings.HasPrefix(f, "container.") || strings.HasPrefix(f, "k8s.") {
			return []string{"container"}
		}
	}
	return nil
}

func fieldsOf(output string) []string {
	var out []string
	for w := range strings.FieldsFuncSeq(output, func(r rune) bool { return r == ' ' || r == '=' }) {
		if name, ok := strings.CutPrefix(w, "%"); ok {
			out = append(out, name)
		}
	}
	return out
}

// TestDescribe compares the description of the stable rules with Falco's, the order of sets and the events aside.
func TestDescribe(t *testing.T) {
	content, err := os.ReadFile(shared + "rules/upstream/falco_rules.yaml")
	if err != nil {
		t.Skip("the rule files are not here: ", err)
	}
	golden := gunzip(t, shared+"golden/describe-falco_rules.json.gz")
	golden.Scan()
	l := rule.NewLoader(rule.Config{Checker: newChecker(t), MinPriority: alert.Debug})
	l.Load("falco_rules.yaml", content)
	d, err := l.Describe(fakeDescriber{}, "")
	if err != nil {
		t.Fatal(err)
	}
	var got, want map[string]any
	if err := json.Unmarshal(d.JSON(), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(golden.Bytes(), &want); err != nil {
		t.Fatal(err)
	}
	for key, w := range want {
		g := got[key]
		ws, ok := w.([]any)
		if !ok {
			if g != w {
				t.Errorf("%s is %v, want %v", key, g, w)
			}
			continue
		}
		gs := g.([]any)
		if len(gs) != len(ws) {
			t.Errorf("%d %s, want %d", len(gs), key, len(ws))
			continue
		}
		for i := range ws {
			if a, b := normal(gs[i]), normal(ws[i]); !reflect.DeepEqual(a, b) {
				ga, _ := json.Marshal(a)
				wa, _ := json.Marshal(b)
				t.Errorf("%s %d:\n%s\nwant\n%s", key, i, ga, wa)
			}
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d keys, want %d", len(got), len(want))
	}
}

// normal sorts the sets of a description and drops what the fake describer does not know.
func normal(v any) any {
	m := v.(map[string]any)
	d, ok := m["details"].(map[string]any)
	if !ok {
		return v
	}
	delete(d, "events")
	for key, set := range d {
		list, ok := set.([]any)
		if !ok || key == "items_compiled" || key == "output_fields" {
			continue
		}
		slices.SortFunc(list, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	}
	return v
}

func TestDescribeOne(t *testing.T) {
	l := rule.NewLoader(rule.Config{Checker: newChecker(t), MinPriority: alert.Debug})
	if _, err := l.Describe(fakeDescriber{}, ""); err == nil {
		t.Error("rules are described before any are loaded")
	}
	load(t, l, `
- rule: one
  desc: >
    A description that is long enough to be broken into more than one line when it is printed.
  condition: evt.type = open
  output: x
  priority: INFO
`)
	d, err := l.Describe(fakeDescriber{}, "one")
	if err != nil {
		t.Fatal(err)
	}
	want := "Rule" + strings.Repeat(" ", 47) + "Description\n" +
		"----" + strings.Repeat(" ", 47) + "-----------\n" +
		"one" + strings.Repeat(" ", 48) + "A description that is long enough to be broken into more \n" +
		strings.Repeat(" ", 51) + "than one line when it is printed. \n\n"
	if got := d.Text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	var keys map[string]any
	if err := json.Unmarshal(d.JSON(), &keys); err != nil || len(keys) != 1 {
		t.Errorf("%v, %v", keys, err)
	}
	if _, err := l.Describe(fakeDescriber{}, "two"); err == nil || err.Error() != `Rule "two" is not loaded` {
		t.Error(err)
	}
}

// load loads a file that has no error.
func load(t *testing.T, l *rule.Loader, content string) *rule.Result {
	t.Helper()
	res := l.Load("rules.yaml", []byte(content))
	if !res.Successful() {
		t.Fatal(res.Verbose())
	}
	return res
}
