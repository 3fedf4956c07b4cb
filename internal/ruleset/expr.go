package ruleset

import (
	"fmt"

	"github.com/saker-sec/saker/internal/filter"
	"github.com/saker-sec/saker/internal/match"
)

// expr is a condition with its comparisons compiled, before any event type is considered.
type expr struct {
	op    kind // leaf, negate (of kids[0]), and, or
	check *match.Check
	kids  []expr
}

// compileExpr compiles the comparisons of a condition.
func compileExpr(c *match.Compiler, e filter.Expr) (expr, error) {
	switch e := e.(type) {
	case *filter.And:
		return compileKids(c, and, e.Kids)
	case *filter.Or:
		return compileKids(c, or, e.Kids)
	case *filter.Not:
		return compileKids(c, negate, []filter.Expr{e.Kid})
	case *filter.Check:
		k, err := c.Check(e)
		return expr{op: leaf, check: k}, err
	case *filter.Macro:
		return expr{}, &match.Error{At: e.At, Message: fmt.Sprintf("filter error: unexpected identifier '%s'", e.Name)}
	}
	return expr{}, fmt.Errorf("compiling a condition: unexpected expression %T", e)
}

func compileKids(c *match.Compiler, op kind, in []filter.Expr) (expr, error) {
	e := expr{op: op, kids: make([]expr, len(in))}
	for i, k := range in {
		kid, err := compileExpr(c, k)
		if err != nil {
			return expr{}, err
		}
		e.kids[i] = kid
	}
	return e, nil
}

// reduce returns what is left of a condition for one event type.
func (g *graph) reduce(e *expr, d *match.Decider, negated bool) *node {
	switch e.op {
	case leaf:
		if holds, known := d.Decide(e.check); known {
			if holds != negated {
				return g.yes
			}
			return g.no
		}
		return g.leaf(e.check, negated)
	case negate:
		return g.reduce(&e.kids[0], d, !negated)
	}
	kids := make([]*node, len(e.kids))
	for i := range e.kids {
		kids[i] = g.reduce(&e.kids[i], d, negated)
	}
	if (e.op == and) != negated {
		return g.all(kids)
	}
	return g.any(kids)
}
