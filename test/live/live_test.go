//go:build linux

package live

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	_ "github.com/saker-sec/saker/internal/app" // the program that is built: what changes in it is to be tested again
	"github.com/saker-sec/saker/rules"
	"github.com/saker-sec/saker/test/alone"
	"go.yaml.in/yaml/v3"
)

// TestMain runs the tests, or, in a process that a test started, the one act that it was started for.
func TestMain(m *testing.M) {
	if act := os.Getenv(envAct); act != "" {
		os.Exit(perform(act))
	}
	alone.Wait()
	os.Exit(m.Run())
}

// provocation is one line of the table of live tests: what is done, and which rules are to speak.
type provocation struct {
	rule    string   // the rule it is meant for
	variant string   // tells several provocations of one rule apart
	also    []string // other rules that are right to speak of the same deed

	in surroundings // where it is done
	do func(*scene)

	missIn   *surroundings // where the near miss is done; nil for the same place
	miss     func(*scene)  // something alike that must not raise the rule
	missAlso []string      // other rules that are right to speak of the near miss
}

// key names the provocation within the tables.
func (p *provocation) key() string {
	if p.variant == "" {
		return p.rule
	}
	return p.rule + "/" + p.variant
}

// provocations is the whole table, by tactic.
func provocations() []provocation {
	return slices.Concat(executionProvocations(), credentialProvocations(), persistenceProvocations(),
		privilegeProvocations(), evasionProvocations(), networkProvocations())
}

// localOnlyRule is the rule that speaks only of containers named in a list; the test names the container of its case.
const localOnlyRule = "Container traffic leaves local networks"

// settleTime bounds every wait for the sensor.
const settleTime = 60 * time.Second

// TestDefaultRules provokes every default rule, and its near miss, in one run of the sensor.
func TestDefaultRules(t *testing.T) {
	bench := newBench(t)
	name, text := rules.Default()
	file := bench.file(name, text)
	overrides := bench.file("overrides.yaml", markingRules(t, text))
	sensor := bench.start(t, file, overrides)

	table := append(provocations(), evasions()...)
	did, missed := make([]bool, len(table)), make([]bool, len(table))
	for i := range table {
		did[i] = bench.play(t, &table[i], false)
		missed[i] = bench.play(t, &table[i], true)
	}
	alerts := sensor.finish(t)

	for i := range table {
		p := &table[i]
		if did[i] {
			compareAlerts(t, p.key()+": provocation", alerts[caseName(p.key(), false)], append([]string{p.rule}, p.also...))
		}
		if missed[i] {
			compareAlerts(t, p.key()+": near miss", alerts[caseName(p.key(), true)], p.missAlso)
		}
	}
}

// TestEveryRuleIsProvoked holds the table against the default rules: one provocation with a near miss for each.
func TestEveryRuleIsProvoked(t *testing.T) {
	_, text := rules.Default()
	seen := map[string]bool{}
	for _, p := range provocations() {
		if seen[p.rule] {
			t.Errorf("rule %q has two provocations", p.rule)
		}
		seen[p.rule] = true
		if p.do == nil || p.miss == nil {
			t.Errorf("rule %q: the provocation or its near miss is missing", p.rule)
		}
	}
	for _, name := range ruleNames(t, text) {
		if !seen[name] {
			t.Errorf("rule %q has no provocation in this package", name)
		}
		delete(seen, name)
	}
	for name := range seen {
		t.Errorf("a provocation names the rule %q, which does not exist", name)
	}
}

// TestEmbeddedRules runs the sensor without any rules file: it must start with the embedded ones, and end cleanly.
func TestEmbeddedRules(t *testing.T) {
	bench := newBench(t)
	sensor := bench.start(t)
	bench.sentinel(t)
	sensor.await(t, func(a alertLine) bool { return a.Rule == sentinelRule })
	sensor.stop(t)
}

// compareAlerts reports the rules that spoke without being expected and those that were expected and did not speak.
func compareAlerts(t *testing.T, what string, got []alertLine, expected []string) {
	t.Helper()
	spoke := map[string]alertLine{}
	for _, a := range got {
		spoke[a.Rule] = a
	}
	for _, rule := range expected {
		if _, ok := spoke[rule]; !ok {
			t.Errorf("%s: no alert of rule %q", what, rule)
		}
		delete(spoke, rule)
	}
	for rule, a := range spoke {
		t.Errorf("%s: unexpected alert of rule %q: %s", what, rule, a.Output)
	}
}

// ruleItem is what the tests need to know of an item of a rules file.
type ruleItem struct {
	Rule    string `yaml:"rule"`
	Enabled *bool  `yaml:"enabled"`
}

// ruleItems returns the rules of a rules file in their order.
func ruleItems(t *testing.T, text []byte) []ruleItem {
	t.Helper()
	var items, found []ruleItem
	if err := yaml.Unmarshal(text, &items); err != nil {
		t.Fatalf("reading the rules file: %v", err)
	}
	for _, item := range items {
		if item.Rule != "" {
			found = append(found, item)
		}
	}
	return found
}

func ruleNames(t *testing.T, text []byte) []string {
	t.Helper()
	var names []string
	for _, item := range ruleItems(t, text) {
		names = append(names, item.Rule)
	}
	sort.Strings(names)
	return names
}

// markingRules returns a rules file that appends the mark of the test case to the output of every rule in the given
// files, enables those that are off, and names the containers of the case that needs it.
func markingRules(t *testing.T, files ...[]byte) []byte {
	t.Helper()
	marking := markingOutputs(t, files...)
	for _, text := range files {
		for _, item := range ruleItems(t, text) {
			if item.Enabled != nil && !*item.Enabled {
				marking = append(marking, "- rule: "+yamlText(item.Rule)+"\n  enabled: true\n  override: {enabled: replace}\n"...)
			}
			if item.Rule == localOnlyRule {
				marking = append(marking, "- list: user_local_only_containers\n  items: ["+containerID(caseName(localOnlyRule, false))[:12]+", "+
					containerID(caseName(localOnlyRule, true))[:12]+"]\n  override: {items: append}\n"...)
			}
		}
	}
	return marking
}

// markingOutputs returns a rules file that appends the mark of the test case to the output of every rule.
func markingOutputs(t *testing.T, files ...[]byte) []byte {
	t.Helper()
	var b strings.Builder
	for _, text := range files {
		for _, item := range ruleItems(t, text) {
			b.WriteString("- rule: " + yamlText(item.Rule) + "\n")
			b.WriteString("  output: \" mark=%proc.env[" + envCase + "] amark=%proc.aenv[" + envCase + "]\"\n")
			b.WriteString("  override: {output: append}\n")
		}
	}
	return []byte(b.String())
}

func yamlText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// prebuilt is for machines without a compiler.
var prebuilt = flag.String("saker", "", "the program under test; compiled from cmd/saker when empty")

// buildSensor compiles the program under test into dir.
func buildSensor(t *testing.T, dir string) string {
	t.Helper()
	if *prebuilt != "" {
		return *prebuilt
	}
	target := filepath.Join(dir, "saker")
	build := exec.Command("go", "build", "-o", target, "./cmd/saker")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building cmd/saker: %v\n%s", err, out)
	}
	return target
}
