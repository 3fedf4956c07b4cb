package rule_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/rule"
)

// threeRules are rules of three priorities.
const threeRules = `
- {rule: Read secret, desc: d, condition: a.b exists, output: ' read ', priority: WARNING, tags: [file, host]}
- {rule: Write secret, desc: d, condition: a.b exists, output: write, priority: ERROR, tags: [file], enabled: false}
- {rule: Shell, desc: d, condition: a.b exists, output: shell, priority: DEBUG, tags: [process, host]}
`

func enabled(l *rule.Loader) string {
	var names []string
	for _, r := range l.Rules() {
		if r.Enabled {
			names = append(names, r.Name)
		}
	}
	return strings.Join(names, ", ")
}

func TestSelection(t *testing.T) {
	on := func(name, tag string) rule.Selection { return rule.Selection{Enable: true, Rule: name, Tag: tag} }
	off := func(name, tag string) rule.Selection { return rule.Selection{Rule: name, Tag: tag} }
	for _, c := range []struct {
		min       alert.Priority
		selection []rule.Selection
		want      string
	}{
		{alert.Debug, nil, "Read secret, Shell"},
		{alert.Warning, nil, "Read secret"},
		{alert.Emergency, nil, ""},
		{alert.Debug, []rule.Selection{on("*", "")}, "Read secret, Write secret, Shell"},
		{alert.Warning, []rule.Selection{on("*", "")}, "Read secret, Write secret"},
		{alert.Debug, []rule.Selection{off("*", ""), on("Shell", "")}, "Shell"},
		{alert.Debug, []rule.Selection{off("shell", "")}, "Read secret, Shell"},
		{alert.Debug, []rule.Selection{off("* secret", "")}, "Shell"},
		{alert.Debug, []rule.Selection{off("*e*e*t", "")}, "Shell"},
		{alert.Debug, []rule.Selection{off("Re*et", "")}, "Shell"},
		{alert.Debug, []rule.Selection{off("Read secret*secret", "")}, "Read secret, Shell"},
		{alert.Debug, []rule.Selection{off("", "host"), on("", "file")}, "Read secret, Write secret"},
		{alert.Debug, []rule.Selection{off("", "hos")}, "Read secret, Shell"},
	} {
		l := rule.NewLoader(rule.Config{Checker: anything{}, MinPriority: c.min, Selection: c.selection})
		load(t, l, threeRules)
		if got := enabled(l); got != c.want {
			t.Errorf("%v %v: got %q, want %q", c.min, c.selection, got, c.want)
		}
	}
}

func TestAppend(t *testing.T) {
	l := rule.NewLoader(rule.Config{Checker: anything{}, MinPriority: alert.Debug, Append: []rule.Append{
		{Format: "all=%a.b", Fields: []rule.ExtraField{{Key: "z", Format: "%a.b", Raw: true}, {Key: "k", Format: "old"}}},
		{Format: "file", Tags: []string{"file", "host"}},
		{Format: "other", Source: "other"},
		{Rule: "Shell", Fields: []rule.ExtraField{{Key: "k", Format: "new"}}},
	}})
	load(t, l, threeRules)
	var got []string
	for _, r := range l.Rules() {
		got = append(got, fmt.Sprint(r.Output, r.Extra))
	}
	want := "read all=%a.b file[{k old false} {z %a.b true}]|write all=%a.b[{k old false} {z %a.b true}]|" +
		"shell all=%a.b[{k new false} {z %a.b true}]"
	if s := strings.Join(got, "|"); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

// TestFiles loads several files into one loader: each result is about its own file, and what is still wrong with earlier
// ones is said again.
func TestFiles(t *testing.T) {
	l := newAny()
	if r := l.Load("1.yaml", []byte("\ufeff- {list: unused, items: [a]}\n"+threeRules)); r.Summary() !=
		"1.yaml: Ok, with warnings\n 1 warnings: [LOAD_UNUSED_LIST (Unused list)]" {
		t.Error(r.Summary())
	}
	r := l.Load("2.yaml", []byte("- {rule: Shell, enabled: false, override: {enabled: replace}}\n- {macro: m, condition: a.b exists}\n"))
	if r.Summary() != "2.yaml: Ok, with warnings\n 2 warnings: [LOAD_UNUSED_MACRO (Unused macro) LOAD_UNUSED_LIST (Unused list)]" {
		t.Error(r.Summary())
	}
	if file, line, col := r.Warnings[1].Place(); file != "1.yaml" || line != 1 || col != 3 {
		t.Errorf("%s:%d:%d", file, line, col)
	}
	if got := enabled(l); got != "Read secret" {
		t.Errorf("enabled are %q", got)
	}
	bad := l.Load("3.yaml", []byte("- {rule: Shell, condition: a., override: {condition: replace}}\n"))
	if bad.Successful() || !strings.HasPrefix(bad.Summary(), "3.yaml: Invalid\n 1 errors: [LOAD_ERR_COMPILE_CONDITION (") {
		t.Error(bad.Summary())
	}
	if n := len(l.Rules()); n != 3 {
		t.Errorf("after a file with an error there are %d rules, want the 3 of before", n)
	}
	text := rule.ValidationText([]*rule.Result{r, bad})
	if !strings.HasPrefix(text, "2.yaml: Ok, with warnings\n3.yaml: Invalid\n1 Errors:\n") {
		t.Error(text)
	}
	if schema := [...]string{r.Schema(), l.Load("4.yaml", nil).Schema(), l.Load("5.yaml", []byte("x: y")).Schema()}; schema !=
		[...]string{"ok", "none", "failed for <root>: Value type not permitted by 'type' constraint."} {
		t.Errorf("%q", schema)
	}
}

func TestCheckPlugins(t *testing.T) {
	const file = `
- required_plugin_versions:
  - {name: json, version: 0.7.0}
  - {name: k8saudit, version: 0.5.0, alternatives: [{name: k8saudit-eks, version: 0.1.0}]}
`
	for _, c := range []struct {
		plugins []rule.Plugin
		want    string
	}{
		{[]rule.Plugin{{"json", "0.7.3"}, {"k8saudit", "0.6.0"}}, "<nil>"},
		{[]rule.Plugin{{"json", "0.7.0-rc1"}, {"k8saudit-eks", "0.1.0"}}, "<nil>"},
		{nil, "Plugin requirement not satisfied, must load one of: json (>= 0.7.0)"},
		{
			[]rule.Plugin{{"json", "0.7.0"}},
			"Plugin requirement not satisfied, must load one of: k8saudit (>= 0.5.0), k8saudit-eks (>= 0.1.0)",
		},
		{
			[]rule.Plugin{{"json", "0.6.9"}},
			"Plugin 'json' version '0.6.9' is not compatible with required plugin version '0.7.0'",
		},
		{
			[]rule.Plugin{{"json", "1.0.0"}},
			"Plugin 'json' version '1.0.0' is not compatible with required plugin version '0.7.0'",
		},
		{[]rule.Plugin{{"json", "new"}}, "Plugin 'json' has invalid version string 'new'"},
	} {
		l := newAny()
		load(t, l, file)
		if got := fmt.Sprint(l.CheckPlugins(c.plugins)); got != c.want {
			t.Errorf("%v:\n got %s\nwant %s", c.plugins, got, c.want)
		}
	}
}

// TestPluginRules loads all upstream rule files, those of plugins among them: without the plugin, the rules are skipped with
// a warning.
func TestPluginRules(t *testing.T) {
	files, _ := filepath.Glob(shared + "rules/upstream/*.yaml")
	if len(files) == 0 {
		t.Skip("the rule files are not here")
	}
	l := newAny()
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if res := l.Load(filepath.Base(f), content); !res.Successful() {
			t.Errorf("%.1000s", res.Verbose())
		}
	}
}

func TestSchemaJSON(t *testing.T) {
	var s struct {
		Schema      string `json:"$schema"`
		Definitions map[string]struct{ Properties map[string]any }
	}
	if err := json.Unmarshal(rule.SchemaJSON(), &s); err != nil {
		t.Fatal(err)
	}
	if n := len(s.Definitions["FalcoRule"].Properties); n != 20 || len(s.Definitions) != 8 || s.Schema == "" {
		t.Errorf("%d keys of items, %d definitions, %q", n, len(s.Definitions), s.Schema)
	}
}
