package ruleset_test

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/capture"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/filter"
	"github.com/saker-sec/saker/internal/match"
	"github.com/saker-sec/saker/internal/rule"
	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/internal/state"
)

const shared = "../../../shared"

// selection is what a condition selects in one capture.
type selection struct {
	Count int    `json:"count"`
	First *int   `json:"first"`
	Sha   string `json:"sha"` // of the numbers of the events
}

type conditionGolden struct {
	Condition string               `json:"condition"`
	Matches   map[string]selection `json:"matches"`
	Rejected  [][2]string          `json:"rejected"`
}

func readLines(t testing.TB, path string, line func([]byte)) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Skipf("the goldens are not there: %v", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		line(lines.Bytes())
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

func testOptions(t testing.TB) ruleset.Options {
	t.Helper()
	o := ruleset.Options{
		Sources: []string{ruleset.SyscallSource},
		Fields: func() func(string) *field.Catalogue {
			c := field.NewCatalogue()
			c.Add(noContainer(c))
			return func(string) *field.Catalogue { return c }
		}(),
	}
	if f, err := os.Open("/etc/services"); err == nil {
		defer f.Close()
		if o.Services, err = match.ReadServices(f); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// noContainer is the class of the fields that upstream rules ask of a container runtime where there is none: they have no
// value. Fields that the catalogue has already are left out.
func noContainer(c *field.Catalogue) *field.Class {
	class := &field.Class{Name: "container"}
	add := func(name string, typ field.Type, flags field.Flags, args ...field.ArgKind) {
		if _, ok := c.Lookup(name); ok {
			return
		}
		x := field.Extractor{Cost: 2}
		if typ == field.CHARBUF {
			x.Text = func(*state.Ctx) (string, bool) { return "", false }
		} else {
			x.Num = func(*state.Ctx) (uint64, bool) { return 0, false }
		}
		class.Fields = append(class.Fields, field.Field{
			Name: name, Type: typ, Flags: flags, Args: args,
			Bind: func(string, bool) (*field.Extractor, error) { own := x; return &own, nil },
		})
	}
	for _, name := range []string{
		"container.name", "container.image.repository", "container.image.tag", "container.mounts", "k8s.ns.name", "k8s.pod.name",
	} {
		add(name, field.CHARBUF, 0)
	}
	add("container.mount.dest", field.CHARBUF, field.ArgRequired, field.ArgIndex, field.ArgKey)
	add("container.privileged", field.BOOL, 0)
	add("container.start_ts", field.ABSTIME, 0)
	return class
}

// ruleOf returns a rule of the system-call source with a condition.
func ruleOf(t testing.TB, name, condition string) *rule.Rule {
	t.Helper()
	e, err := filter.Parse(condition)
	if err != nil {
		t.Fatalf("%s: %v", condition, err)
	}
	return &rule.Rule{Name: name, Expr: e, Output: "x", Source: ruleset.SyscallSource, Enabled: true}
}

// replay calls see for every event of a capture that rules see.
func replay(t testing.TB, path string, see func(*state.Ctx)) {
	t.Helper()
	r, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	s := state.New(state.Config{})
	s.Load(r.Snapshot())
	var e event.Event
	for {
		err := r.Next(&e)
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if c := s.Apply(&e); e.Dump&event.StateOnly == 0 {
			see(c)
		}
	}
}

// TestConditions compiles 799 conditions into one ruleset and compares which events each selects in every capture.
func TestConditions(t *testing.T) {
	var goldens []conditionGolden
	var rules []*rule.Rule
	readLines(t, filepath.Join(shared, "golden", "conditions.jsonl.gz"), func(line []byte) {
		var g conditionGolden
		if err := json.Unmarshal(line, &g); err != nil {
			t.Fatal(err)
		}
		if g.Condition != "" {
			goldens = append(goldens, g)
			rules = append(rules, ruleOf(t, strconv.Itoa(len(rules)), g.Condition))
		}
	})
	type result struct {
		count, first int
		sum          []byte
	}
	differ := map[string][]string{}
	for capture := range goldens[0].Matches {
		rs, err := ruleset.New(rules, testOptions(t))
		if err != nil {
			t.Fatal(err)
		}
		results := make([]result, len(rules))
		replay(t, filepath.Join(shared, "captures", capture), func(c *state.Ctx) {
			for _, r := range rs.Match(c) {
				i, _ := strconv.Atoi(r.Name)
				res := &results[i]
				if res.count == 0 {
					res.first = int(c.Event.Num)
				} else {
					res.sum = append(res.sum, ',')
				}
				res.count++
				res.sum = strconv.AppendUint(res.sum, c.Event.Num, 10)
			}
		})
		for i, g := range goldens {
			want := g.Matches[capture]
			sum := sha256.Sum256(results[i].sum)
			if got := hex.EncodeToString(sum[:])[:12]; got != want.Sha {
				differ[g.Condition] = append(differ[g.Condition],
					fmt.Sprintf("%s: %d, want %d", capture, results[i].count, want.Count))
			}
		}
	}
	same := len(goldens) - len(differ)
	for condition := range differ {
		if why, ok := conditionDeviation(condition); ok {
			t.Logf("%s differs on purpose: %s", condition, why)
			delete(differ, condition)
		}
	}
	var list []string
	for condition, where := range differ {
		list = append(list, condition+"\n\t"+strings.Join(where, "\n\t"))
	}
	sort.Strings(list)
	for _, l := range list {
		t.Error(l)
	}
	t.Logf("%d of %d conditions select what the reference selects", same, len(goldens))
}

// conditionDeviation says why a condition may differ from the reference.
func conditionDeviation(condition string) (string, bool) {
	for _, c := range []string{"proc.aexepath endswith oneof", "proc.aexepath startswith anyof"} {
		if strings.HasPrefix(condition, c) {
			return "the reference ignores the modifier when it searches ancestors, and compares with the first value alone", true
		}
	}
	return "", false
}

// TestRejected compares the message for each condition that the reference refuses.
func TestRejected(t *testing.T) {
	c := ruleset.NewChecker(testOptions(t))
	n := 0
	readLines(t, filepath.Join(shared, "golden", "conditions.jsonl.gz"), func(line []byte) {
		var g conditionGolden
		if err := json.Unmarshal(line, &g); err != nil {
			t.Fatal(err)
		}
		for _, r := range g.Rejected {
			n++
			e, err := filter.Parse(r[0])
			if err == nil {
				_, err = c.Condition(ruleset.SyscallSource, e)
			}
			if err == nil || err.Error() != r[1] {
				t.Errorf("%s\n got %v\nwant %s", r[0], err, r[1])
			}
		}
	})
	if n == 0 {
		t.Error("the golden has no rejected conditions")
	}
}
