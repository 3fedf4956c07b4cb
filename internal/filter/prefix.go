package filter

// ParseTransformer parses the transformer that text begins with, as outputs have them after a percent sign:
// "toupper(proc.name) reads …". It returns the operand and how many bytes it takes, or 0 bytes when text begins with none.
// The error is a *SyntaxError.
func ParseTransformer(text string) (Operand, int, error) {
	p := parser{lexer: lexer{text: text, pos: Pos{Line: 1, Col: 1}}}
	at := p.pos
	name, ok := p.transformer()
	if !ok {
		return Operand{}, 0, nil
	}
	o, err := p.transformRest(name, at)
	if err != nil {
		return Operand{}, 0, err
	}
	return o, p.pos.Offset, nil
}
