package rule_test

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/filter"
	"github.com/saker-sec/saker/internal/rule"
)

const shared = "../../../shared/"

// fakeChecker knows the fields and events of the reference tables and just as much of their types as the goldens need.
type fakeChecker struct {
	fields map[string]fakeField
	events map[string]bool
}

type fakeField struct{ kind, arg, flags string }

// newChecker returns the checker of the tests. This is the one place to change to test against another.
func newChecker(t testing.TB) rule.Checker { return newFakeChecker(t) }

func newFakeChecker(t testing.TB) *fakeChecker {
	t.Helper()
	c := &fakeChecker{map[string]fakeField{}, map[string]bool{}}
	for _, row := range table(t, shared+"reference/falco-fields.tsv") {
		c.fields[row[1]] = fakeField{kind: row[2], arg: row[3], flags: row[4]}
	}
	for _, file := range []string{"reference/falco-events.tsv", "reference/falco-syscalls.tsv"} {
		for _, row := range table(t, shared+file) {
			for _, cell := range row {
				c.events[cell] = true
			}
		}
	}
	return c
}

func table(t testing.TB, path string) [][]string {
	f, err := os.Open(path)
	if err != nil {
		t.Skip("the reference tables are not here: ", err)
	}
	defer f.Close()
	var rows [][]string
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		rows = append(rows, strings.Split(lines.Text(), "\t"))
	}
	return rows
}

func (c *fakeChecker) Sources() []string { return []string{"syscall"} }

var outputField = regexp.MustCompile(`%(?:[a-z0-9]+\()*([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)+)`)

func (c *fakeChecker) Output(_, text string) error {
	for _, m := range outputField.FindAllStringSubmatch(text, -1) {
		if _, ok := c.lookup(m[1]); !ok {
			return &rule.CheckError{Unknown: true, Message: "unknown filter: unexpected token after '"}
		}
	}
	return nil
}

// lookup finds a field that may have a suffix as argument: evt.arg.flags.
func (c *fakeChecker) lookup(name string) (fakeField, bool) {
	if f, ok := c.fields[name]; ok {
		return f, true
	}
	for _, prefix := range []string{"evt.arg", "evt.rawarg", "evt.type.is", "thread.cgroup", "proc.env"} {
		if strings.HasPrefix(name, prefix+".") {
			return c.fields[prefix], true
		}
	}
	return fakeField{}, false
}

func (c *fakeChecker) Condition(_ string, e filter.Expr) (rule.Verdict, error) {
	var failed error
	types := 200
	filter.Walk(e, func(e filter.Expr) {
		check, ok := e.(*filter.Check)
		if !ok {
			return
		}
		if check.Left.Name == "evt.type" {
			types = 1
		}
		if err := c.check(check); err != nil && failed == nil {
			failed = err
		}
	})
	return rule.Verdict{EventTypes: types}, failed
}

func (c *fakeChecker) check(check *filter.Check) error {
	var failed error
	fail := func(unknown bool, format string, args ...any) {
		if failed == nil {
			failed = &rule.CheckError{At: check.At, Unknown: unknown, Message: fmt.Sprintf(format, args...)}
		}
	}
	check.Operands(func(o filter.Operand) {
		if o.Kind != filter.FieldOperand {
			return
		}
		f, ok := c.lookup(o.Name)
		_, err := strconv.Atoi(o.Arg)
		switch {
		case !ok, o.HasArg && f.arg == "none", o.Name == "proc.aname" && o.HasArg && err != nil:
			name := o.Name
			if o.HasArg {
				name += "[" + o.Arg + "]"
			}
			fail(true, "filter_check called with nonexistent field %s", name)
		case o.Name == "evt.arg" && !o.HasArg:
			fail(false, "filter syntax error: %s", o.Name)
		}
	})
	if failed != nil || check.Left.Kind != filter.FieldOperand {
		return failed
	}
	f, _ := c.lookup(check.Left.Name)
	for _, v := range check.Right.Values {
		switch {
		case check.Left.Name == "evt.type" && !c.events[v]:
			fail(true, "unknown event type %s", v)
		case f.kind == "BOOL" && !slices.Contains([]string{"true", "false"}, v):
			fail(false, "filter error: unrecognized boolean value %s", v)
		case f.kind == "IPNET" && strings.HasSuffix(v, "/99"):
			fail(false, "invalid netmask 99")
		case f.kind == "INT64" && !regexp.MustCompile(`^-?[0-9]+$`).MatchString(v):
			fail(false, "%s is not a valid number", v)
		case check.Op == filter.Regex && v == "([":
			fail(false, "invalid regex pattern: missing ]: [")
		}
	}
	return failed
}
