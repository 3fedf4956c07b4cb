package ruleset_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/filter"
	"github.com/saker-sec/saker/internal/rule"
	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/internal/state"
)

// rulesOf makes rules of lines "name: condition".
func rulesOf(t testing.TB, text string) []*rule.Rule {
	t.Helper()
	var rules []*rule.Rule
	for line := range strings.Lines(text) {
		if name, condition, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			rules = append(rules, ruleOf(t, name, condition))
		}
	}
	return rules
}

func compile(t testing.TB, rules []*rule.Rule, first bool) *ruleset.Ruleset {
	t.Helper()
	o := testOptions(t)
	o.First = first
	rs, err := ruleset.New(rules, o)
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// TestPlan shows what is left of rules for one event type: decided comparisons are gone, shared ones come once.
func TestPlan(t *testing.T) {
	cases := []struct{ name, rules, want string }{
		{"the type decides", `
			a: evt.type = openat and proc.name = cat
			b: evt.type in (close, execve) and proc.name = cat
			c: not evt.type = openat or proc.name = dog`, `
			proc.name 6.0 "cat" => a
			proc.name 6.0 "dog" => c`},
		{"idioms on evt.num", `
			a: proc.name = cat and evt.num >= 0
			b: proc.name = dog and evt.num = 0
			c: evt.num > 0`, `
			always => c
			proc.name 6.0 "cat" => a`},
		{"a shared comparison comes first and once", `
			a: evt.type = openat and evt.is_open_write = true and proc.name = cat
			b: evt.type = openat and proc.name = cat and user.uid = 0`, `
			proc.name 6.0 "cat"
			  evt.is_open_write 6.0 "true" => a
			  user.uid 6.0 "0" => b`},
		{"common parts leave a disjunction", `
			a: (evt.is_open_write = true and proc.name = cat) or (evt.is_open_write = true and proc.name = dog)`, `
			(proc.name 6.0 "cat" or proc.name 6.0 "dog")
			  evt.is_open_write 6.0 "true" => a`},
		{"negation goes to the comparisons", `
			a: not (proc.name = cat or not user.uid = 0)`, `
			user.uid 6.0 "0"
			  not proc.name 6.0 "cat" => a`},
		{"contradictions", `
			a: proc.name = cat and not proc.name = cat
			b: proc.name = cat or not proc.name = cat`, `
			always => b`},
	}
	for _, c := range cases {
		rs := compile(t, rulesOf(t, c.rules), false)
		var got []string
		for line := range strings.Lines(strings.ReplaceAll(rs.Dump(0, event.SyscallOpenatV2X), "@", "")) {
			got = append(got, strings.TrimRight(line, "\n"))
		}
		var want []string
		for line := range strings.Lines(c.want) {
			if line = strings.TrimRight(strings.TrimPrefix(line, "\t\t\t"), "\n"); line != "" {
				want = append(want, line)
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// encoded returns an event without parameters.
func encoded(t testing.TB, code event.Code) *state.Ctx {
	t.Helper()
	var enc event.Encoder
	enc.Begin(code, 1, 1)
	e := &event.Event{Num: 1}
	if err := e.Decode(enc.Bytes()); err != nil {
		t.Fatal(err)
	}
	return &state.Ctx{Event: e, FDNum: -1}
}

func TestMatchOrder(t *testing.T) {
	rules := rulesOf(t, `
		never: evt.num = 0
		any: evt.num > 0
		close: evt.type = close
		file: evt.type in (open, close)
		other: evt.type = execve`)
	rules[3].Enabled = true
	disabled := ruleOf(t, "disabled", "evt.type = close")
	disabled.Enabled = false
	rules = append([]*rule.Rule{disabled}, rules...)
	all, first := compile(t, rules, false), compile(t, rules, true)
	cases := []struct {
		code event.Code
		want string
	}{
		{event.SyscallCloseX, "any close file"},
		{event.SyscallOpenX, "any file"},
		{event.SyscallOpenE, ""},
		{event.SyscallExecveV19X, "any other"},
		{event.ProcexitV1E, "any"},
	}
	for _, c := range cases {
		ctx := encoded(t, c.code)
		if got := strings.Join(names(all.Match(ctx)), " "); got != c.want {
			t.Errorf("event type %d: got %q, want %q", c.code, got, c.want)
		}
		want, _, _ := strings.Cut(c.want, " ")
		if got := strings.Join(names(first.Match(ctx)), " "); got != want {
			t.Errorf("event type %d, first rule: got %q, want %q", c.code, got, want)
		}
	}
}

func TestInitialEvents(t *testing.T) {
	rs := compile(t, rulesOf(t, "any: evt.num > 0"), false)
	for _, c := range []struct {
		code event.Code
		want int
	}{
		{event.UserAddedE, 0}, {event.GroupAddedE, 0}, {event.SyscallCloseX, 1}, {event.UserAddedE, 1},
	} {
		if got := len(rs.Match(encoded(t, c.code))); got != c.want {
			t.Errorf("event type %d matches %d rules, want %d", c.code, got, c.want)
		}
	}
}

func TestOtherSource(t *testing.T) {
	r := ruleOf(t, "plugin", "evt.num > 0")
	r.Source = "other"
	o := testOptions(t)
	o.Sources = append(o.Sources, "other")
	rs, err := ruleset.New(append(rulesOf(t, "kernel: evt.num > 0"), r), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx := encoded(t, event.SyscallCloseX)
	if got := names(rs.Match(ctx)); !slices.Equal(got, []string{"kernel"}) {
		t.Errorf("the system call matches %v", got)
	}
	ctx = encoded(t, event.PlugineventE)
	ctx.Event.Source = 1
	if got := names(rs.Match(ctx)); !slices.Equal(got, []string{"plugin"}) {
		t.Errorf("the plugin's event matches %v", got)
	}
	ctx.Event.Source = 7
	if got := rs.Match(ctx); len(got) != 0 {
		t.Errorf("an event of an unknown source matches %v", names(got))
	}
}

func TestNewErrors(t *testing.T) {
	cases := []struct{ condition, output, want string }{
		{"proc.name = a and proc.nobody = 1", "x", `compiling the condition of rule "r" at line 1, column 19: ` +
			"filter_check called with nonexistent field proc.nobody"},
		{"evt.type = val(proc.name)", "x", `compiling the condition of rule "r": right-hand field comparisons on ` +
			"`evt.type`/`syscall.type` checks are not supported by event code search"},
		{"proc.name = a", "x %proc.nobody", `compiling the output of rule "r": unknown filter: unexpected token after '`},
	}
	for _, c := range cases {
		r := ruleOf(t, "r", c.condition)
		r.Output = c.output
		_, err := ruleset.New([]*rule.Rule{r}, testOptions(t))
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.condition, err, c.want)
		}
	}
}

func TestChecker(t *testing.T) {
	c := ruleset.NewChecker(testOptions(t))
	cases := []struct {
		condition string
		col       int
		unknown   bool
		message   string
	}{
		{"evt.type = open and proc.pid[1] = 1", 21, true, "filter_check called with nonexistent field proc.pid[1]"},
		{"evt.type = open and proc.aname[x] = 1", 21, true, "filter_check called with nonexistent field proc.aname[x]"},
		{"evt.type = open and evt.arg = 1", 21, false, "filter syntax error: evt.arg"},
		{"evt.type = openx", 1, true, "unknown event type openx"},
		{"proc.name = a or not (user.uid = x)", 23, false, "x is not a valid number"},
		{"tolower(evt.type) = open", 1, false, "event code search does not support `evt.type` checks with transformers"},
	}
	for _, k := range cases {
		e, err := filter.Parse(k.condition)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Condition(ruleset.SyscallSource, e)
		want := rule.CheckError{At: filter.Pos{Offset: k.col - 1, Line: 1, Col: k.col}, Unknown: k.unknown, Message: k.message}
		if got, ok := err.(*rule.CheckError); !ok || *got != want {
			t.Errorf("%s: got %+v, want %+v", k.condition, err, want)
		}
	}
	e, err := filter.Parse("proc.name = a and proc.name = proc.pname")
	if err != nil {
		t.Fatal(err)
	}
	v, err := c.Condition(ruleset.SyscallSource, e)
	if err != nil || v.EventTypes <= 100 || len(v.Warnings) != 1 {
		t.Errorf("got %+v, %v", v, err)
	}
	never := rule.NewLoader(rule.Config{Checker: c, MinPriority: alert.Debug}).Load("f", []byte("- {rule: r, desc: d, output: x, "+
		"priority: INFO, condition: evt.type = open and evt.type = close}"))
	if len(never.Warnings) != 1 || never.Warnings[0].Code != rule.NoEvttype {
		t.Errorf("a condition that holds for no event type gives %s", never.Summary())
	}
}
