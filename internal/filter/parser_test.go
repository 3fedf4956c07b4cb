package filter_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/filter"
)

// TestParse runs the cases of testdata/conditions.txt.
func TestParse(t *testing.T) {
	data, err := os.ReadFile("testdata/conditions.txt")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for c := range strings.SplitSeq(string(data), "\n\n") {
		text, want, ok := strings.Cut(strings.TrimRight(c, "\n"), "\n")
		if !ok || strings.HasPrefix(c, "#") {
			continue
		}
		n++
		if got := outcome(text); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	if n < 30 {
		t.Errorf("only %d cases were read", n)
	}
}

func outcome(text string) string {
	e, err := filter.Parse(text)
	var s *filter.SyntaxError
	if errors.As(err, &s) {
		return fmt.Sprintf("! %d:%d: %s", s.At.Line, s.At.Col, s.Message)
	}
	return "= " + filter.Print(e)
}

func TestParseDepth(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("(", n) + "evt.type = open" + strings.Repeat(")", n) }
	if _, err := filter.Parse(nested(1000)); err != nil {
		t.Errorf("1000 parentheses: %v", err)
	}
	for _, text := range []string{nested(1001), strings.Repeat("(", 1_000_000), strings.Repeat("tolower(", 1_000_000)} {
		if _, err := filter.Parse(text); err == nil || err.Error() != "exceeded max depth limit of 1000" {
			t.Errorf("%.20s…: %v", text, err)
		}
	}
	if _, err := filter.Parse(strings.Repeat("not ", 1_000_001) + "a"); err != nil {
		t.Errorf("a row of nots: %v", err)
	}
}

func TestParsePositions(t *testing.T) {
	e, err := filter.Parse("evt.type = open\nand not (\tproc.name in (a) or m)")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	filter.Walk(e, func(e filter.Expr) {
		p := e.Pos()
		got = append(got, fmt.Sprintf("%T %d:%d:%d", e, p.Offset, p.Line, p.Col))
	})
	want := []string{
		"*filter.And 0:1:1", "*filter.Check 0:1:1", "*filter.Not 20:2:5", "*filter.Or 26:2:11",
		"*filter.Check 26:2:11", "*filter.Macro 46:2:31",
	}
	if strings.Join(got, ", ") != strings.Join(want, ", ") {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// TestParseGoldens parses all conditions that Falco was asked to compile, including those it refused for other reasons than
// their syntax.
func TestParseGoldens(t *testing.T) {
	f, err := os.Open("../../../shared/golden/conditions.jsonl.gz")
	if err != nil {
		t.Skip("the goldens are not here: ", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<24)
	n := 0
	for lines.Scan() {
		var c struct {
			Condition string
			Rejected  [][2]string
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		texts := []string{c.Condition}
		if c.Condition == "" {
			texts = nil
		}
		for _, r := range c.Rejected {
			texts = append(texts, r[0])
		}
		for _, text := range texts {
			n++
			roundTrip(t, text, true)
		}
	}
	if err := lines.Err(); err != nil || n < 799 {
		t.Errorf("%d conditions, %v", n, err)
	}
}

func FuzzParse(f *testing.F) {
	data, err := os.ReadFile("testdata/conditions.txt")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		f.Add(strings.TrimSuffix(line, "\n"))
	}
	f.Fuzz(func(t *testing.T, text string) { roundTrip(t, text, false) })
}

// roundTrip checks that what parses prints as text that parses to the same.
func roundTrip(t *testing.T, text string, mustParse bool) {
	e, err := filter.Parse(text)
	if err != nil {
		var s *filter.SyntaxError
		if mustParse || !errors.As(err, &s) || s.At.Offset > len(text) {
			t.Errorf("parsing %q: %v", text, err)
		}
		return
	}
	printed := filter.Print(e)
	again, err := filter.Parse(printed)
	if err != nil {
		if strings.HasPrefix(err.Error(), "exceeded max depth") { // the printer adds parentheses
			return
		}
		t.Fatalf("%q prints as %q, which does not parse: %v", text, printed, err)
	}
	if a, b := dump(e), dump(again); a != b {
		t.Errorf("%q prints as %q:\n%s\n%s", text, printed, a, b)
	}
	filter.PrintFalco(e)
}

// dump writes a tree in full, without positions.
func dump(e filter.Expr) string {
	var b strings.Builder
	filter.Walk(e, func(e filter.Expr) {
		switch e := e.(type) {
		case *filter.And:
			fmt.Fprintf(&b, "and/%d ", len(e.Kids))
		case *filter.Or:
			fmt.Fprintf(&b, "or/%d ", len(e.Kids))
		case *filter.Not:
			b.WriteString("not ")
		case *filter.Macro:
			fmt.Fprintf(&b, "%s ", e.Name)
		case *filter.Check:
			fmt.Fprintf(&b, "%v %v %v %q ", e.Op, e.Mod, e.Right.Kind, e.Right.Values)
			e.Operands(func(o filter.Operand) {
				fmt.Fprintf(&b, "%v %q %q %v %q/%d ", o.Kind, o.Name, o.Arg, o.HasArg, o.Text, len(o.Args))
			})
		}
	})
	return b.String()
}

// TestParseLoose has fields without dots and an order of words.
func TestParseLoose(t *testing.T) {
	for text, want := range map[string]string{
		"rule = x and not priority<=warning": "(rule = x and not priority <= warning)",
		"tolower(rule) in (a, b) or n > 5":   "(tolower(rule) in (a, b) or n > 5)",
		"proc.aname[2] = val(rule)":          "proc.aname[2] = val(rule)",
		"rule":                               "! 1:5: expected a valid check operator",
		"priority < ":                        "! 1:12: expected a number value",
		"a =":                                "! 1:4: expected a string value",
		"":                                   "! 1:1: filter input string is empty",
	} {
		e, err := filter.ParseLoose(text)
		var s *filter.SyntaxError
		if errors.As(err, &s) {
			if got := fmt.Sprintf("! %d:%d: %s", s.At.Line, s.At.Col, s.Message); !strings.HasPrefix(got, want) {
				t.Errorf("%s\n got %s\nwant %s", text, got, want)
			}
			continue
		}
		if got := filter.Print(e); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	if _, err := filter.Parse("rule = x"); err == nil {
		t.Error("in rules a word alone is a macro")
	}
}
