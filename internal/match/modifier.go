package match

import (
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/filter"
)

// modified returns the predicate of an operator with oneof, anyof or allof. It never holds for an empty list.
func modified(k *Check, vals []value) (predicate, error) {
	op, typ := k.op, k.left.typ
	if typ == field.IPNET && op != filter.Eq && op != filter.Ne {
		op = filter.Eq
	}
	if op == filter.Eq && k.mod == filter.AnyOf {
		return in(typ, vals), nil
	}
	texts := make([]func(string) bool, 0, len(vals))
	nums := make([]func(uint64) bool, 0, len(vals))
	for _, v := range vals {
		p, err := single(op, typ, v)
		if err != nil {
			return predicate{}, err
		}
		if p.num != nil {
			nums = append(nums, p.num)
		} else {
			texts = append(texts, p.text)
		}
	}
	if c := classOf(typ); c == classNumber || c == classBool {
		return predicate{num: count(k.mod, nums)}, nil
	}
	return predicate{text: count(k.mod, texts)}, nil
}

// count combines predicates as a modifier demands.
func count[T any](mod filter.Modifier, preds []func(T) bool) func(T) bool {
	switch mod {
	case filter.OneOf:
		return func(v T) bool {
			n := 0
			for _, p := range preds {
				if p(v) {
					if n++; n > 1 {
						return false
					}
				}
			}
			return n == 1
		}
	case filter.AllOf:
		return func(v T) bool {
			for _, p := range preds {
				if !p(v) {
					return false
				}
			}
			return len(preds) > 0
		}
	}
	return func(v T) bool {
		for _, p := range preds {
			if p(v) {
				return true
			}
		}
		return false
	}
}
