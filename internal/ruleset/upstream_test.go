package ruleset_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/capture"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/rule"
	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/internal/state"
)

// upstreamRules loads Falco's three rule files for system calls.
func upstreamRules(t testing.TB) []*rule.Rule {
	t.Helper()
	l := rule.NewLoader(rule.Config{Checker: ruleset.NewChecker(testOptions(t)), MinPriority: alert.Debug})
	for _, name := range []string{"falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"} {
		content, err := os.ReadFile(filepath.Join(shared, "rules", "upstream", name))
		if err != nil {
			t.Skipf("the rule files are not there: %v", err)
		}
		res := l.Load(name, content)
		if len(res.Errors) > 0 {
			t.Fatalf("loading %s: %s", name, rule.ValidationText([]*rule.Result{res}))
		}
	}
	return l.Rules()
}

func TestUpstreamRules(t *testing.T) {
	rules := upstreamRules(t)
	if len(rules) != 93 {
		t.Errorf("loaded %d rules, want 93", len(rules))
	}
	for _, r := range rules {
		r.Enabled = true
	}
	if _, err := ruleset.New(rules, testOptions(t)); err != nil {
		t.Error(err)
	}
}

// TestAlerts replays a recorded series of attacks and compares which rules match when.
func TestAlerts(t *testing.T) {
	rs, err := ruleset.New(upstreamRules(t), testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int{}
	readLines(t, filepath.Join(shared, "golden", "suspicious.alerts.jsonl.gz"), func(line []byte) {
		var a struct {
			Rule string    `json:"rule"`
			Time time.Time `json:"time"`
		}
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatal(err)
		}
		want[fmt.Sprint(a.Time.UnixNano(), " ", a.Rule)]++
	})
	n := 0
	for _, count := range want {
		n += count
	}
	replay(t, filepath.Join(shared, "captures/lab/suspicious.scap"), func(c *state.Ctx) {
		for _, r := range rs.Match(c) {
			key := fmt.Sprint(c.Event.Time, " ", r.Name)
			if want[key] == 0 {
				t.Errorf("unexpected: event %d: %s", c.Event.Num, key)
				continue
			}
			want[key]--
		}
	})
	for key, count := range want {
		if count > 0 {
			t.Errorf("missing: %s", key)
			n -= count
		}
	}
	t.Logf("%d alerts as expected", n)
}

// TestQuiet replays ordinary work, which no rule matches, without allocating in Match.
func TestQuiet(t *testing.T) {
	rs, err := ruleset.New(upstreamRules(t), testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	events := 0
	allocs := 0.0
	replay(t, filepath.Join(shared, "captures/lab/quiet.scap"), func(c *state.Ctx) {
		events++
		for _, r := range rs.Match(c) {
			t.Errorf("event %d: %s", c.Event.Num, r.Name)
		}
		if events > 5000 && events%50 == 0 {
			allocs += testing.AllocsPerRun(10, func() { rs.Match(c) }) // rounded down, so that what others allocate now and then does not count
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations in %d events", allocs, events)
	}
}

// recording is a capture in memory.
type recording struct {
	snap   *event.Snapshot
	events []event.Event
}

func record(b *testing.B, path string) *recording {
	b.Helper()
	r, err := capture.Open(path)
	if err != nil {
		b.Skipf("the captures are not there: %v", err)
	}
	defer r.Close()
	rec := &recording{snap: r.Snapshot()}
	var e event.Event
	for {
		err := r.Next(&e)
		if errors.Is(err, io.EOF) {
			return rec
		}
		if err != nil {
			b.Fatal(err)
		}
		own := event.Event{Num: e.Num, CPU: e.CPU, Dump: e.Dump, Source: e.Source}
		if err := own.Decode(append([]byte(nil), e.Raw()...)); err != nil {
			b.Fatal(err)
		}
		rec.events = append(rec.events, own)
	}
}

// BenchmarkEvents measures an event: the state alone, and with rules. ns/op is per event.
func BenchmarkEvents(b *testing.B) {
	trivial := []*rule.Rule{ruleOf(b, "trivial", "evt.type = open and proc.name = nobody")}
	for _, name := range []string{"suspicious", "quiet"} {
		rec := record(b, filepath.Join(shared, "captures/lab", name+".scap"))
		for _, c := range []struct {
			name  string
			rules []*rule.Rule
		}{
			{"state", nil}, {"trivial", trivial}, {"upstream", upstreamRules(b)},
		} {
			b.Run(name+"/"+c.name, func(b *testing.B) {
				rs, err := ruleset.New(c.rules, testOptions(b))
				if err != nil {
					b.Fatal(err)
				}
				var s *state.State
				at := len(rec.events)
				b.ReportAllocs()
				for b.Loop() {
					if at == len(rec.events) {
						b.StopTimer()
						s = state.New(state.Config{})
						s.Load(rec.snap)
						at = 0
						b.StartTimer()
					}
					e := &rec.events[at]
					at++
					if ctx := s.Apply(e); e.Dump&event.StateOnly == 0 && c.rules != nil {
						rs.Match(ctx)
					}
				}
			})
		}
	}
}
