package filter

// operandRight parses val() or a transformer on the right-hand side, and reports whether there is one.
func (p *parser) operandRight() (Right, bool, error) {
	p.blank()
	at := p.pos
	var o Operand
	var err error
	if p.str("val(") {
		o, err = p.valRest(at)
	} else if name, ok := p.transformer(); ok {
		p.blank()
		o, err = p.transformRest(name, at)
	} else {
		return Right{}, false, nil
	}
	if err != nil {
		return Right{}, false, err
	}
	return Right{Kind: OperandRight, Operand: &o, At: at}, true, nil
}

// name takes the name of a field.
func (p *parser) name() bool { return p.fieldName() || p.loose && p.identifier() }

func (p *parser) valRest(at Pos) (Operand, error) {
	p.blank()
	fieldAt := p.pos
	if !p.name() {
		return Operand{}, p.fail("expected a field within 'val' transformer")
	}
	f, err := p.fieldRest(fieldAt)
	if err != nil {
		return Operand{}, err
	}
	o := Operand{Kind: TransformOperand, Name: "val", Args: []Operand{f}, At: at}
	return p.transformEnd(o)
}

// fieldRest parses the optional argument of the field whose name was taken last.
func (p *parser) fieldRest(at Pos) (Operand, error) {
	o := Operand{Kind: FieldOperand, Name: p.last, At: at}
	err := p.argument(&o)
	return o, err
}

func (p *parser) argument(o *Operand) error {
	if !p.str("[") {
		return nil
	}
	ok, err := p.quoted()
	if err != nil {
		return err
	}
	if !ok && !p.fieldArg() {
		return p.fail("expected a valid field argument: a quoted string or a bare string")
	}
	o.Arg, o.HasArg = p.last, true
	if !p.str("]") {
		return p.fail("expected a ']' token")
	}
	return nil
}

// transformRest parses the arguments of a transformer whose opening parenthesis was taken.
func (p *parser) transformRest(name string, at Pos) (Operand, error) {
	defer p.leave()
	if err := p.enter(); err != nil {
		return Operand{}, err
	}
	p.blank()
	o := Operand{Kind: TransformOperand, Name: name, At: at}
	for {
		arg, err := p.transformArg(p.pos)
		if err != nil {
			return Operand{}, err
		}
		o.Args = append(o.Args, arg)
		p.blank()
		if !p.str(",") {
			return p.transformEnd(o)
		}
	}
}

func (p *parser) transformEnd(o Operand) (Operand, error) {
	p.blank()
	if !p.str(")") {
		return Operand{}, p.fail("expected a ')' token closing the transformer")
	}
	err := p.argument(&o)
	return o, err
}

func (p *parser) transformArg(at Pos) (Operand, error) {
	p.blank()
	if p.number() {
		return Operand{Kind: LiteralOperand, Text: p.last, At: at}, nil
	}
	if ok, err := p.quoted(); ok || err != nil {
		return Operand{Kind: LiteralOperand, Text: p.last, At: at}, err
	}
	if p.str("(") {
		return p.operandList(at)
	}
	if name, ok := p.transformer(); ok {
		return p.transformRest(name, at)
	}
	if p.name() {
		return p.fieldRest(at)
	}
	return Operand{}, p.fail("expected field transformer argument: " +
		"field, transformer, quoted string, number, or transformer list")
}

// operandList parses the rest of a list among the arguments of a transformer. Its elements have the position of the list,
// as in Falco.
func (p *parser) operandList(at Pos) (Operand, error) {
	list := Operand{Kind: ListOperand, At: at}
	p.blank()
	if p.str(")") {
		return list, nil
	}
	for {
		arg, err := p.listArg(at)
		if err != nil {
			return Operand{}, err
		}
		list.Args = append(list.Args, arg)
		p.blank()
		if !p.str(",") {
			break
		}
		p.blank()
	}
	if !p.str(")") {
		return Operand{}, p.fail("expected ')'")
	}
	return list, nil
}

func (p *parser) listArg(at Pos) (Operand, error) {
	if p.fieldName() {
		return p.fieldRest(at)
	}
	if name, ok := p.transformer(); ok {
		p.blank()
		return p.transformRest(name, at)
	}
	if ok, err := p.quoted(); ok || err != nil {
		return Operand{Kind: LiteralOperand, Text: p.last, At: at}, err
	}
	if p.number() {
		return Operand{Kind: LiteralOperand, Text: p.last, At: at}, nil
	}
	return Operand{}, p.fail("expected transformer list argument: field, transformer, quoted string, or number")
}
