package rule

import "github.com/saker-sec/saker/internal/filter"

// macro is a macro with its condition, whose own macros are resolved in the course of compiling.
type macro struct {
	item     *macroItem
	expr     filter.Expr
	nodes    int // in expr, macros resolved so far included
	resolved bool
	used     bool
	active   bool // being replaced right now
}

// resolver replaces macros by their conditions.
type resolver struct {
	macros map[string]*macro
}

// resolution is the work on one condition.
type resolution struct {
	*resolver
	visibility int // macros with a lower index can be used
	nodes      int
	used       []*macro
	loop       *filter.Macro // the first that leads back to itself
	unknown    *filter.Macro // the first that does not exist
}

// everything is the visibility of rules.
const everything = int(^uint(0) >> 1)

// resolve returns the condition with its macros resolved and the number of its nodes. condition is the text for error
// messages, ctx the context of the item.
func (r *resolver) resolve(e filter.Expr, visibility int, condition string, ctx *context) (filter.Expr, int, error) {
	w := resolution{resolver: r, visibility: visibility, nodes: countNodes(e)}
	out := filter.Rewrite(e, w.replace)
	switch {
	case w.nodes > maxNodes:
		return nil, 0, fault(ErrValidate, ctx, "the condition has more than %d terms once its macros are resolved", maxNodes)
	case w.loop != nil:
		return nil, 0, fault(ErrValidate, ctx.inCondition(w.loop.At, condition), "reference loop in macro '%s'", w.loop.Name)
	case w.unknown != nil:
		return nil, 0, fault(ErrValidate, ctx.inCondition(w.unknown.At, condition),
			"Undefined macro '%s' used in filter.", w.unknown.Name)
	}
	for _, m := range w.used {
		m.used = true
	}
	return out, w.nodes, nil
}

func (w *resolution) replace(id *filter.Macro) filter.Expr {
	m := w.macros[id.Name]
	if m == nil || m.item.index >= w.visibility {
		if w.unknown == nil {
			w.unknown = id
		}
		return nil
	}
	if m.active {
		if w.loop == nil {
			w.loop = id
		}
		return nil
	}
	w.used = append(w.used, m)
	if w.nodes += m.nodes; w.nodes > maxNodes || m.resolved {
		return m.expr
	}
	m.active = true
	e := filter.Rewrite(m.expr, w.replace)
	m.active = false
	return e
}

func countNodes(e filter.Expr) int {
	n := 0
	filter.Walk(e, func(filter.Expr) { n++ })
	return n
}
