package match

import (
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/filter"
)

// operatorCost estimates the nanoseconds of a check without its extractions.
func operatorCost(k *Check) int {
	n := len(k.values)
	each := 2
	switch k.op {
	case filter.Exists:
		return 1
	case filter.In, filter.Intersects:
		each = 0
		n = 5
		if k.left.typ == field.IPNET {
			each, n = 3, len(k.values)
		}
		return max(1, n+each*n)
	case filter.PMatch:
		return 30
	case filter.Contains, filter.BContains:
		each = 10
	case filter.EndsWith, filter.StartsWith, filter.BStartsWith:
		each = 4
	case filter.Glob:
		each = 10
	case filter.IGlob, filter.IContains:
		each = 40
	case filter.Regex:
		each = 400
	}
	if n == 0 {
		n = 1
	}
	cost := each * n
	if k.left.multi != nil {
		cost *= 4
	}
	return cost
}

// passes guesses how often a check holds, from what is usual in rules: what is compared for equality is rare.
func passes(k *Check) float64 {
	switch k.left.key {
	case "fd.typechar", "fd.type", "evt.failed", "evt.res", "container.id", "fd.num", "evt.rawres", "fd.l4proto":
		if k.op != filter.Ne {
			return 0.7 // most events are about files, succeed, and happen on the host
		}
		return 0.3
	}
	if k.left.typ == field.BOOL {
		if k.op == filter.Ne {
			return 0.5
		}
		if len(k.values) == 1 && k.values[0] == "false" {
			return 0.7
		}
		return 0.25
	}
	switch k.op {
	case filter.Exists:
		return 0.9
	case filter.Eq:
		return 0.03
	case filter.Ne:
		return 0.97
	case filter.Lt, filter.Le, filter.Gt, filter.Ge:
		return 0.5
	case filter.In, filter.Intersects, filter.PMatch:
		return min(0.12, 0.02+0.004*float64(len(k.values)))
	case filter.Contains, filter.IContains, filter.BContains, filter.Regex, filter.Glob, filter.IGlob:
		return 0.08
	}
	return 0.08
}
