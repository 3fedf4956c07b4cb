package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/container"
	"github.com/saker-sec/saker/internal/engine"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/rule"
	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/internal/state"
)

const heldID = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

// heldState has process 7 in a container that a runtime is asked for, and process 8 on the host.
func heldState() *state.State {
	s := state.New(state.Config{FollowAll: true, NeedContainer: func(container.Wanted) bool { return true }})
	s.AddProcess(&event.Process{
		TID: 7, PID: 7, PTID: 1, VTID: 7, VPID: 7, Comm: "cat", Exe: "cat", ExePath: "/usr/bin/cat", Cwd: "/",
		Cgroups: []string{"memory=/docker/" + heldID},
	})
	s.AddProcess(&event.Process{TID: 8, PID: 8, PTID: 1, VTID: 8, VPID: 8, Comm: "ls", Exe: "ls", ExePath: "/usr/bin/ls", Cwd: "/"})
	return s
}

// compileText compiles rules of lines "name: condition | output".
func compileText(t *testing.T, first bool, text string) *ruleset.Ruleset {
	t.Helper()
	catalogue := field.NewCatalogue()
	o := ruleset.Options{Sources: []string{"syscall"}, Fields: func(string) *field.Catalogue { return catalogue }, First: first}
	l := rule.NewLoader(rule.Config{Checker: ruleset.NewChecker(o), MinPriority: alert.Debug})
	var out strings.Builder
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			continue
		}
		condition, output, _ := strings.Cut(rest, " | ")
		fmt.Fprintf(&out, "- rule: %s\n  desc: d\n  condition: evt.type = openat and %s\n  output: \"%s\"\n  priority: NOTICE\n", name, condition, output)
	}
	if res := l.Load("rules.yaml", []byte(out.String())); !res.Successful() {
		t.Fatal(res.Verbose())
	}
	set, err := ruleset.New(l.Rules(), o)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// stage is a source that is written down: "7 /path" opens a file in the container, "8 /path" on the host; "learn NAME IMAGE",
// "missing" and "wait" are what comes between events.
type stage struct {
	script
	st *state.State
}

func (s *stage) Next(e *event.Event) error {
	for len(s.steps) > 0 {
		words := strings.Fields(s.steps[0])
		u := container.Update{Key: heldID[:12]}
		switch words[0] {
		case "learn":
			u.Container = &container.Container{ID: heldID, Name: words[1], Repository: words[2]}
			s.st.LearnContainer(u)
		case "missing":
			u.Missing = true
			s.st.LearnContainer(u)
		case "wait":
			s.now += 150_000_000
			s.steps = s.steps[1:]
			return event.ErrIdle
		default:
			tid, path := int64(words[0][0]-'0'), words[1]
			s.steps = s.steps[1:]
			s.now += 1_000_000
			s.num++
			e.Num = s.num
			s.enc.Begin(event.SyscallOpenatV2X, s.now, tid)
			s.enc.Int64(3)
			s.enc.Int64(-100)
			s.enc.Text(path)
			s.enc.Uint32(1)
			s.enc.Uint32(0)
			s.enc.Uint32(1)
			s.enc.Uint64(1)
			return e.Decode(s.enc.Bytes())
		}
		s.steps = s.steps[1:]
	}
	s.script.steps = nil
	return s.script.Next(e)
}

func TestHeld(t *testing.T) {
	const told = "named: fd.name startswith /n | named %fd.name %container.name %toupper(container.image.repository) %6container.name"
	const decided = `
		box: fd.name startswith /n and container.image.repository = box | box %fd.name
		other: fd.name startswith /n and not container.image.repository = box | other %fd.name
		plain: fd.name startswith /n | plain %fd.name`
	for _, c := range []struct {
		name, rules string
		first       bool
		steps       []string
		want        []string
	}{
		{"the answer comes", told, true, []string{"7 /n/1", "learn web box"}, []string{"named /n/1 web BOX web   "}},
		{"values are those of the event", told, true, []string{"7 /n/1", "7 /x/2", "7 /n/3", "learn web box", "7 /n/4"}, []string{
			"named /n/1 web BOX web   ", "named /n/3 web BOX web   ", "named /n/4 web BOX web   ",
		}},
		{"no answer comes", told, true, []string{"7 /n/1", "wait", "learn web box", "7 /n/2"}, []string{"named /n/1 <NA> <NA> <NA>  ", "named /n/2 web BOX web   "}},
		{"nobody knows it", told, true, []string{"7 /n/1", "missing", "8 /x", "7 /n/2"}, []string{"named /n/1 <NA> <NA> <NA>  ", "named /n/2 <NA> <NA> <NA>  "}},
		{"the end", told, true, []string{"7 /n/1"}, []string{"named /n/1 <NA> <NA> <NA>  "}},
		{"the host does not wait", told, true, []string{"7 /n/1", "8 /n/2", "learn web box"}, []string{"named /n/2 host  host  ", "named /n/1 web BOX web   "}},
		{"decided later: it is", decided, true, []string{"7 /n/1", "learn web box"}, []string{"box /n/1"}},
		{"decided later: it is not", decided, true, []string{"7 /n/1", "learn web cup"}, []string{"other /n/1"}},
		{"decided later, all rules", decided, false, []string{"7 /n/1", "learn web box"}, []string{"box /n/1", "plain /n/1"}},
		{"never decided", decided, false, []string{"7 /n/1", "wait"}, []string{"other /n/1", "plain /n/1"}},
		{"nothing to decide", "plain: fd.name startswith /n | plain %fd.name %container.id", true, []string{"7 /n/1", "8 /n/2", "learn web box"}, []string{
			"plain /n/1 aaaaaaaaaaaa", "plain /n/2 host",
		}},
		{"decided by the event alone", `
			no: fd.name startswith /x and container.image.repository = box | no
			yes: (fd.name startswith /n or container.image.repository = box) | yes %fd.name`, true, []string{"7 /n/1", "8 /x/2"}, []string{"yes /n/1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			st := heldState()
			s := &stage{st: st, script: script{steps: c.steps, now: 1e18}}
			var got []string
			e := engine.New(engine.Config{
				Source: s, State: st, Rules: compileText(t, c.first, c.rules), Hold: 150_000_000,
				Report: func(a *alert.Alert) { got = append(got, a.Message) }, Now: func() uint64 { return s.now },
			})
			if err := e.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("alerts %q, want %q", got, c.want)
			}
			if n := e.Stats().Alerts; n != uint64(len(c.want)) {
				t.Errorf("%d alerts counted", n)
			}
		})
	}
}

// TestHeldFields compares the fields of an alert that waited with those of one that did not.
func TestHeldFields(t *testing.T) {
	rules := "r: fd.name startswith /n | %fd.name %container.name %container.image.repository %proc.name %container.id %container.privileged"
	alerts := func(steps ...string) []*alert.Alert {
		st := heldState()
		s := &stage{st: st, script: script{steps: steps, now: 1e18}}
		var got []*alert.Alert
		e := engine.New(engine.Config{
			Source: s, State: st, Rules: compileText(t, true, rules), Hold: 1e9,
			Report: func(a *alert.Alert) { got = append(got, a) }, Now: func() uint64 { return s.now },
		})
		if err := e.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		return got
	}
	late, soon := alerts("7 /n/1", "learn web box"), alerts("learn web box", "7 /n/1")
	if len(late) != 1 || len(soon) != 1 {
		t.Fatalf("%d and %d alerts", len(late), len(soon))
	}
	if a, b := fmt.Sprint(*late[0]), fmt.Sprint(*soon[0]); a != b {
		t.Errorf("an alert that waited is\n%s\nthan one that did not\n%s", a, b)
	}
}

// TestHeldIsBounded floods the engine from a container that no runtime answers for.
func TestHeldIsBounded(t *testing.T) {
	st := heldState()
	s := &stage{st: st, script: script{now: 1e18}}
	for i := range 3000 {
		s.steps = append(s.steps, fmt.Sprintf("7 /n/%d", i))
	}
	n, most, asked := 0, 0, 0
	var e *engine.Engine
	e = engine.New(engine.Config{
		Source: s, State: st, Rules: compileText(t, true, "named: fd.name startswith /n | named %fd.name %container.name"), Hold: 60e9,
		Report: func(*alert.Alert) { n++ }, Now: func() uint64 { asked++; return s.now },
		Tick: func(*engine.Engine) { most = max(most, int(e.Stats().Held)-n) },
	})
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if st := e.Stats(); n != 3000 || st.Held != 3000 || st.HeldShed != 3000-1024 || st.HeldUnmet != 1024 || most > 1024 {
		t.Errorf("%d alerts, at most %d waited, counters %+v", n, most, st)
	}
	if asked > 1 {
		t.Errorf("the clock was looked at %d times for one container", asked)
	}
}

// TestHeldWhileEventsAreLate reads two seconds of events that wait already, as after the start, in no time: the runtime has its time to answer.
func TestHeldWhileEventsAreLate(t *testing.T) {
	st := heldState()
	s := &stage{st: st, script: script{now: 1e18}}
	clock := s.now + 2_000_000_000
	for i := range 1900 {
		s.steps = append(s.steps, fmt.Sprintf("8 /x/%d", i))
	}
	s.steps = append([]string{"7 /n/1"}, append(s.steps, "learn web box", "7 /n/2")...)
	var got []string
	e := engine.New(engine.Config{
		Source: s, State: st, Rules: compileText(t, true, "named: fd.name startswith /n | named %fd.name %container.name"), Hold: 150_000_000,
		Report: func(a *alert.Alert) { got = append(got, a.Message) }, Now: func() uint64 { return clock },
	})
	if err := e.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"named /n/1 web", "named /n/2 web"}; !slices.Equal(got, want) {
		t.Errorf("alerts %q, want %q", got, want)
	}
}
