package filter

// Walk calls visit for e and all expressions below it, from left to right, parents first.
func Walk(e Expr, visit func(Expr)) {
	visit(e)
	switch e := e.(type) {
	case *And:
		for _, k := range e.Kids {
			Walk(k, visit)
		}
	case *Or:
		for _, k := range e.Kids {
			Walk(k, visit)
		}
	case *Not:
		Walk(e.Kid, visit)
	}
}

// Operands calls visit for the operands of a check and all operands within them: the left one first, parents first.
func (e *Check) Operands(visit func(Operand)) {
	e.Left.walk(visit)
	if e.Right.Kind == OperandRight {
		e.Right.Operand.walk(visit)
	}
}

func (o Operand) walk(visit func(Operand)) {
	visit(o)
	for _, a := range o.Args {
		a.walk(visit)
	}
}

// Rewrite returns the tree with every macro replaced by what replace returns for it; nil keeps the macro. Nodes without
// macros are shared with e, which does not change.
func Rewrite(e Expr, replace func(*Macro) Expr) Expr {
	switch e := e.(type) {
	case *And:
		if kids := rewriteAll(e.Kids, replace); kids != nil {
			return &And{Kids: kids, At: e.At}
		}
	case *Or:
		if kids := rewriteAll(e.Kids, replace); kids != nil {
			return &Or{Kids: kids, At: e.At}
		}
	case *Not:
		if kid := Rewrite(e.Kid, replace); kid != e.Kid {
			return &Not{Kid: kid, At: e.At}
		}
	case *Macro:
		if r := replace(e); r != nil {
			return r
		}
	}
	return e
}

// rewriteAll returns nil when nothing changes.
func rewriteAll(kids []Expr, replace func(*Macro) Expr) []Expr {
	var out []Expr
	for i, k := range kids {
		r := Rewrite(k, replace)
		if r == k {
			continue
		}
		if out == nil {
			out = append([]Expr(nil), kids...)
		}
		out[i] = r
	}
	return out
}
