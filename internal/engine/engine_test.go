package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/engine"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/rule"
	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/internal/state"
)

// script is a source that is written down: each step is the file that is opened, "idle", "state /path" for a state-only
// event, "section" for a new beginning, or "error". Events are half a second apart.
type script struct {
	steps []string
	enc   event.Encoder
	num   uint64
	now   uint64
	hook  func(step int)
}

var errSection = errors.New("a section")

func (s *script) Next(e *event.Event) error {
	if len(s.steps) == 0 {
		return io.EOF
	}
	step := s.steps[0]
	s.steps = s.steps[1:]
	s.now += 500_000_000
	s.num++
	if s.hook != nil {
		s.hook(int(s.num))
	}
	e.Num, e.Dump = s.num, 0
	switch step {
	case "idle":
		return event.ErrIdle
	case "error":
		return errors.New("the source broke")
	case "section":
		return errSection
	}
	if path, ok := strings.CutPrefix(step, "state "); ok {
		step, e.Dump = path, event.StateOnly
	}
	s.enc.Begin(event.SyscallOpenatV2X, s.now, 7)
	s.enc.Int64(3)
	s.enc.Int64(-100)
	s.enc.Text(step)
	s.enc.Uint32(1)
	s.enc.Uint32(0)
	s.enc.Uint32(1)
	s.enc.Uint64(1)
	return e.Decode(s.enc.Bytes())
}

func (s *script) Restart(err error) (*state.State, bool) {
	return newState(), errors.Is(err, errSection)
}

func newState() *state.State {
	s := state.New(state.Config{})
	s.AddProcess(&event.Process{TID: 7, PID: 7, PTID: 1, VTID: 7, VPID: 7, Comm: "cat", Exe: "cat", ExePath: "/usr/bin/cat", Cwd: "/"})
	return s
}

// compile returns rules that each report the files below one directory: "name=/dir".
func compile(t *testing.T, first bool, defs ...string) *ruleset.Ruleset {
	t.Helper()
	catalogue := field.NewCatalogue()
	o := ruleset.Options{Sources: []string{"syscall"}, Fields: func(string) *field.Catalogue { return catalogue }, First: first}
	l := rule.NewLoader(rule.Config{Checker: ruleset.NewChecker(o), MinPriority: alert.Debug})
	var text strings.Builder
	for _, d := range defs {
		name, dir, _ := strings.Cut(d, "=")
		fmt.Fprintf(&text, "- rule: %s\n  desc: d\n  condition: evt.type = openat and fd.name startswith %s\n  output: \"%s %%fd.name\"\n  priority: NOTICE\n", name, dir, name)
	}
	if res := l.Load("rules.yaml", []byte(text.String())); !res.Successful() {
		t.Fatal(res.Verbose())
	}
	set, err := ruleset.New(l.Rules(), o)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// run runs the steps and returns the messages of the alerts.
func run(t *testing.T, c engine.Config, s *script) (*engine.Engine, []string, error) {
	t.Helper()
	var got []string
	c.Source, c.State = s, newState()
	c.Report = func(a *alert.Alert) { got = append(got, a.Message) }
	c.Now = func() uint64 { return s.now }
	e := engine.New(c)
	err := e.Run(context.Background())
	return e, got, err
}

func TestRun(t *testing.T) {
	cases := []struct {
		name  string
		first bool
		limit uint64
		steps []string
		want  []string
	}{
		{"each match is reported", true, 0, []string{"/a/1", "/b/1", "/c/1"}, []string{"one /a/1", "two /b/1"}},
		{"first rule only", true, 0, []string{"/a/b/1"}, []string{"one /a/b/1"}},
		{"all rules", false, 0, []string{"/a/b/1"}, []string{"one /a/b/1", "three /a/b/1"}},
		{"state-only events do not match", true, 0, []string{"state /a/1", "/a/2"}, []string{"one /a/2"}},
		{"idle goes on", true, 0, []string{"idle", "/a/1", "idle"}, []string{"one /a/1"}},
		{"a new section goes on", true, 0, []string{"/a/1", "section", "/a/2"}, []string{"one /a/1", "one /a/2"}},
		{"the duration is event time", true, 1_000_000_000, []string{"/a/1", "/a/2", "/a/3"}, []string{"one /a/1", "one /a/2"}},
		{"what only describes the state is before it", true, 1_000_000_000, []string{"state /a/0", "/a/1", "/a/2", "/a/3"}, []string{"one /a/1", "one /a/2"}},
		{"the duration ends while no events come", true, 1_000_000_000, []string{"/a/1", "idle", "idle", "/a/3"}, []string{"one /a/1"}},
		{"and when none came at all", true, 1_000_000_000, []string{"idle", "idle", "idle", "/a/3"}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e, got, err := run(t, engine.Config{Rules: compile(t, c.first, "one=/a/", "two=/b/", "three=/a/b/"), Duration: c.limit}, &script{steps: c.steps})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("alerts %q, want %q", got, c.want)
			}
			if s := e.Stats(); s.Alerts != uint64(len(c.want)) || s.ByPriority[alert.Notice] != s.Alerts {
				t.Errorf("statistics %+v", s)
			}
		})
	}
}

func TestRunReportsErrors(t *testing.T) {
	_, got, err := run(t, engine.Config{Rules: compile(t, true, "one=/a/")}, &script{steps: []string{"/a/1", "error", "/a/2"}})
	if err == nil || err.Error() != "reading events: the source broke" || len(got) != 1 {
		t.Errorf("alerts %q, error %v", got, err)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		s := &script{steps: slices.Repeat([]string{"/a/1"}, 100)}
		s.hook = func(step int) {
			if step == 10 {
				cancel()
				synctest.Wait() // until the engine knows
			}
		}
		n := 0
		e := engine.New(engine.Config{Source: s, State: newState(), Rules: compile(t, true, "one=/a/"), Report: func(*alert.Alert) { n++ }})
		if err := e.Run(ctx); err != nil {
			t.Fatal(err)
		}
		if n != 10 {
			t.Errorf("%d alerts, want those of the 10 events that came before the context was done", n)
		}
	})
}

// TestSwap exchanges the rules in the middle of a stream: every event meets one ruleset, none is lost.
func TestSwap(t *testing.T) {
	s := &script{steps: slices.Repeat([]string{"/a/1"}, 40)}
	var e *engine.Engine
	other := compile(t, true, "two=/a/")
	s.hook = func(step int) {
		if step == 20 {
			e.Swap(other)
		}
	}
	var got []string
	e = engine.New(engine.Config{Source: s, State: newState(), Rules: compile(t, true, "one=/a/"), Report: func(a *alert.Alert) { got = append(got, a.Rule) }})
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(got) != 40 {
		t.Fatalf("%d alerts for 40 events", len(got))
	}
	swapped := slices.Index(got, "two")
	if swapped != 19 || slices.Contains(got[swapped:], "one") {
		t.Errorf("rules that matched: %v", got)
	}
}

func TestDropsRaiseAlerts(t *testing.T) {
	var lost uint64
	s := &script{steps: []string{"/x", "/x", "/x", "/x", "/x", "/x", "/x"}}
	s.hook = func(step int) { lost = uint64(step) * 5 }
	c := engine.Config{
		Rules: compile(t, true, "one=/a/"), Hostname: "lab",
		Losses: func() engine.Losses { return engine.Losses{Events: lost * 2, Lost: lost, Open: lost, Buffer: lost} },
		Drops:  engine.DropPolicy{Threshold: .1, Burst: 1, Actions: engine.DropLog | engine.DropAlert},
	}
	var logged []string
	c.Log = func(line string) { logged = append(logged, line) }
	e, got, err := run(t, c, s)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || !strings.HasPrefix(got[0], "Falco internal: syscall event drop. ") || len(logged) != 1 {
		t.Errorf("alerts %q, log %q", got, logged)
	}
	if s := e.Stats(); s.Alerts != 0 || s.DropsDetected < 2 || s.DropActions != 1 {
		t.Errorf("statistics %+v", s)
	}
	c.Drops.Actions = engine.DropExit
	if _, _, err := run(t, c, &script{steps: []string{"/x", "/x", "/x", "/x"}}); !errors.Is(err, engine.ErrDrops) {
		t.Errorf("with action exit: %v", err)
	}
}

// TestClockIsSetBack counts the looks at losses, shed entries and metrics before and after the clock of the events goes back by an hour.
func TestClockIsSetBack(t *testing.T) {
	s := &script{now: 1e18, steps: slices.Concat(slices.Repeat([]string{"/x"}, 20), slices.Repeat([]string{"idle"}, 20))}
	steps := 0
	s.hook = func(step int) {
		steps = step
		if step == 11 || step == 31 {
			s.now -= 3600 * 1e9
		}
	}
	ticks := make([]int, 4)
	c := engine.Config{Rules: compile(t, true, "one=/a/"), Tick: func(*engine.Engine) { ticks[(steps-1)/10]++ }}
	if _, _, err := run(t, c, s); err != nil {
		t.Fatal(err)
	}
	for i, n := range ticks {
		if n < 3 || n > 6 {
			t.Errorf("in each five seconds %v times, want 3 to 6 in those from the %dth on", ticks, 5*i)
			break
		}
	}
}

// TestMissAllocatesNothing runs events that no rule wants through the whole loop.
func TestMissAllocatesNothing(t *testing.T) {
	set := compile(t, true, "one=/a/", "two=/b/")
	st := newState()
	s := &script{}
	var ev event.Event
	open := []string{"/c/file"}
	step := func() {
		s.steps = open
		if err := s.Next(&ev); err != nil {
			t.Fatal(err)
		}
		if hits := set.Match(st.Apply(&ev)); len(hits) != 0 {
			t.Fatalf("%d rules match", len(hits))
		}
	}
	for range 100 {
		step()
	}
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("a miss allocates %v times", n)
	}
}
