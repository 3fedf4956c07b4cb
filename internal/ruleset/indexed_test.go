package ruleset_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/filter"
	"github.com/saker-sec/saker/internal/rule"
	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/internal/state"
)

// indexable are fields of one text, and above all those of which one is a part of another.
var indexable = []string{"fd.name", "fd.directory", "fd.filename", "proc.name", "proc.cmdline", "fs.path.name"}

// seen returns the values that fields have in a capture, sorted, each once.
func seen(t testing.TB, fields []string, path string) map[string][]string {
	t.Helper()
	catalogue := testOptions(t).Fields(ruleset.SyscallSource)
	texts := map[string][]string{}
	for _, name := range fields {
		x, err := catalogue.Bind(name, "", false, true)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]bool{}
		replay(t, path, func(c *state.Ctx) {
			if s, ok := x.Text(c); ok {
				all[strings.Clone(s)] = true
			}
		})
		texts[name] = slices.Sorted(maps.Keys(all))
	}
	return texts
}

// near returns a text that is s, a part of it, or a little more, in the quotes of conditions.
func near(r *rand.Rand, s string) string {
	switch from, to := r.IntN(len(s)+1), r.IntN(len(s)+1); r.IntN(6) {
	case 0:
		s = s[from:]
	case 1:
		s = s[:to]
	case 2:
		s += string("/x"[r.IntN(2)])
	case 3:
		s = s[strings.LastIndexByte(s, '/')+1:]
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(strings.ToValidUTF8(s, "?")) + `"`
}

// askEnds returns comparisons that mostly ask for the beginning or the end of a text, with what a capture has.
func askEnds(t testing.TB, r *rand.Rand, texts map[string][]string, n int) []filter.Expr {
	t.Helper()
	var checks []filter.Expr
	for len(checks) < n {
		name := indexable[r.IntN(len(indexable))]
		if r.IntN(2) == 0 {
			name = indexable[r.IntN(3)]
		}
		all := texts[name]
		if len(all) == 0 {
			continue
		}
		value := func() string { return near(r, all[r.IntN(len(all))]) }
		text := name + " "
		switch op := []string{"=", "!=", "startswith", "endswith", "glob", "glob", "in", "pmatch", "contains"}[r.IntN(9)]; op {
		case "in", "pmatch":
			text += op + " (" + value() + ", " + value() + ", " + value() + ")"
		case "glob":
			v := strings.Trim(value(), `"`)
			text += op + ` "` + []string{v + "*", "*" + v, v + "?", "*" + v + "*", v + "*" + v}[r.IntN(5)] + `"`
		default:
			text += op + " " + value()
		}
		e, err := filter.Parse(text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		checks = append(checks, e)
	}
	return checks
}

// TestOracleOfEnds is TestOracle with comparisons that share indexes, of which many hold: it fails when a guard is down for
// what holds.
func TestOracleOfEnds(t *testing.T) {
	captures := []string{"lab/quiet.scap", "falco/open-multiple-files.scap", "libs/sample.scap", "falco/connect_localhost.scap"}
	for i, name := range captures {
		path := filepath.Join(shared, "captures", name)
		texts := seen(t, indexable, path)
		for seed := range uint64(3) {
			r := rand.New(rand.NewPCG(seed, uint64(i)))
			checks := askEnds(t, r, texts, 40)
			var list []*rule.Rule
			for i := range 120 {
				e := checks[i%len(checks)]
				if i >= len(checks) {
					e = condition(r, checks, 3)
				}
				list = append(list, &rule.Rule{Name: fmt.Sprint(i), Expr: e, Output: "x", Source: ruleset.SyscallSource, Enabled: true})
			}
			if err := compare(t, list, path); err != nil {
				t.Errorf("seed %d, %s: %v", seed, name, err)
			}
		}
	}
}
