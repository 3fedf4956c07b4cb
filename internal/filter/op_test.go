package filter_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/filter"
)

func TestOps(t *testing.T) {
	for o := filter.Exists; o <= filter.PMatch; o++ {
		if got, ok := filter.ParseOp(o.String()); !ok || got != o {
			t.Errorf("%v parses as %v, %v", o, got, ok)
		}
	}
	for m := filter.OneOf; m <= filter.AllOf; m++ {
		if got, ok := filter.ParseModifier(m.String()); !ok || got != m {
			t.Errorf("%v parses as %v, %v", m, got, ok)
		}
	}
	if _, ok := filter.ParseOp(""); ok {
		t.Error("the empty string is an operator")
	}
	if _, ok := filter.ParseModifier(""); ok {
		t.Error("the empty string is a modifier")
	}
}
