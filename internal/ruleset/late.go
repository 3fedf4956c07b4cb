package ruleset

import (
	"cmp"
	"slices"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/format"
	"github.com/saker-sec/saker/internal/match"
	"github.com/saker-sec/saker/internal/state"
)

// The first events of a container come before a runtime has told what the container is. What a rule says of such an event
// is then decided in two steps: the comparisons with what the event and the state tell are made at once, and those with what
// the runtime knows (the late ones) when its answer is there. In between, Held has the results of the former.

// lateRule is a rule with late comparisons.
type lateRule struct {
	rule  int32
	expr  *expr
	codes match.Bits
}

// lateRules returns the rules with late comparisons.
func (p *program) lateRules() []lateRule {
	var out []lateRule
	for i := range p.exprs {
		if p.exprs[i].late() {
			out = append(out, lateRule{p.rules[i], &p.exprs[i], p.codes[i]})
		}
	}
	return out
}

// late reports whether a comparison in e is late.
func (e *expr) late() bool {
	if e.op == leaf {
		return e.check.Late
	}
	return slices.ContainsFunc(e.kids, func(k expr) bool { return k.late() })
}

// verdict is the value of a condition while late comparisons are open.
type verdict uint8

const (
	no verdict = iota
	yes
	open
)

// judge evaluates a condition for the frame's event; late comparisons are open. (Kleene's three-valued logic.)
func (e *expr) judge(f *match.Frame) verdict {
	switch e.op {
	case leaf:
		if e.check.Late {
			return open
		}
		return verdictOf(e.check.Eval(f))
	case negate:
		switch e.kids[0].judge(f) {
		case yes:
			return no
		case no:
			return yes
		}
		return open
	}
	result, decides := yes, no
	if e.op == or {
		result, decides = no, yes
	}
	for i := range e.kids {
		switch e.kids[i].judge(f) {
		case decides:
			return decides
		case open:
			result = open
		}
	}
	return result
}

func verdictOf(b bool) verdict {
	if b {
		return yes
	}
	return no
}

// record appends the results of the comparisons that are not late, in the order in which replay reads them.
func (e *expr) record(f *match.Frame, dst []bool) []bool {
	if e.op == leaf {
		if e.check.Late {
			return dst
		}
		return append(dst, e.check.Eval(f))
	}
	for i := range e.kids {
		dst = e.kids[i].record(f, dst)
	}
	return dst
}

// replay evaluates a condition with what record noted, of which it returns the rest, and with the late comparisons as they
// are now.
func (e *expr) replay(f *match.Frame, noted []bool) (bool, []bool) {
	switch e.op {
	case leaf:
		if e.check.Late {
			return e.check.Eval(f), noted
		}
		return noted[0], noted[1:]
	case negate:
		holds, rest := e.kids[0].replay(f, noted)
		return !holds, rest
	}
	result := e.op == and
	for i := range e.kids {
		var holds bool
		if holds, noted = e.kids[i].replay(f, noted); e.op == and {
			result = result && holds
		} else {
			result = result || holds
		}
	}
	return result, noted
}

// Held is what the rules say of an event, as far as it is decided while its container is pending.
type Held struct {
	// Container is what the rest depends on.
	Container *state.Container

	set    *Ruleset
	source *compiled
	ctx    *state.Ctx
	rules  []heldRule
}

// heldRule is a rule that matches, or that may turn out to.
type heldRule struct {
	index int32
	rule  *Rule
	expr  *expr  // nil for a rule that matches whatever the container is
	noted []bool // see record

	alert *alert.Alert
	text  *format.Frozen
	extra []*format.Frozen // nil for those that are not late
}

// Hold is Match for an event whose container is pending. It returns the rules that match when no answer can change anything
// of that or of their alerts, and else what is to be decided with the answer; both are nil when nothing can match.
func (r *Ruleset) Hold(c *state.Ctx) (matched []*Rule, held *Held) {
	p := r.source(c)
	if p == nil || !visible(c.Event.Type()) {
		return nil, nil
	}
	var found []heldRule
	r.matcher.hits = r.matcher.hits[:0]
	if p.plans[c.Event.Code] != nil {
		r.run(p, c, false)
	} else {
		p.frame.Begin(c)
	}
	hits := r.matcher.hits
	for _, i := range hits {
		if !slices.ContainsFunc(p.late, func(l lateRule) bool { return l.rule == i }) {
			found = append(found, heldRule{index: i})
		}
	}
	for i := range p.late {
		l := &p.late[i]
		if !l.codes.Has(int(c.Event.Code)) {
			continue
		}
		switch l.expr.judge(p.frame) {
		case yes:
			found = append(found, heldRule{index: l.rule})
		case open:
			found = append(found, heldRule{index: l.rule, expr: l.expr, noted: l.expr.record(p.frame, nil)})
		}
	}
	if len(found) == 0 {
		return nil, nil
	}
	slices.SortFunc(found, func(a, b heldRule) int { return cmp.Compare(a.index, b.index) })
	if r.matcher.first {
		// What comes after a rule that matches for certain is of no interest.
		if i := slices.IndexFunc(found, func(h heldRule) bool { return h.expr == nil }); i >= 0 {
			found = found[:i+1]
		}
	}
	late := false
	for i := range found {
		h := &found[i]
		h.rule = r.rules[h.index]
		late = late || h.expr != nil || h.rule.late
	}
	if !late {
		r.found = r.found[:0]
		for i := range found {
			r.found = append(r.found, found[i].rule)
		}
		return r.found, nil
	}
	for i := range found {
		r.freeze(&found[i], c)
	}
	return nil, &Held{Container: c.Container(), set: r, source: p, ctx: c.Keep(), rules: found}
}

// freeze makes the alert of a rule as far as it is known.
func (r *Ruleset) freeze(h *heldRule, c *state.Ctx) {
	h.alert = r.Alert(h.rule, c)
	h.text = h.rule.Format.Freeze(c, r.output.Buffers)
	h.extra = make([]*format.Frozen, len(h.rule.Extra))
	for i := range h.rule.Extra {
		if f := h.rule.Extra[i].Format; f.Late() {
			h.extra[i] = f.Freeze(c, r.output.Buffers)
		}
	}
}

// Each calls f with the rules that match or may match, and whether they do for certain.
func (h *Held) Each(f func(m *Rule, certain bool)) {
	for i := range h.rules {
		f(h.rules[i].rule, h.rules[i].expr == nil)
	}
}

// Alerts decides what was left open by what is known of the container now, and returns the alerts. It may be called once.
func (h *Held) Alerts() []*alert.Alert {
	var out []*alert.Alert
	h.source.frame.Begin(h.ctx)
	for i := range h.rules {
		m := &h.rules[i]
		if m.expr != nil {
			if holds, _ := m.expr.replay(h.source.frame, m.noted); !holds {
				continue
			}
		}
		h.complete(m)
		out = append(out, m.alert)
		if h.set.matcher.first {
			break
		}
	}
	return out
}

// complete fills in what became known.
func (h *Held) complete(m *heldRule) {
	r, a := h.set, m.alert
	r.message = m.text.Append(r.message[:0], h.ctx)
	a.Message = string(r.message)
	named := m.rule.Format.Fields()
	for i, n := range named {
		if n.Extractor.Late {
			a.Fields[i].Value = r.value(n.Extractor, h.ctx)
		}
	}
	for i, z := range m.extra {
		if z == nil {
			continue
		}
		x, field := &m.rule.Extra[i], &a.Fields[len(named)+1+i]
		if only := x.Format.Fields(); x.Raw && len(only) == 1 {
			field.Value = r.value(only[0].Extractor, h.ctx)
			continue
		}
		r.message = z.Append(r.message[:0], h.ctx)
		field.Value = alert.Value{Kind: alert.Text, Text: string(r.message)}
	}
}
