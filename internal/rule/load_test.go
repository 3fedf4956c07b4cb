package rule_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/filter"
	"github.com/saker-sec/saker/internal/rule"
)

var update = flag.Bool("update", false, "write what comes out to the files of expectations")

// TestLoad runs the cases of testdata/load.txt: a rules file, and behind a line of tildes what is reported and the rules
// that come out of it.
func TestLoad(t *testing.T) {
	const path = "testdata/load.txt"
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	checker := newChecker(t)
	var out strings.Builder
	for c := range strings.SplitSeq(strings.TrimPrefix(string(data), "=== "), "\n=== ") {
		name, rest, _ := strings.Cut(c, "\n")
		content, want, _ := strings.Cut(rest, "~~~")
		want = strings.TrimPrefix(want, "\n")
		got := outcome(checker, content)
		if strings.TrimSuffix(got, "\n") != strings.TrimSuffix(want, "\n") && !*update {
			t.Errorf("%s:\n%s\ngot\n%s\nwant\n%s", name, content, got, want)
		}
		fmt.Fprintf(&out, "=== %s\n%s~~~\n%s", name, content, got)
	}
	if *update {
		if err := os.WriteFile(path, []byte(out.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

func outcome(checker rule.Checker, content string) string {
	l := rule.NewLoader(rule.Config{Checker: checker, MinPriority: alert.Debug})
	res := l.Load("f", []byte(content))
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(res.Verbose(), "\n") + "\n")
	for _, r := range l.Rules() {
		fmt.Fprintf(&b, "rule %s: %v enabled=%v tags=%v index=%d line=%d capture=%v,%d warn=%v skip=%v fields=%v\n",
			r.Name, r.Priority, r.Enabled, r.Tags, r.Index, r.Line, r.Capture, r.CaptureDuration, r.WarnEvttypes,
			r.SkipUnknown, r.ExceptionFields)
		fmt.Fprintf(&b, "  desc:      %s\n  condition: %s\n  output:    %s\n", r.Desc, filter.Print(r.Expr), r.Output)
	}
	return b.String()
}
