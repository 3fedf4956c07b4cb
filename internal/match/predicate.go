package match

import (
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/filter"
)

// predicate decides one value. One of text and num is set, by the class of the values; text also serves bytes and
// addresses. set is set when text is membership in it.
type predicate struct {
	text func(string) bool
	num  func(uint64) bool
	set  *textSet
	// needs are affixes of which a text must have one for the predicate to hold; nil is that nothing is known.
	needs []affix
}

// predicateOf returns what the operator, its modifier and its right-hand values make of one value of the left-hand side.
func predicateOf(k *Check, vals []value) (predicate, error) {
	if k.mod != filter.ModNone && !k.left.list() {
		return modified(k, vals)
	}
	switch k.op {
	case filter.In, filter.Intersects:
		return in(k.left.typ, vals), nil
	case filter.PMatch:
		return predicate{text: newPathTree(vals).match, needs: pathNeeds(vals)}, nil
	}
	p, err := single(k.op, k.left.typ, vals[0])
	p.needs = textNeeds(k.op, k.left.typ, vals[0])
	return p, err
}

// single returns the predicate of an operator with one right-hand value.
func single(op filter.Op, typ field.Type, v value) (predicate, error) {
	switch classOf(typ) {
	case classNumber, classBool:
		return predicate{num: compareNumber(op, typ, v.num)}, nil
	case classNet:
		if op == filter.Ne {
			return predicate{text: func(s string) bool { return !v.net.contains(s) }}, nil
		}
		return predicate{text: v.net.contains}, nil
	}
	switch op {
	case filter.Eq:
		return predicate{text: equalText(v.text), set: newTextSet([]string{v.text})}, nil
	case filter.Ne:
		return predicate{text: notEqualText(v.text)}, nil
	case filter.Lt, filter.Le, filter.Gt, filter.Ge:
		return predicate{text: orderText(op, v.text)}, nil
	case filter.Contains, filter.BContains:
		return predicate{text: contains(v.text)}, nil
	case filter.IContains:
		return predicate{text: containsFold(v.text)}, nil
	case filter.StartsWith, filter.BStartsWith:
		return predicate{text: startsWith(v.text)}, nil
	case filter.EndsWith:
		return predicate{text: endsWith(v.text)}, nil
	case filter.Glob:
		return predicate{text: compileGlob(v.text, false)}, nil
	case filter.IGlob:
		return predicate{text: compileGlob(v.text, true)}, nil
	case filter.Regex:
		m, err := compileRegex(v.text)
		return predicate{text: m}, err
	case filter.PMatch:
		return predicate{text: newPathTree([]value{v}).match}, nil
	}
	return in(typ, []value{v}), nil
}

// evaluate applies a predicate to the left-hand side of a check, as its number of values demands.
func evaluate(k *Check, p predicate) func(*Frame) bool {
	t := k.left
	if t.multi != nil {
		return evaluateMulti(k, p)
	}
	if t.text != nil {
		return evaluateText(t, p)
	}
	holds := p.num
	if get := t.rawNum; get != nil {
		return func(f *Frame) bool {
			n, ok := get(f.Ctx)
			return ok && holds(n)
		}
	}
	get := t.num
	return func(f *Frame) bool {
		n, ok := get(f)
		return ok && holds(n)
	}
}

func evaluateText(t *term, p predicate) func(*Frame) bool {
	holds, set := p.text, p.set
	switch get := t.rawText; {
	case get != nil && set != nil && len(set.all) == 1:
		want := set.all[0]
		return func(f *Frame) bool {
			s, ok := get(f.Ctx)
			return ok && s == want
		}
	case get != nil && set != nil:
		return func(f *Frame) bool {
			s, ok := get(f.Ctx)
			return ok && set.has(s)
		}
	case get != nil:
		return func(f *Frame) bool {
			s, ok := get(f.Ctx)
			return ok && holds(s)
		}
	}
	get := t.text
	return func(f *Frame) bool {
		s, ok := get(f)
		return ok && holds(s)
	}
}

// evaluateMulti applies a predicate to a field with several values: every element of a list must be among those of "in";
// both ends of a connection must differ for "!="; else one value suffices.
func evaluateMulti(k *Check, p predicate) func(*Frame) bool {
	t := k.left
	holds := func(v *field.Value) bool { return p.num(v.Num) }
	if p.text != nil {
		holds = func(v *field.Value) bool { return p.text(v.Text) }
	}
	all := t.quantity == field.List && k.op == filter.In || t.quantity == field.Either && k.op == filter.Ne
	list := t.quantity == field.List
	get := t.multi
	if all {
		return func(f *Frame) bool {
			vals, ok := get(f)
			if !ok || len(vals) == 0 && !list {
				return false
			}
			for i := range vals {
				if !holds(&vals[i]) {
					return false
				}
			}
			return true
		}
	}
	return func(f *Frame) bool {
		vals, ok := get(f)
		if !ok {
			return false
		}
		for i := range vals {
			if holds(&vals[i]) {
				return true
			}
		}
		return false
	}
}
