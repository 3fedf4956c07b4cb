package match

import (
	"math"

	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/filter"
)

// signed says whether the numbers of a type compare as signed ones.
func signed(t field.Type) bool {
	switch t {
	case field.INT8, field.INT16, field.INT32, field.INT64:
		return true
	}
	return false
}

// compareNumber returns the predicate of = != < <= > >= with a number of the given type.
func compareNumber(op filter.Op, typ field.Type, v uint64) func(uint64) bool {
	switch op {
	case filter.In, filter.Intersects:
		op = filter.Eq
	}
	if typ == field.DOUBLE {
		w := math.Float64frombits(v)
		return func(n uint64) bool { return holdsFloat(op, math.Float64frombits(n), w) }
	}
	switch op {
	case filter.Eq:
		return func(n uint64) bool { return n == v }
	case filter.Ne:
		return func(n uint64) bool { return n != v }
	}
	if signed(typ) {
		w := int64(v)
		switch op {
		case filter.Lt:
			return func(n uint64) bool { return int64(n) < w }
		case filter.Le:
			return func(n uint64) bool { return int64(n) <= w }
		case filter.Gt:
			return func(n uint64) bool { return int64(n) > w }
		}
		return func(n uint64) bool { return int64(n) >= w }
	}
	switch op {
	case filter.Lt:
		return func(n uint64) bool { return n < v }
	case filter.Le:
		return func(n uint64) bool { return n <= v }
	case filter.Gt:
		return func(n uint64) bool { return n > v }
	}
	return func(n uint64) bool { return n >= v }
}

func holdsFloat(op filter.Op, a, b float64) bool {
	switch op {
	case filter.Eq:
		return a == b
	case filter.Ne:
		return a != b
	case filter.Lt:
		return a < b
	case filter.Le:
		return a <= b
	case filter.Gt:
		return a > b
	}
	return a >= b
}

// orderText returns the predicate of < <= > >= on text, byte by byte.
func orderText(op filter.Op, v string) func(string) bool {
	switch op {
	case filter.Lt:
		return func(s string) bool { return s < v }
	case filter.Le:
		return func(s string) bool { return s <= v }
	case filter.Gt:
		return func(s string) bool { return s > v }
	}
	return func(s string) bool { return s >= v }
}
