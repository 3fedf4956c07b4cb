package filter_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/filter"
)

func TestRewrite(t *testing.T) {
	e, err := filter.Parse("a and (b or not c) and fd.num > 3")
	if err != nil {
		t.Fatal(err)
	}
	same := filter.Rewrite(e, func(*filter.Macro) filter.Expr { return nil })
	if same != e {
		t.Error("a tree without replacements is copied")
	}
	got := filter.Rewrite(e, func(m *filter.Macro) filter.Expr {
		if m.Name != "c" {
			return nil
		}
		x, _ := filter.Parse("proc.name = x or d")
		return x
	})
	if s, want := filter.Print(got), "(a and (b or not (proc.name = x or d)) and fd.num > 3)"; s != want {
		t.Errorf("got %s, want %s", s, want)
	}
	if s, want := filter.Print(e), "(a and (b or not c) and fd.num > 3)"; s != want {
		t.Errorf("the original became %s", s)
	}
}
