package ruleset

import (
	"errors"

	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/filter"
	"github.com/saker-sec/saker/internal/format"
	"github.com/saker-sec/saker/internal/match"
)

// tokens finds what follows a percent sign in an output: the format.Resolver of one event source.
type tokens struct {
	fields  *field.Catalogue
	compile *match.Compiler
}

// errUnknownToken is what Falco says of any text after a percent sign that is neither field nor transformer.
var errUnknownToken = errors.New("unknown filter: unexpected token after '")

// Token implements format.Resolver.
func (t tokens) Token(text string) (format.Token, error) {
	o, n, err := filter.ParseTransformer(text)
	if err != nil {
		return format.Token{}, errors.New("unknown filter: " + err.Error())
	}
	if n > 0 {
		return t.transformer(&o, n)
	}
	f, arg, n, err := t.fields.Parse(text)
	if err != nil {
		var unknown *field.UnknownFieldError
		if errors.As(err, &unknown) {
			return format.Token{}, errUnknownToken
		}
		return format.Token{}, errors.New("unknown filter: " + err.Error())
	}
	x, err := t.fields.BindField(f, arg, false)
	if err != nil {
		return format.Token{}, errors.New("unknown filter: " + err.Error())
	}
	return format.Token{Len: n, Print: x, List: f.List, Fields: []format.Named{{Name: text[:n], Extractor: x}}}, nil
}

// transformer resolves a transformer. JSON lists the fields it is applied to, not its result (falco-core.md §3.7).
func (t tokens) transformer(o *filter.Operand, n int) (format.Token, error) {
	x, err := t.compile.Output(o)
	if err != nil {
		return format.Token{}, errors.New("unknown filter: " + err.Error())
	}
	token := format.Token{Len: n, Print: x, List: x.Quantity == field.List}
	return token, t.inner(o, &token)
}

// inner adds the fields within a transformer to the token.
func (t tokens) inner(o *filter.Operand, token *format.Token) error {
	if o.Kind == filter.FieldOperand {
		name := o.Name
		if o.HasArg {
			name += "[" + o.Arg + "]"
		}
		f, arg, _, err := t.fields.Parse(name)
		if err != nil {
			return errors.New("unknown filter: " + err.Error())
		}
		x, err := t.fields.BindField(f, arg, false)
		if err != nil {
			return errors.New("unknown filter: " + err.Error())
		}
		token.Fields = append(token.Fields, format.Named{Name: name, Extractor: x})
	}
	for i := range o.Args {
		if err := t.inner(&o.Args[i], token); err != nil {
			return err
		}
	}
	return nil
}
