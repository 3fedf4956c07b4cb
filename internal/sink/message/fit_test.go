package message_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/message"
)

// TestFit keeps what fits, cuts what is long, and leaves out fields when there are too many.
func TestFit(t *testing.T) {
	a := sample()
	a.Tags = []string{"t"}
	if got := message.FitSidekick(a, 1000); got != a {
		t.Errorf("an alert that fits is changed: %+v", got)
	}
	text := func(s string) alert.Value { return alert.Value{Kind: alert.Text, Text: s} }
	a.Output = strings.Repeat("é\n", 5000)
	a.Fields = append(a.Fields, alert.Field{Key: "long", Value: text(strings.Repeat("x", 5000))},
		alert.Field{Key: "list", Value: alert.Value{Kind: alert.List, Elems: []alert.Value{text(strings.Repeat("y", 5000))}}})
	before := string(a.AppendSidekick(nil))
	for _, n := range []int{8000, 2000, 1000} {
		got := string(message.FitSidekick(a, n).AppendSidekick(nil))
		if len(got) > n || len(got) < n/4 || !strings.Contains(got, `[...]"`) || !strings.Contains(got, `"proc.pid":7`) || !strings.Contains(got, `"rule":"Test rule"`) {
			t.Errorf("%d: %d bytes: %s", n, len(got), got)
		}
	}
	if string(a.AppendSidekick(nil)) != before {
		t.Error("the alert was changed")
	}
	for i := range 1000 {
		a.Fields = append(a.Fields, alert.Field{Key: fmt.Sprintf("f%d", i), Value: text("x")})
		a.Tags = append(a.Tags, fmt.Sprint("tag", i))
	}
	got := string(message.FitSidekick(a, 1000).AppendSidekick(nil))
	if len(got) > 1000 || !strings.Contains(got, ` are left out"`) {
		t.Errorf("%d bytes: %s", len(got), got)
	}
}
