package ruleset_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/filter"
	"github.com/saker-sec/saker/internal/match"
	"github.com/saker-sec/saker/internal/rule"
	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/internal/state"
)

// oracle evaluates a condition by walking its tree for each event; nothing is decided beforehand, shared or reordered.
type oracle struct {
	compile *match.Compiler
	checks  map[*filter.Check]*match.Check
	frame   *match.Frame
	codes   []match.Bits // event types that each rule is tried for
}

func newOracle(t testing.TB, rules []*rule.Rule) *oracle {
	t.Helper()
	o := testOptions(t)
	w := &oracle{
		compile: match.NewCompiler(o.Fields(ruleset.SyscallSource), o.Services, nil),
		checks:  map[*filter.Check]*match.Check{},
	}
	for _, r := range rules {
		codes, err := match.EventCodes(r.Expr)
		if err != nil {
			t.Fatal(err)
		}
		w.codes = append(w.codes, codes)
		filter.Walk(r.Expr, func(e filter.Expr) {
			k, ok := e.(*filter.Check)
			if !ok {
				return
			}
			c, err := w.compile.Check(k)
			if err != nil {
				t.Fatalf("%s: %v", filter.Print(r.Expr), err)
			}
			w.checks[k] = c
		})
	}
	w.frame = w.compile.NewFrame()
	return w
}

func (o *oracle) holds(e filter.Expr) bool {
	switch e := e.(type) {
	case *filter.And:
		for _, k := range e.Kids {
			if !o.holds(k) {
				return false
			}
		}
		return true
	case *filter.Or:
		for _, k := range e.Kids {
			if o.holds(k) {
				return true
			}
		}
		return false
	case *filter.Not:
		return !o.holds(e.Kid)
	case *filter.Check:
		return o.checks[e].Eval(o.frame)
	}
	return false
}

// matches returns the indices of the rules that match, in order.
func (o *oracle) matches(rules []*rule.Rule, c *state.Ctx) []int {
	o.frame.Begin(c)
	var out []int
	for i, r := range rules {
		if o.codes[i].Has(int(c.Event.Code)) && o.holds(r.Expr) {
			out = append(out, i)
		}
	}
	return out
}

// pool returns comparisons to build conditions from: those of the golden conditions, and some on the type of the event.
func pool(t testing.TB) []filter.Expr {
	t.Helper()
	var checks []filter.Expr
	add := func(condition string) {
		e, err := filter.Parse(condition)
		if err != nil {
			t.Fatal(err)
		}
		filter.Walk(e, func(e filter.Expr) {
			if k, ok := e.(*filter.Check); ok {
				checks = append(checks, k)
			}
		})
	}
	readLines(t, filepath.Join(shared, "golden", "conditions.jsonl.gz"), func(line []byte) {
		var g conditionGolden
		if err := json.Unmarshal(line, &g); err != nil {
			t.Fatal(err)
		}
		if g.Condition != "" {
			add(g.Condition)
		}
	})
	for range 40 {
		add("evt.type in (open, openat, execve, connect) or evt.type = close or evt.type != read or evt.num = 0 or " +
			"evt.num >= 0 or evt.type = getuid or syscall.type = futex or evt.dir = < or evt.category = file or " +
			"evt.type exists or syscall.type in (read, write, mprotect, munmap)")
	}
	return checks
}

// condition returns a random condition over a pool.
func condition(r *rand.Rand, pool []filter.Expr, depth int) filter.Expr {
	if depth == 0 || r.IntN(4) == 0 {
		return pool[r.IntN(len(pool))]
	}
	switch r.IntN(5) {
	case 0:
		return &filter.Not{Kid: condition(r, pool, depth-1)}
	case 1, 2:
		return &filter.Or{Kids: conditions(r, pool, depth-1)}
	}
	return &filter.And{Kids: conditions(r, pool, depth-1)}
}

func conditions(r *rand.Rand, pool []filter.Expr, depth int) []filter.Expr {
	kids := make([]filter.Expr, 2+r.IntN(3))
	for i := range kids {
		kids[i] = condition(r, pool, depth)
	}
	return kids
}

// differ matches random rules against a capture with the compiled graph and with the oracle.
func differ(t testing.TB, seed uint64, checks []filter.Expr, rules int, path string) error {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 7))
	// Few comparisons for many rules, so that rules share them.
	few := make([]filter.Expr, 5+rules/2)
	for i := range few {
		few[i] = checks[r.IntN(len(checks))]
	}
	var list []*rule.Rule
	for i := range rules {
		list = append(list, &rule.Rule{
			Name: fmt.Sprint(i), Expr: condition(r, few, 4), Output: "x", Source: ruleset.SyscallSource, Enabled: true,
		})
	}
	return compare(t, list, path)
}

// compare matches rules against a capture with the compiled graph and with the oracle.
func compare(t testing.TB, list []*rule.Rule, path string) error {
	t.Helper()
	all, err := ruleset.New(list, testOptions(t))
	if err != nil {
		return err
	}
	o := testOptions(t)
	o.First = true
	first, err := ruleset.New(list, o)
	if err != nil {
		return err
	}
	w := newOracle(t, list)
	var failed error
	started := false
	replay(t, path, func(c *state.Ctx) {
		got, one := names(all.Match(c)), names(first.Match(c))
		typ := c.Event.Type()
		if started = started || typ.Name != "useradded" && typ.Name != "groupadded" && typ.Name != "container"; !started {
			return
		}
		if typ.Enter && typ.Class == event.ClassSyscall || failed != nil {
			return
		}
		var want []string
		for _, i := range w.matches(list, c) {
			want = append(want, list[i].Name)
		}
		if !slices.Equal(got, want) {
			failed = fmt.Errorf("event %d %s: all rules: got %v, want %v", c.Event.Num, typ.PPME, got, want)
		}
		if !slices.Equal(one, want[:min(1, len(want))]) {
			failed = fmt.Errorf("event %d %s: first rule: got %v, want %v", c.Event.Num, typ.PPME, one, want)
		}
	})
	return failed
}

func names(rules []*ruleset.Rule) []string {
	var out []string
	for _, r := range rules {
		out = append(out, r.Name)
	}
	return out
}

func TestOracle(t *testing.T) {
	checks := pool(t)
	captures := []string{"falco/cat_write.scap", "libs/sample.scap", "falco/syscall.scap", "libs/curl_google.scap"}
	for seed := range uint64(24) {
		path := filepath.Join(shared, "captures", captures[seed%uint64(len(captures))])
		if err := differ(t, seed, checks, 30, path); err != nil {
			t.Errorf("seed %d, %s: %v", seed, path, err)
		}
	}
}

func FuzzOracle(f *testing.F) {
	checks := pool(f)
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		if err := differ(t, seed, checks, 10, filepath.Join(shared, "captures", "falco/cat_write.scap")); err != nil {
			t.Fatal(err)
		}
	})
}
