package filter

import "strings"

// Print returns text that parses back to the same tree, positions aside.
func Print(e Expr) string {
	p := printer{exact: true}
	p.expr(e)
	return p.b.String()
}

// PrintFalco returns the text that Falco prints for the tree (condition_compiled of rule descriptions). Values with commas
// or parentheses and empty values are not quoted there, so that it does not always parse back.
func PrintFalco(e Expr) string {
	var p printer
	p.expr(e)
	return p.b.String()
}

type printer struct {
	b     strings.Builder
	exact bool
}

func (p *printer) expr(e Expr) {
	switch e := e.(type) {
	case *And:
		p.chain(" and ", e.Kids)
	case *Or:
		p.chain(" or ", e.Kids)
	case *Not:
		p.b.WriteString("not ")
		if _, ok := e.Kid.(*Not); ok && p.exact { // "not not" parses as no negation at all
			p.b.WriteByte('(')
			p.expr(e.Kid)
			p.b.WriteByte(')')
			return
		}
		p.expr(e.Kid)
	case *Macro:
		p.b.WriteString(e.Name)
	case *Check:
		p.check(e)
	}
}

func (p *printer) chain(sep string, kids []Expr) {
	p.b.WriteByte('(')
	for i, k := range kids {
		if i > 0 {
			p.b.WriteString(sep)
		}
		p.expr(k)
	}
	p.b.WriteByte(')')
}

func (p *printer) check(c *Check) {
	p.operand(c.Left)
	p.b.WriteByte(' ')
	p.b.WriteString(c.Op.String())
	if c.Mod != ModNone {
		p.b.WriteByte(' ')
		p.b.WriteString(c.Mod.String())
	}
	if c.Right.Kind == NoRight {
		return
	}
	p.b.WriteByte(' ')
	switch c.Right.Kind {
	case OperandRight:
		p.operand(*c.Right.Operand)
	case ValueRight:
		if c.Mod != ModNone || c.Op.IsList() { // an identifier: it may not be quoted
			p.b.WriteString(c.Right.Values[0])
		} else {
			p.value(c.Right.Values[0])
		}
	case ValuesRight:
		p.b.WriteByte('(')
		for i, v := range c.Right.Values {
			if i > 0 {
				p.b.WriteString(", ")
			}
			p.value(v)
		}
		p.b.WriteByte(')')
	}
}

func (p *printer) value(s string) {
	if !p.exact {
		p.b.WriteString(quoteFalco(s))
		return
	}
	_, isMod := ParseModifier(s)
	if s == "" || isMod || s[0] == '\b' || runLen(s, `()"'=,`) != len(s) {
		s = quoteExact(s)
	}
	p.b.WriteString(s)
}

func (p *printer) operand(o Operand) {
	switch o.Kind {
	case FieldOperand:
		p.b.WriteString(o.Name)
		p.argument(o)
	case TransformOperand:
		p.b.WriteString(o.Name)
		p.operands(o.Args)
		p.argument(o)
	case LiteralOperand:
		if p.exact && numberLen(o.Text) != len(o.Text) || o.Text == "" && p.exact {
			p.b.WriteString(quoteExact(o.Text))
		} else {
			p.value(o.Text)
		}
	case ListOperand:
		p.operands(o.Args)
	}
}

func (p *printer) operands(args []Operand) {
	p.b.WriteByte('(')
	for i, a := range args {
		if i > 0 {
			p.b.WriteByte(',')
		}
		p.operand(a)
	}
	p.b.WriteByte(')')
}

func (p *printer) argument(o Operand) {
	if !o.HasArg {
		return
	}
	p.b.WriteByte('[')
	switch {
	case o.Arg == "":
		p.b.WriteString(`""`)
	case !p.exact:
		p.b.WriteString(quoteFalco(o.Arg))
	case runLen(o.Arg, `[]"'`) == len(o.Arg):
		p.b.WriteString(o.Arg)
	default:
		p.b.WriteString(quoteExact(o.Arg))
	}
	p.b.WriteByte(']')
}
