package match

import (
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/filter"
)

// Rules ask one text, such as fd.name, dozens of times for its beginning or its end. An index looks at the text once per event
// and tells which of these comparisons may hold; only those are evaluated.

// indexedFrom is the cost of all comparisons of a text from which an index is worth its while.
const indexedFrom = 40

// costIndex is about the nanoseconds of looking at a text.
const costIndex = 25

// index is made for one term.
type index struct {
	term   *term
	read   int            // slot of match.Read
	guards [][]affix      // by bit
	bits   map[string]int // of guards, by affixKey
	known  *affixes       // nil before it is built
	paths  Bits           // guards with a path among their affixes
}

// Index decides which texts get an index, and tells their checks that they have become cheaper. It is called once all checks are
// compiled.
func (c *Compiler) Index() error {
	asked := map[string][]*Check{}
	bases := map[string]*term{}
	for _, key := range slices.Sorted(maps.Keys(c.checks)) {
		k := c.checks[key]
		base, needs, err := c.base(k)
		if err != nil {
			return err
		}
		if needs != nil {
			k.needs = needs
			asked[base.key], bases[base.key] = append(asked[base.key], k), base
		}
	}
	for _, key := range slices.Sorted(maps.Keys(asked)) {
		cost := 0
		for _, k := range asked[key] {
			cost += k.Cost
		}
		if cost < indexedFrom {
			continue
		}
		x := &index{term: bases[key], read: c.reads, bits: map[string]int{}}
		c.reads++
		c.indexes = append(c.indexes, x)
		reads := append(slices.Clone(x.term.reads), Read{Slot: x.read, Cost: costIndex + x.term.cost})
		for _, k := range asked[key] {
			k.index = len(c.indexes)
			alone := k.Cost
			for _, r := range k.Reads {
				alone += r.Cost
			}
			k.Cost, k.Reads = 1+int(k.Pass*float64(alone)), reads
		}
	}
	return nil
}

// base returns the term whose text a check asks for a beginning or an end, and for which ones; nil when it does not.
func (c *Compiler) base(k *Check) (*term, []affix, error) {
	t := k.left
	if k.needs == nil || t.text == nil || t.multi != nil || t.late || t.constant || classOf(t.typ) != classText {
		return nil, nil, nil
	}
	if t.part == nil {
		return t, k.needs, nil
	}
	of, err := c.field(&filter.Operand{Kind: filter.FieldOperand, Name: t.part.Of})
	if err != nil {
		return nil, nil, err
	}
	at := start
	if t.part.End {
		at = finish
	}
	out := make([]affix, 0, len(k.needs))
	for _, n := range k.needs {
		known := false // what the whole text must have then
		switch n.place {
		case whole:
			known = n.text != t.part.Except
		case start:
			known = at == start && !strings.HasPrefix(t.part.Except, n.text)
		case finish:
			known = at == finish && !strings.HasSuffix(t.part.Except, n.text)
		}
		if !known {
			return nil, nil, nil
		}
		out = append(out, affix{n.text, at})
	}
	return of, out, nil
}

// Guard says where the answer of an index lies.
type Guard struct{ index, bit int32 }

// Index tells which checks share an index: those that return the same number. It is 0 for a check without.
func (k *Check) Index() int { return k.index }

// Guard returns a guard of checks that share an index, for frames made afterwards: when it is down, none of the checks holds.
func (c *Compiler) Guard(checks []*Check) Guard {
	var all []affix
	for _, k := range checks {
		all = append(all, k.needs...)
	}
	slices.SortFunc(all, affix.compare)
	all = slices.Compact(all)
	at := checks[0].index - 1
	x := c.indexes[at]
	key := affixKey(all)
	bit, ok := x.bits[key]
	if !ok {
		bit = len(x.guards)
		x.guards, x.bits[key] = append(x.guards, all), bit
		x.known = nil
	}
	return Guard{int32(at), int32(bit)}
}

// affixKey returns a text that only equal affixes have in common.
func affixKey(all []affix) string {
	var b []byte
	for _, a := range all {
		b = append(binary.AppendUvarint(append(b, byte(a.place)), uint64(len(a.text))), a.text...)
	}
	return string(b)
}

// build makes the automata of an index.
func (x *index) build() {
	x.paths = NewBits(len(x.guards))
	raised := map[affix]Bits{}
	for bit, all := range x.guards {
		for _, a := range all {
			if a.place == path {
				x.paths.Add(bit)
				a.place = start
			}
			if raised[a] == nil {
				raised[a] = NewBits(len(x.guards))
			}
			raised[a].Add(bit)
		}
	}
	x.known = newAffixes(raised)
}

// raise raises the guards whose comparisons may hold for a text.
func (x *index) raise(s string, guards Bits) {
	x.known.raise(s, guards)
	if s == "" || s[0] != '/' || strings.Contains(s, "//") {
		guards.Merge(x.paths) // components are not where the affixes have them
	}
}

// lookedAt is what an index found in the text of the event.
type lookedAt struct {
	index *index
	epoch uint64
	bits  Bits
}

// Up reports whether a comparison that is guarded may hold.
func (f *Frame) Up(g Guard) bool {
	l := &f.looked[g.index]
	if l.epoch != f.epoch {
		f.look(l)
	}
	return l.bits.Has(int(g.bit))
}

func (f *Frame) look(l *lookedAt) {
	l.epoch = f.epoch
	clear(l.bits)
	if s, ok := l.index.term.text(f); ok {
		l.index.raise(s, l.bits)
	}
}

// globNeeds returns what a text must have for a pattern to match.
func globNeeds(toks []globToken) []affix {
	fixed := func(t globToken) bool { return !t.star && !t.any && t.set == nil }
	var head, tail []byte
	for _, t := range toks {
		if !fixed(t) {
			break
		}
		head = append(head, t.lit)
	}
	if len(head) == len(toks) {
		return []affix{{string(head), whole}}
	}
	for _, t := range slices.Backward(toks) {
		if !fixed(t) {
			break
		}
		tail = append(tail, t.lit)
	}
	switch {
	case len(head) == 0 && len(tail) == 0:
		return nil
	case len(head) < len(tail):
		slices.Reverse(tail)
		return []affix{{string(tail), finish}}
	}
	return []affix{{string(head), start}}
}

// pathNeeds returns what a text must begin with to be one of the paths of pmatch or to lie below one.
func pathNeeds(vals []value) []affix {
	out := make([]affix, 0, len(vals))
	for _, v := range vals {
		prefix := ""
		for comp, rest := nextComponent(v.text); comp != "" && !strings.ContainsAny(comp, "?*["); comp, rest = nextComponent(rest) {
			prefix += "/" + comp
		}
		if prefix == "" {
			return nil
		}
		out = append(out, affix{prefix, path})
	}
	return out
}

// textNeeds returns what a text must have for an operator of one value to hold; nil when nothing is known.
func textNeeds(op filter.Op, typ field.Type, v value) []affix {
	if classOf(typ) != classText {
		return nil
	}
	switch op {
	case filter.Eq:
		return []affix{{v.text, whole}}
	case filter.StartsWith:
		return []affix{{v.text, start}}
	case filter.EndsWith:
		return []affix{{v.text, finish}}
	case filter.Glob:
		return globNeeds(globTokens(v.text, false))
	}
	return nil
}
