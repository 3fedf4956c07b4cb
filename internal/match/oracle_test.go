package match

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/filter"
)

// oracle evaluates a comparison as falco-core.md §3.8 words it, from the tree and without preparation.
type oracle struct{ fields fakeFields }

// read returns the values of an operand and whether it has any.
func (o oracle) read(op *filter.Operand) ([]field.Value, field.Type, field.Quantity, bool) {
	if op.Kind == filter.FieldOperand {
		f := o.fields[op.Name]
		return f.vals, f.Type, f.quantity, f.vals != nil
	}
	vals, typ, q, ok := o.read(&op.Args[0])
	if !ok || op.Name == "val" {
		return vals, typ, q, ok
	}
	if op.Name == "len" {
		n := uint64(len(vals))
		if q != field.List {
			n = uint64(len(vals[0].Text))
		}
		return []field.Value{{Type: field.UINT64, Num: n}}, field.UINT64, field.One, true
	}
	var out []field.Value
	for _, v := range vals {
		switch op.Name {
		case "tolower":
			v.Text = strings.ToLower(v.Text)
		case "toupper":
			v.Text = strings.ToUpper(v.Text)
		case "basename":
			parts := strings.Split(v.Text, "/")
			v.Text = parts[len(parts)-1]
		}
		out = append(out, v)
	}
	return out, typ, q, true
}

func (o oracle) check(e *filter.Check) bool {
	vals, typ, q, ok := o.read(&e.Left)
	if !ok {
		return false
	}
	if e.Op == filter.Exists {
		return q == field.List || len(vals) > 0
	}
	var right []field.Value
	if e.Right.Kind == filter.OperandRight {
		if right, _, _, ok = o.read(e.Right.Operand); !ok {
			return false
		}
	} else {
		for _, s := range e.Right.Values {
			right = append(right, o.constant(e.Op, s, typ))
		}
	}
	hits := 0
	for _, v := range vals {
		if o.one(e, v, typ, right) {
			hits++
		}
	}
	if q == field.List && e.Op == filter.In {
		return hits == len(vals)
	}
	if q == field.Either && e.Op == filter.Ne {
		return hits == len(vals) && hits > 0
	}
	return hits > 0
}

// constant gives a right-hand value the shape of an extracted one. Networks stay text.
func (o oracle) constant(op filter.Op, s string, typ field.Type) field.Value {
	switch {
	case op == filter.BContains || op == filter.BStartsWith:
		b, _ := hex.DecodeString(s)
		return field.Value{Text: string(b)}
	case typ == field.IPADDR:
		return field.Value{Text: string(netip.MustParseAddr(s).AsSlice())}
	case typ == field.BOOL:
		if s == "true" {
			return field.Value{Num: 1}
		}
		return field.Value{}
	case classOf(typ) == classNumber:
		n, _ := strconv.ParseInt(s, 10, 64)
		return field.Value{Num: uint64(n)}
	}
	return field.Value{Text: s}
}

// one compares one left-hand value with the right-hand side.
func (o oracle) one(e *filter.Check, v field.Value, typ field.Type, right []field.Value) bool {
	op := e.Op
	if op == filter.In || op == filter.Intersects || op == filter.PMatch {
		for _, w := range right {
			if o.pair(op, v, w, typ) {
				return true
			}
		}
		return false
	}
	n := 0
	for _, w := range right {
		if o.pair(op, v, w, typ) {
			n++
		}
	}
	switch e.Mod {
	case filter.OneOf:
		return n == 1
	case filter.AllOf:
		return n == len(right) && n > 0
	}
	return n > 0
}

func (o oracle) pair(op filter.Op, v, w field.Value, typ field.Type) bool {
	switch classOf(typ) {
	case classNet:
		addr, _ := netip.AddrFromSlice([]byte(v.Text))
		return netip.MustParsePrefix(w.Text).Masked().Contains(addr) == (op != filter.Ne)
	case classNumber, classBool:
		c := 0
		switch {
		case signed(typ) && int64(v.Num) < int64(w.Num), !signed(typ) && v.Num < w.Num:
			c = -1
		case v.Num != w.Num:
			c = 1
		}
		return ordered(op, c)
	}
	switch a, b := v.Text, w.Text; op {
	case filter.Contains, filter.BContains:
		return strings.Contains(a, b)
	case filter.IContains:
		return strings.Contains(strings.ToLower(a), strings.ToLower(b))
	case filter.StartsWith, filter.BStartsWith:
		return strings.HasPrefix(a, b)
	case filter.EndsWith:
		return strings.HasSuffix(a, b)
	case filter.Glob:
		return globPattern(b).MatchString(a)
	case filter.IGlob:
		return globPattern(strings.ToLower(b)).MatchString(strings.ToLower(a))
	case filter.Regex:
		return regexp.MustCompile(`^(?:` + b + `)$`).MatchString(a)
	case filter.PMatch:
		return below(components(a), components(b))
	default:
		return ordered(op, strings.Compare(a, b))
	}
}

func ordered(op filter.Op, c int) bool {
	switch op {
	case filter.Lt:
		return c < 0
	case filter.Le:
		return c <= 0
	case filter.Gt:
		return c > 0
	case filter.Ge:
		return c >= 0
	case filter.Ne:
		return c != 0
	}
	return c == 0
}

func globPattern(glob string) *regexp.Regexp {
	p := regexp.QuoteMeta(glob)
	p = strings.ReplaceAll(p, `\*`, "(?s:.*)")
	p = strings.ReplaceAll(p, `\?`, "(?s:.)")
	p = strings.NewReplacer(`\[!`, "[^", `\[`, "[", `\]`, "]").Replace(p)
	return regexp.MustCompile("^" + p + "$")
}

func components(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

func below(path, prefix []string) bool {
	if len(prefix) > len(path) {
		return false
	}
	for i, p := range prefix {
		if !globPattern(p).MatchString(path[i]) {
			return false
		}
	}
	return true
}

// generator makes random comparisons that compile, and random values.
type generator struct{ r *rand.Rand }

func (g generator) pick(list ...string) string { return list[g.r.IntN(len(list))] }

var (
	someTexts  = []string{"", "a", "b", "ab", "abc", "aB", "AbC", "/a", "/a/b", "/a/b/c", "a/b", "/b", "x-ab", "[", "long-enough-to-hash"}
	someGlobs  = []string{"", "a", "a*", "*b", "*", "?b", "a?c", "*b*", "[ab]*", "[!a]?", "/a/*", "*/b/*c"}
	someRegexs = []string{"a", "a.*", ".*b", "(a|b)+", "[ab]*", "/a(/b)?", "a?b?c?"}
	somePaths  = []string{"/a", "/a/b", "/", "a/*", "/*/b", "b", "/a/b/c/d", "[ab]"}
	someNums   = []string{"0", "1", "2", "3", "5", "80"}
	someAddrs  = []string{"10.1.2.3", "127.0.0.1", "::1", "2001:db8::1"}
	someNets   = []string{"10.0.0.0/8", "127.0.0.0/8", "10.1.2.2/31", "::/1", "2001:db8::/33", "0.0.0.0/0"}
	someBytes  = []string{"61", "6162", "2f", "ff"}
)

func (g generator) quoted(list []string) string { return fmt.Sprintf("%q", g.pick(list...)) }

func (g generator) list(list []string) string {
	var items []string
	for range g.r.IntN(7) {
		items = append(items, g.quoted(list))
	}
	return "(" + strings.Join(items, ", ") + ")"
}

// comparison returns the text of a comparison.
func (g generator) comparison() string {
	equality := []string{"=", "!=", "in", "intersects", "exists"}
	order := append([]string{"<", "<=", ">", ">="}, equality...)
	switch g.r.IntN(8) {
	case 0:
		return g.compare(g.pick("n.int", "n.u16", "n.u64", "len(t.a)", "len(l.texts)", "port.ends", "anc.pid"), someNums, order)
	case 1:
		return g.compare("b.yes", []string{"true", "false"}, equality)
	case 2:
		return g.compare(g.pick("ip.one", "ip.ends"), someAddrs, equality)
	case 3:
		return g.compare(g.pick("net.one", "net.ends"), someNets, equality)
	case 4:
		return g.compare(g.pick("l.texts", "l.other", "toupper(l.texts)"), someTexts, []string{"in", "intersects", "exists"})
	case 5:
		ops := append([]string{"contains", "startswith", "endswith", "bcontains", "bstartswith"}, equality...)
		op := g.pick(ops...)
		if strings.HasPrefix(op, "b") {
			return g.compare("buf.raw", someBytes, []string{op})
		}
		return g.compare("buf.raw", someTexts, []string{op})
	}
	left := g.pick("t.a", "t.b", "t.dear", "t.path", "anc.name", "tolower(t.a)", "toupper(t.dear)", "basename(t.path)")
	switch op := g.pick("glob", "iglob", "regex", "pmatch", ""); op {
	case "glob", "iglob":
		return g.compare(left, someGlobs, []string{op})
	case "regex":
		return g.compare(left, someRegexs, []string{op})
	case "pmatch":
		return g.compare(left, somePaths, []string{op})
	}
	if (left == "t.a" || left == "tolower(t.a)") && g.r.IntN(3) == 0 {
		return left + " " + g.pick("=", "!=", "contains", "icontains", "startswith", "endswith", "in") + " val(t.b)"
	}
	return g.compare(left, someTexts, append([]string{"contains", "icontains", "startswith", "endswith"}, equality...))
}

func (g generator) compare(left string, values, ops []string) string {
	op := g.pick(ops...)
	switch op {
	case "exists":
		return left + " exists"
	case "in", "intersects", "pmatch":
		return left + " " + op + " " + g.list(values)
	case "<", "<=", ">", ">=":
		return left + " " + op + " " + g.pick(values...)
	}
	if g.r.IntN(4) == 0 {
		return left + " " + op + " " + g.pick("oneof", "anyof", "allof") + " " + g.list(values)
	}
	return left + " " + op + " " + g.quoted(values)
}

// fill gives every field random values, or none.
func (g generator) fill(ff fakeFields) {
	for name, f := range ff {
		f.vals = nil
		if g.r.IntN(5) == 0 {
			continue
		}
		n := 1
		switch f.quantity {
		case field.Any, field.List:
			n = g.r.IntN(4)
		case field.Either:
			n = 2
		}
		vals := make([]any, n)
		for i := range vals {
			switch classOf(f.Type) {
			case classNumber:
				v, _ := strconv.Atoi(g.pick(someNums...))
				vals[i] = v
			case classBool:
				vals[i] = g.r.IntN(2) == 0
			case classAddr, classNet:
				vals[i] = string(netip.MustParseAddr(g.pick(someAddrs...)).AsSlice())
			default:
				vals[i] = g.pick(someTexts...)
			}
		}
		ff.set(name, vals...)
	}
}

// differ compares compiled comparisons with the oracle and returns the first difference.
func differ(seed uint64, checks, events int) error {
	g := generator{rand.New(rand.NewPCG(seed, 1))}
	ff := newFakeFields()
	m := NewCompiler(ff, testServices, nil)
	var trees []*filter.Check
	var compiled []*Check
	var texts []string
	for range checks {
		text := g.comparison()
		tree, err := parseCheck(text)
		if err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
		k, err := m.Check(tree)
		if err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
		trees, compiled, texts = append(trees, tree), append(compiled, k), append(texts, text)
	}
	f := m.NewFrame()
	o := oracle{ff}
	for range events {
		g.fill(ff)
		f.Begin(testCtx())
		for i := range trees {
			if got, want := compiled[i].Eval(f), o.check(trees[i]); got != want {
				vals, _, _, ok := o.read(&trees[i].Left)
				return fmt.Errorf("%s: got %v, want %v; left side is %+v (has value: %v)", texts[i], got, want, vals, ok)
			}
		}
	}
	return nil
}

func TestOracle(t *testing.T) {
	for seed := range uint64(40) {
		if err := differ(seed, 100, 50); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func FuzzOracle(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		if err := differ(seed, 10, 10); err != nil {
			t.Fatal(err)
		}
	})
}
