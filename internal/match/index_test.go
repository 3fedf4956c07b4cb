package match

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// piece returns a random path of few components, so that those of texts and comparisons often meet.
func piece(r *rand.Rand) string {
	var b strings.Builder
	for range r.IntN(4) {
		b.WriteString([]string{"/", "/", "/", "//", ""}[r.IntN(5)])
		b.WriteString([]string{"a", "b", "ab", "abc", "etc", ".", "é", ""}[r.IntN(8)])
	}
	return b.String()
}

// comparison returns a random comparison of a text.
func comparison(r *rand.Rand) string {
	left := []string{"t.a", "t.a", "t.a", "t.head", "t.tail", "tolower(t.a)"}[r.IntN(6)]
	list := func() string {
		var values []string
		for range 1 + r.IntN(4) {
			values = append(values, fmt.Sprintf("%q", piece(r)))
		}
		return "(" + strings.Join(values, ", ") + ")"
	}
	switch op := []string{"=", "startswith", "endswith", "glob", "in", "pmatch", "!=", "contains", "= anyof", "startswith oneof", "iglob"}[r.IntN(11)]; op {
	case "in", "pmatch", "= anyof", "startswith oneof":
		return left + " " + op + " " + list()
	case "glob", "iglob":
		star := []string{"*", "?", "[a-c]", `\`}
		return fmt.Sprintf("%s %s %q", left, op, star[r.IntN(4)][:r.IntN(2)]+piece(r)+star[r.IntN(2)]+piece(r))
	default:
		return fmt.Sprintf("%s %s %q", left, op, piece(r))
	}
}

// TestIndex compares what guards say of random texts with the comparisons that they guard.
func TestIndex(t *testing.T) {
	indexed := 0
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 3))
		fields := newFakeFields()
		c := NewCompiler(fields, nil, nil)
		byIndex := map[int][]*Check{}
		var checks []*Check
		for range 20 {
			checks = append(checks, compiled(t, c, comparison(r)))
		}
		if err := c.Index(); err != nil {
			t.Fatal(err)
		}
		guards := map[Guard][]*Check{}
		for _, k := range checks {
			if k.Index() != 0 {
				guards[c.Guard([]*Check{k})] = append(guards[c.Guard([]*Check{k})], k)
				byIndex[k.Index()] = append(byIndex[k.Index()], k)
			}
		}
		indexed += len(byIndex)
		for _, all := range byIndex {
			for range 5 {
				some := all[r.IntN(len(all)):]
				guards[c.Guard(some)] = append(guards[c.Guard(some)], some...)
			}
		}
		f := c.NewFrame()
		for range 300 {
			text := piece(r) + piece(r)
			fields.set("t.a", text)
			head, tail := "/", "/"
			if i := strings.LastIndexByte(text, '/'); i == len(text)-1 && i >= 0 {
				head, tail = text, text
			} else if i >= 0 {
				head, tail = text[:max(i, 1)], text[i+1:]
			}
			fields.set("t.head", head)
			fields.set("t.tail", tail)
			f.Begin(testCtx())
			for g, all := range guards {
				for _, k := range all {
					if !f.Up(g) && k.Eval(f) {
						t.Fatalf("seed %d: %q: the guard of %s is down", seed, text, k.Key)
					}
				}
			}
		}
	}
	if indexed < 250 {
		t.Errorf("only %d texts have an index", indexed)
	}
}

// TestIndexDecides shows that a guard is down for what only resembles what its comparison looks for.
func TestIndexDecides(t *testing.T) {
	cases := []struct{ cond, up, down string }{
		{"t.a = /etc/passwd", "/etc/passwd", "/etc/passwd- /etc/passw  /passwd"},
		{"t.a in (/etc/passwd, /etc)", "/etc/passwd /etc", "/etc/ /et /etc/passwd/"},
		{"t.a startswith /etc/", "/etc/ /etc/x", "/etc /et/x /x/etc/"},
		{"t.a endswith .so", ".so /x.so", ".so.1 so /.so/"},
		{"t.a glob /proc/*/mem", "/proc/1/mem", "/proc /sys/1/mem"},
		{"t.a glob *.pub", "/x.pub", "/x.pub2"},
		{"t.a pmatch (/etc/ssh, /root)", "/etc/ssh/x //etc/ssh /root", "/etc/x /roo"},
		{"t.head = /dev", "/dev/null /dev", "/de/x /x"},
		{"t.tail in (rc, x)", "/etc/rc /a/x", "/etc/rc2 /"},
	}
	c := NewCompiler(newFakeFields(), nil, nil)
	var checks []*Check
	for _, k := range cases {
		checks = append(checks, compiled(t, c, k.cond))
	}
	if err := c.Index(); err != nil {
		t.Fatal(err)
	}
	fields := c.fields.(fakeFields)
	for i, k := range cases {
		g := c.Guard(checks[i : i+1])
		f := c.NewFrame()
		for up, texts := range map[bool]string{true: k.up, false: k.down} {
			for _, text := range strings.Fields(texts) {
				fields.set("t.a", text)
				f.Begin(testCtx())
				if f.Up(g) != up {
					t.Errorf("%s: the guard for %s: up is %v", k.cond, text, !up)
				}
			}
		}
	}
	fields["t.a"].vals = nil
	f := c.NewFrame()
	f.Begin(testCtx())
	if f.Up(c.Guard(checks[:1])) {
		t.Error("the guard is up without a text")
	}
}

// TestIndexLarge asks for more than an automaton may hold: affixes are cut then.
func TestIndexLarge(t *testing.T) {
	fields := newFakeFields()
	c := NewCompiler(fields, nil, nil)
	var values []string
	for i := range 2000 {
		values = append(values, fmt.Sprintf("/srv/%d/%064x", i, i*i))
	}
	var checks []*Check
	for _, cond := range []string{"t.a in (" + strings.Join(values, ", ") + ")", "t.a = /etc", "t.a startswith /srv/x", "t.a endswith .so", "t.a pmatch (/etc/x)"} {
		checks = append(checks, compiled(t, c, cond))
	}
	if err := c.Index(); err != nil {
		t.Fatal(err)
	}
	var guards []Guard
	for i := range checks {
		guards = append(guards, c.Guard(checks[i:i+1]))
	}
	f := c.NewFrame()
	if n := len(c.indexes[0].known.starts.whole); n > maxStates {
		t.Errorf("%d states", n)
	}
	for _, text := range append(values, "/etc", "/srv/x/y", "/lib/x.so") {
		fields.set("t.a", text)
		f.Begin(testCtx())
		for i, k := range checks {
			if !f.Up(guards[i]) && k.Eval(f) {
				t.Fatalf("%q: the guard of %.40s is down", text, k.Key)
			}
		}
	}
	fields.set("t.a", "/usr/lib/x.so.6")
	f.Begin(testCtx())
	for i, k := range checks {
		if f.Up(guards[i]) {
			t.Errorf("the guard of %.40s is up", k.Key)
		}
	}
}
