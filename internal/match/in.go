package match

import "github.com/saker-sec/saker/internal/field"

// in returns the predicate of membership in a list of values.
func in(typ field.Type, vals []value) predicate {
	switch classOf(typ) {
	case classNumber, classBool:
		set := newNumSet(vals)
		return predicate{num: set.has}
	case classNet:
		return predicate{text: func(s string) bool {
			for i := range vals {
				if vals[i].net.contains(s) {
					return true
				}
			}
			return false
		}}
	}
	texts := make([]string, len(vals))
	for i := range vals {
		texts[i] = vals[i].text
	}
	set := newTextSet(texts)
	needs := make([]affix, 0, len(set.all))
	for _, t := range set.all {
		needs = append(needs, affix{t, whole})
	}
	return predicate{text: set.has, set: set, needs: needs}
}
