package filter

import (
	"fmt"
	"strings"
)

// MaxDepth bounds how deeply parentheses and transformers may nest. Falco's limit has the same number but counts the
// functions of its parser; since 0.44.1 does not enforce it, the wider reading loads whatever loads there, within reason.
const MaxDepth = 1000

// SyntaxError says where and why a text is not a condition. The message is Falco's.
type SyntaxError struct {
	At      Pos
	Message string
}

// Error returns the message without the position.
func (e *SyntaxError) Error() string { return e.Message }

// Parse returns the tree of a condition. The error is a *SyntaxError.
func Parse(text string) (Expr, error) {
	return parse(parser{lexer: lexer{text: text, pos: Pos{Line: 1, Col: 1}}})
}

func parse(p parser) (Expr, error) {
	if p.text == "" {
		return nil, p.fail("filter input string is empty")
	}
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.pos.Offset != len(p.text) {
		return nil, p.fail("unexpected token after '" + p.last + "', expecting 'or', 'and'")
	}
	return e, nil
}

// ParseLoose is Parse for conditions over things whose fields need no dot in their names and whose values may have an order
// that is none of numbers (`rule = x`, `priority <= warning`). An identifier is a field there, not a macro. The error is a
// *SyntaxError.
func ParseLoose(text string) (Expr, error) {
	return parse(parser{lexer: lexer{text: text, pos: Pos{Line: 1, Col: 1}}, loose: true})
}

// parser is a recursive-descent parser. Its functions mirror the productions of the grammar, because where they stop in an
// error is part of the compatible behaviour.
type parser struct {
	lexer
	depth int
	loose bool // see ParseLoose
}

func (p *parser) fail(message string) error { return &SyntaxError{At: p.pos, Message: message} }

// enter counts one level of nesting; leave is to be deferred whether or not there is an error.
func (p *parser) enter() error {
	p.depth++
	if p.depth > MaxDepth {
		return p.fail(fmt.Sprintf("exceeded max depth limit of %d", MaxDepth))
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

func (p *parser) or() (Expr, error) {
	at := p.pos
	kids, err := p.chain("or", p.and)
	if err != nil {
		return nil, err
	}
	if len(kids) == 1 {
		return kids[0], nil
	}
	return &Or{Kids: kids, At: at}, nil
}

func (p *parser) and() (Expr, error) {
	at := p.pos
	kids, err := p.chain("and", p.not)
	if err != nil {
		return nil, err
	}
	if len(kids) == 1 {
		return kids[0], nil
	}
	return &And{Kids: kids, At: at}, nil
}

// chain parses operands with a keyword between them. After the keyword comes a blank or an opening parenthesis.
func (p *parser) chain(keyword string, operand func() (Expr, error)) ([]Expr, error) {
	p.blank()
	kid, err := operand()
	if err != nil {
		return nil, err
	}
	kids := []Expr{kid}
	p.blank()
	for p.str(keyword) {
		switch {
		case p.blank():
			kid, err = operand()
		case p.str("("):
			kid, err = p.group()
		default:
			err = p.fail("expected blank or '(' after '" + keyword + "'")
		}
		if err != nil {
			return nil, err
		}
		kids = append(kids, kid)
		p.blank()
	}
	return kids, nil
}

func (p *parser) not() (Expr, error) {
	at := p.pos
	p.blank()
	negated := false
	for p.notWord() {
		negated = !negated
	}
	var kid Expr
	var err error
	if p.str("not(") {
		negated = !negated
		kid, err = p.group()
	} else {
		kid, err = p.check()
	}
	if err != nil || !negated {
		return kid, err
	}
	return &Not{Kid: kid, At: at}, nil
}

// group parses what follows an opening parenthesis, and the closing one.
func (p *parser) group() (Expr, error) {
	defer p.leave()
	if err := p.enter(); err != nil {
		return nil, err
	}
	p.blank()
	e, err := p.or()
	if err != nil {
		return nil, err
	}
	p.blank()
	if !p.str(")") {
		return nil, p.fail("expected a ')' token")
	}
	return e, nil
}

func (p *parser) check() (Expr, error) {
	at := p.pos
	p.blank()
	if p.str("(") {
		return p.group()
	}
	if p.fieldName() {
		left, err := p.fieldRest(at)
		if err != nil {
			return nil, err
		}
		return p.condition(left, at)
	}
	if name, ok := p.transformer(); ok {
		p.blank()
		left, err := p.transformRest(name, at)
		if err != nil {
			return nil, err
		}
		return p.condition(left, at)
	}
	if p.identifier() {
		if p.loose {
			left, err := p.fieldRest(at)
			if err != nil {
				return nil, err
			}
			return p.condition(left, at)
		}
		return &Macro{Name: p.last, At: at}, nil
	}
	return nil, p.fail("expected a '(' token, a field check, or an identifier")
}

// condition parses what follows the left operand of a check.
func (p *parser) condition(left Operand, at Pos) (Expr, error) {
	c := &Check{Left: left, At: at}
	p.blank()
	if p.str("exists") {
		c.Op = Exists
		return c, nil
	}
	var ok bool
	var err error
	if c.Op, ok = p.op(numOps); ok {
		c.Right, err = p.numberRight()
	} else if c.Op, ok = p.op(strOps); ok {
		c.Mod, c.Right, err = p.stringOpRight(c.Op)
	} else if c.Op, ok = p.op(listOps); ok {
		c.Right, err = p.listRight(true)
	} else {
		err = p.fail("expected a valid check operator: one of " + quoteNames(operatorNames()))
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// stringOpRight parses a modifier with its list, if there is one, and a single value otherwise.
func (p *parser) stringOpRight(op Op) (Modifier, Right, error) {
	blank := op.isWord() || p.blank()
	pos, last := p.pos, p.last
	if blank {
		if mod, ok := p.modifier(); ok && p.listFollows() && !p.boolKeyword() {
			r, err := p.listRight(false)
			return mod, r, err
		}
	}
	p.pos, p.last = pos, last
	r, err := p.stringRight()
	return ModNone, r, err
}

func (p *parser) listFollows() bool { return p.peek() == '(' || identLen(p.rest()) > 0 }

func (p *parser) numberRight() (Right, error) {
	p.blank()
	at := p.pos
	if r, ok, err := p.operandRight(); ok || err != nil {
		return r, err
	}
	if p.number() || p.loose && p.identifier() {
		return Right{Kind: ValueRight, Values: []string{p.last}, At: at}, nil
	}
	return Right{}, p.fail("expected a number value or a field with a valid transformer: " + transformerNames())
}

func (p *parser) stringRight() (Right, error) {
	p.blank()
	at := p.pos
	if r, ok, err := p.operandRight(); ok || err != nil {
		return r, err
	}
	ok, err := p.stringToken()
	if err != nil {
		return Right{}, err
	}
	if !ok {
		return Right{}, p.fail("expected a string value or a field with a valid transformer: " + transformerNames())
	}
	return Right{Kind: ValueRight, Values: []string{p.last}, At: at}, nil
}

func (p *parser) stringToken() (bool, error) {
	if ok, err := p.quoted(); ok || err != nil {
		return ok, err
	}
	return p.bare(), nil
}

// listRight parses a list, an identifier, and where operands are allowed, a field read through a transformer.
func (p *parser) listRight(operands bool) (Right, error) {
	p.blank()
	at := p.pos
	if p.str("(") {
		return p.listRest(at)
	}
	if operands {
		if r, ok, err := p.operandRight(); ok || err != nil {
			return r, err
		}
	}
	if p.identifier() {
		return Right{Kind: ValueRight, Values: []string{p.last}, At: at}, nil
	}
	if operands {
		return Right{}, p.fail("expected a list, an identifier, or a field with a valid transformer: " + transformerNames())
	}
	return Right{}, p.fail("expected a list or an identifier")
}

// listRest parses the strings of a list and its closing parenthesis. What is no string in the first place means that the
// list is empty, so that the error, if any, is about the parenthesis. A string with a bad escape there is an error; Falco
// takes the list for empty then, and the condition silently never holds.
func (p *parser) listRest(at Pos) (Right, error) {
	r := Right{Kind: ValuesRight, At: at}
	p.blank()
	ok, err := p.listItem()
	if err != nil {
		return Right{}, err
	}
	if ok {
		r.Values = append(r.Values, p.last)
		p.blank()
	}
	for ok && p.str(",") {
		if ok, err = p.listItem(); err != nil {
			return Right{}, err
		}
		if !ok {
			return Right{}, p.fail("expected a string value")
		}
		r.Values = append(r.Values, p.last)
		p.blank()
	}
	if !p.str(")") {
		return Right{}, p.fail("expected a ')' token")
	}
	return r, nil
}

func (p *parser) listItem() (bool, error) {
	p.blank()
	return p.stringToken()
}

func quoteNames(names []string) string { return "'" + strings.Join(names, "', '") + "'" }

func transformerNames() string { return quoteNames(append([]string{"val"}, transformers...)) }

func operatorNames() []string {
	names := []string{opNames[Exists]}
	for _, ops := range [][]Op{numOps, strOps, listOps} {
		for _, o := range ops {
			names = append(names, opNames[o])
		}
	}
	return names
}
