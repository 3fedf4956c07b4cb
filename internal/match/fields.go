package match

import (
	"strings"

	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/filter"
)

// compileFields compiles the comparison of two fields. It is false when either has no value.
func (c *Compiler) compileFields(k *Check) error {
	l, r := k.left, k.right
	switch {
	case l.multi != nil:
		k.Eval = compareLists(k.op, l, r)
	case l.text != nil:
		holds := compareTexts(k.op)
		k.Eval = func(f *Frame) bool {
			a, ok := l.text(f)
			if !ok {
				return false
			}
			b, ok := r.text(f)
			return ok && holds(a, b)
		}
	default:
		op, typ := k.op, l.typ
		k.Eval = func(f *Frame) bool {
			a, ok := l.num(f)
			if !ok {
				return false
			}
			b, ok := r.num(f)
			return ok && holdsNumber(op, typ, a, b)
		}
	}
	return nil
}

// compareTexts returns the comparison of two texts. Patterns among them are compiled at each evaluation.
func compareTexts(op filter.Op) func(a, b string) bool {
	switch op {
	case filter.Ne:
		return func(a, b string) bool { return a != b }
	case filter.Lt:
		return func(a, b string) bool { return a < b }
	case filter.Le:
		return func(a, b string) bool { return a <= b }
	case filter.Gt:
		return func(a, b string) bool { return a > b }
	case filter.Ge:
		return func(a, b string) bool { return a >= b }
	case filter.Contains, filter.BContains:
		return strings.Contains
	case filter.IContains:
		return func(a, b string) bool { return foldContains(a, b, 0) }
	case filter.StartsWith, filter.BStartsWith:
		return strings.HasPrefix
	case filter.EndsWith:
		return strings.HasSuffix
	case filter.Glob:
		return func(a, b string) bool { return compileGlob(b, false)(a) }
	case filter.IGlob:
		return func(a, b string) bool { return compileGlob(b, true)(a) }
	}
	return func(a, b string) bool { return a == b } // =, and in and intersects with one value
}

func holdsNumber(op filter.Op, typ field.Type, a, b uint64) bool {
	switch op {
	case filter.In, filter.Intersects:
		op = filter.Eq
	}
	return compareNumber(op, typ, b)(a)
}

// compareLists returns the comparison of two list fields: all (in) or some (intersects) elements of the left one are in
// the right one.
func compareLists(op filter.Op, l, r *term) func(*Frame) bool {
	all := op == filter.In
	return func(f *Frame) bool {
		left, ok := l.multi(f)
		if !ok {
			return false
		}
		right, ok := r.multi(f)
		if !ok {
			return false
		}
		for i := range left {
			if among(&left[i], right) != all {
				return !all
			}
		}
		return all
	}
}

func among(v *field.Value, list []field.Value) bool {
	for i := range list {
		if list[i].Num == v.Num && list[i].Text == v.Text {
			return true
		}
	}
	return false
}
