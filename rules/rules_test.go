package rules_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/plugin"
	"github.com/saker-sec/saker/internal/rule"
	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/rules"
	"go.yaml.in/yaml/v3"
)

// options are those of a program without plugins.
func options() ruleset.Options {
	catalogue := field.NewCatalogue()
	return ruleset.Options{
		Sources: []string{ruleset.SyscallSource},
		Fields:  func(string) *field.Catalogue { return catalogue },
	}
}

// changeOptions are those of a program with the plugin k8s_change.
func changeOptions(t *testing.T) ruleset.Options {
	t.Helper()
	loaded, err := plugin.Load([]plugin.Config{{Name: plugin.K8sChange}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	catalogue := field.NewCatalogue()
	for _, l := range loaded {
		for _, class := range l.Classes {
			catalogue.Add(class)
		}
	}
	return ruleset.Options{Sources: []string{ruleset.SyscallSource, plugin.K8sChange}, Fields: catalogue.Of}
}

// load loads the default rules as the program does.
func load(t *testing.T) []*rule.Rule {
	t.Helper()
	name, text := rules.Default()
	return loadFile(t, options(), name, text)
}

func loadFile(t *testing.T, o ruleset.Options, name string, text []byte) []*rule.Rule {
	t.Helper()
	loader := rule.NewLoader(rule.Config{Checker: ruleset.NewChecker(o), MinPriority: alert.Debug})
	result := loader.Load(name, text)
	for _, f := range result.Errors {
		file, line, col := f.Place()
		t.Errorf("%s:%d:%d: error %v: %s", file, line, col, f.Code, f.Message)
	}
	for _, f := range result.Warnings {
		file, line, col := f.Place()
		t.Errorf("%s:%d:%d: warning %v: %s", file, line, col, f.Code, f.Message)
	}
	if schema := result.Schema(); schema != "ok" {
		t.Errorf("%s: schema: %s", name, schema)
	}
	if t.Failed() {
		t.FailNow()
	}
	return loader.Rules()
}

// TestDefaultRulesCompile loads the default rules without an error or a warning and compiles them.
func TestDefaultRulesCompile(t *testing.T) {
	loaded := load(t)
	if _, err := ruleset.New(loaded, options()); err != nil {
		t.Fatalf("compiling the default rules: %v", err)
	}
	t.Logf("%d rules", len(loaded))
}

// TestChangeRulesCompile does the same with the rules about changes of a Kubernetes cluster, and checks what a person reads of
// them. That each is provoked is tested in internal/app.
func TestChangeRulesCompile(t *testing.T) {
	o := changeOptions(t)
	name, text := rules.K8sChange()
	loaded := loadFile(t, o, name, text)
	if _, err := ruleset.New(loaded, o); err != nil {
		t.Fatalf("compiling the rules about changes of a cluster: %v", err)
	}
	docs := read(t, filepath.Join("..", "docs", "rules.md"))
	for _, r := range loaded {
		if len(r.Desc) < 40 || !strings.HasSuffix(strings.TrimSpace(r.Desc), ".") {
			t.Errorf("rule %q: the description is not a sentence", r.Name)
		}
		tags := strings.Join(r.Tags, " ")
		if !slices.Contains(r.Tags, "k8s") || !strings.Contains(tags, " mitre_") || !strings.Contains(tags, " maturity_") || !slices.ContainsFunc(r.Tags, technique.MatchString) {
			t.Errorf("rule %q: the tags %q lack one of: maturity_<level>, k8s, mitre_<tactic>, a technique", r.Name, tags)
		}
		if r.Source != plugin.K8sChange || !strings.Contains(r.Output, "%k8schange.name") || !strings.Contains(r.Output, "%k8schange.user") {
			t.Errorf("rule %q: source %s, output %q: the name of the object or who changed it is missing", r.Name, r.Source, r.Output)
		}
		if !strings.Contains(docs, "| "+r.Name+" |") {
			t.Errorf("rule %q has no line in docs/rules.md", r.Name)
		}
	}
}

// technique matches the names of ATT&CK techniques and tactics in tags.
var technique = regexp.MustCompile(`^(T\d{4}(\.\d{3})?|TA\d{4})$`)

// TestDefaultRulesAreDescribed checks what a person reads of a rule: description, tags, output, documentation, and that
// a live test provokes it.
func TestDefaultRulesAreDescribed(t *testing.T) {
	docs := read(t, filepath.Join("..", "docs", "rules.md"))
	tests := liveTests(t)
	for _, r := range load(t) {
		if len(r.Desc) < 40 || !strings.HasSuffix(strings.TrimSpace(r.Desc), ".") {
			t.Errorf("rule %q: the description is not a sentence", r.Name)
		}
		tags := strings.Join(r.Tags, " ")
		tactic, place, maturity, number := false, false, false, false
		for _, tag := range r.Tags {
			tactic = tactic || strings.HasPrefix(tag, "mitre_")
			place = place || tag == "host" || tag == "container"
			maturity = maturity || strings.HasPrefix(tag, "maturity_")
			number = number || technique.MatchString(tag)
		}
		if !tactic || !place || !maturity || !number {
			t.Errorf("rule %q: the tags %q lack one of: mitre_<tactic>, host or container, maturity_<level>, a technique", r.Name, tags)
		}
		for _, part := range []string{"%proc.exepath", "%proc.cmdline", "%proc.pexepath", "%user.uid", "%container.id", "%evt.res"} {
			if !strings.Contains(r.Output, part) {
				t.Errorf("rule %q: the output lacks %s", r.Name, part)
			}
		}
		if !strings.Contains(docs, "| "+r.Name+" |") {
			t.Errorf("rule %q has no line in docs/rules.md", r.Name)
		}
		if !strings.Contains(tests, `"`+r.Name+`"`) {
			t.Errorf("rule %q has no case in test/live", r.Name)
		}
	}
}

// TestExemptionsDoNotRestOnNames refuses "not proc.name": a name is the program's own choice.
func TestExemptionsDoNotRestOnNames(t *testing.T) {
	_, text := rules.Default()
	for i, line := range strings.Split(string(text), "\n") {
		if regexp.MustCompile(`not \(?proc\.(name|exe|pname|pexe|aname|aexe|sname) `).MatchString(line) {
			t.Errorf("saker_rules.yaml:%d: an exemption rests on a name that the program chooses: %s", i+1, strings.TrimSpace(line))
		}
	}
}

// TestUpstreamRulesAreCovered holds docs/rules.md against the names of the stable and incubating upstream rules.
func TestUpstreamRulesAreCovered(t *testing.T) {
	docs := read(t, filepath.Join("..", "docs", "rules.md"))
	for _, name := range []string{"falco_rules.yaml", "falco-incubating_rules.yaml"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "shared", "rules", "upstream", name))
		if err != nil {
			t.Skipf("needs the upstream rules: %v", err)
		}
		var items []struct {
			Rule string `yaml:"rule"`
		}
		if err := yaml.Unmarshal(text, &items); err != nil {
			t.Fatalf("reading %s: %v", name, err)
		}
		for _, item := range items {
			if item.Rule != "" && !strings.Contains(docs, item.Rule) {
				t.Errorf("docs/rules.md does not say which rule covers %q of %s", item.Rule, name)
			}
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// liveTests returns the text of the tables of live tests.
func liveTests(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", "test", "live", "*_test.go"))
	if err != nil || len(files) == 0 {
		t.Fatalf("looking for the live tests: %v (%d files)", err, len(files))
	}
	var b strings.Builder
	for _, f := range files {
		b.WriteString(read(t, f))
	}
	return b.String()
}
