package rule_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/filter"
	"github.com/saker-sec/saker/internal/rule"
)

// anything accepts all conditions and outputs.
type anything struct{}

func (anything) Sources() []string { return []string{"syscall"} }
func (anything) Condition(string, filter.Expr) (rule.Verdict, error) {
	return rule.Verdict{EventTypes: 1}, nil
}
func (anything) Output(string, string) error { return nil }
func loadAny(content string) *rule.Result    { return newAny().Load("f", []byte(content)) }

func newAny() *rule.Loader {
	return rule.NewLoader(rule.Config{Checker: anything{}, MinPriority: alert.Debug})
}
func ruleWith(condition string) string        { return ruleNamed("r", condition) }
func ruleNamed(name, condition string) string { return fmt.Sprintf(ruleText, name, condition) }

const ruleText = "- {rule: %s, desc: d, output: x, priority: INFO, condition: '%s'}\n"

// TestHostile loads files that are made to exhaust time, memory or the stack. Each must end soon, with an error that says
// what is too much, or well.
func TestHostile(t *testing.T) {
	var laughs, doubling, chain, lists, wide strings.Builder
	laughs.WriteString("- list: l0\n  items: &l0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		ref := fmt.Sprintf("*l%d", i-1)
		fmt.Fprintf(&laughs, "- list: l%d\n  items: &l%d [%s]\n", i, i, strings.Join([]string{ref, ref, ref, ref, ref, ref}, ", "))
	}
	doubling.WriteString("- {macro: m0, condition: proc.name = a}\n")
	for i := 1; i < 64; i++ {
		fmt.Fprintf(&doubling, "- {macro: m%d, condition: m%d and m%d}\n", i, i-1, i-1)
	}
	for i := range 20000 {
		fmt.Fprintf(&chain, "- {macro: m%d, condition: not m%d}\n- {macro: m%d, condition: 'and a = 1', append: true}\n", i, i+1, i)
	}
	items := strings.Repeat("x,", 50000)
	fmt.Fprintf(&lists, "- {list: l, items: [%s]}\n%s", items, ruleWith("proc.name in ("+strings.Repeat("l,", 50000)+"l)"))
	for i := range 30000 {
		fmt.Fprintf(&wide, "- {list: l%d, items: [a, b]}\n- {macro: m%d, condition: 'proc.name in (l%d)'}\n", i, i, i)
		wide.WriteString(ruleNamed(fmt.Sprintf("r%d", i), fmt.Sprintf("m%d and fd.name in (l%d)", i, i)))
	}
	for _, c := range []struct{ name, content, want string }{
		{"billion laughs", laughs.String(), "the aliases of the file stand for more than"},
		{"doubling macros", doubling.String() + ruleWith("m63"), "terms once its macros are resolved"},
		{"a chain of macros", chain.String(), ""},
		{"a list of many items named many times", lists.String(), "bytes once its lists and exceptions are written out"},
		{"thousands of everything", wide.String(), "ok"},
		{"a macro of itself", "- {macro: m, condition: m}\n- {macro: m, condition: or m, append: true}\n", "reference loop in macro 'm'"},
		{"nested parentheses", ruleWith(strings.Repeat("(", 1<<20)), "exceeded max depth limit of 1000"},
		{"nested transformers", ruleWith(strings.Repeat("tolower(", 1<<20)), "exceeded max depth limit of 1000"},
		{"nested sequences", strings.Repeat("[", 1<<20), "bad file"},
		{"nested block sequences", strings.Repeat("- ", 1<<16), "bad file"},
		{"nested mappings", strings.Repeat("{a: ", 1<<16), "bad file"},
		{"a long condition", ruleWith("a = 1" + strings.Repeat(" and a = 1", 1<<20)), ""},
		{"a long key", "- " + strings.Repeat("x", 10<<20) + ": y\n", ""},
		{"a long text without end", "- rule: \"" + strings.Repeat("x y\n", 2<<20), "illegal EOF in scalar"},
		{"a NUL byte", "- rule: a\x00b\n", "line 1, column 10: a rules file is UTF-8 text"},
		{"an escaped NUL byte", `- {rule: r, desc: d, output: x, priority: INFO, condition: "a.b = \0"}`, "expected a string value"},
		{"no UTF-8", "- rule: a\n  desc: \xff\n", "there is the byte 0xff"},
		{"many exceptions of one name", "- {rule: r, desc: d, output: x, priority: INFO, condition: a.b exists, exceptions: [" +
			strings.Repeat("{name: e, fields: a.b},", 50000) + "]}\n", "ok"},
		{"many appends", "- {macro: m, condition: a.b exists}\n" +
			strings.Repeat("- {macro: m, condition: or a.b exists, append: true}\n", 50000), "ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			res := loadAny(c.content)
			text := res.Verbose()
			if d := time.Since(start); d > time.Minute {
				t.Errorf("it took %v", d)
			}
			if c.want == "ok" {
				if !res.Successful() {
					t.Errorf("%.1000s", text)
				}
			} else if !strings.Contains(text, c.want) {
				t.Errorf("%q is not in %.1000s", c.want, text)
			}
		})
	}
}

// TestLargeFile loads a file of ten megabytes that is like real ones.
func TestLargeFile(t *testing.T) {
	content, err := os.ReadFile(shared + "rules/upstream/falco_rules.yaml")
	if err != nil {
		t.Skip("the rule files are not here: ", err)
	}
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	var b strings.Builder
	for i := 0; b.Len() < 10<<20; i++ {
		b.WriteString(strings.ReplaceAll(string(content), "- rule: ", fmt.Sprintf("- rule: %d ", i)))
		b.WriteString("\n")
	}
	start := time.Now()
	res := loadAny(b.String())
	if d := time.Since(start); d > time.Minute {
		t.Errorf("it took %v", d)
	}
	if !res.Successful() {
		t.Errorf("%.2000s", res.Verbose())
	}
}

func FuzzLoad(f *testing.F) {
	data, err := os.ReadFile("testdata/load.txt")
	if err != nil {
		f.Fatal(err)
	}
	for c := range strings.SplitSeq(string(data), "\n=== ") {
		_, rest, _ := strings.Cut(c, "\n")
		content, _, _ := strings.Cut(rest, "~~~\n")
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content string) {
		l := newAny()
		for range 2 { // appends and redefinitions of the file by itself
			res := l.Load("f", []byte(content))
			res.Verbose()
			res.Summary()
			rule.ValidationJSON([]*rule.Result{res}, nil)
		}
		if d, err := l.Describe(fakeDescriber{}, ""); err == nil {
			d.JSON()
			d.Text()
		}
		for _, r := range l.Rules() {
			if r.Expr == nil {
				t.Errorf("rule %s has no condition", r.Name)
			}
			filter.Walk(r.Expr, func(e filter.Expr) {
				if m, ok := e.(*filter.Macro); ok {
					t.Errorf("rule %s: macro %s is not resolved", r.Name, m.Name)
				}
			})
		}
	})
}
