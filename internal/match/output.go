package match

import (
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/filter"
	"github.com/saker-sec/saker/internal/state"
)

// Output compiles a field or transformer for an output. The extractor owns the memory of its values: one goroutine uses
// it, and a value is valid until the next extraction.
func (c *Compiler) Output(o *filter.Operand) (*field.Extractor, error) {
	own := &Compiler{fields: c.fields, services: c.services, terms: make(map[string]*term), output: true}
	t, err := own.operand(o)
	if err != nil {
		return nil, err
	}
	f := own.NewFrame()
	x := &field.Extractor{
		Field:    &field.Field{Name: t.name, Type: t.typ, List: t.list(), Flags: t.flags},
		Type:     t.typ,
		Quantity: t.quantity,
		Cost:     t.cost,
		Constant: t.constant,
		Late:     t.late && !t.fixed,
	}
	switch {
	case t.multi != nil:
		x.Multi = func(c *state.Ctx, dst []field.Value) ([]field.Value, bool) {
			f.Begin(c)
			vals, ok := t.multi(f)
			return append(dst, vals...), ok
		}
	case t.text != nil:
		x.Text = func(c *state.Ctx) (string, bool) {
			f.Begin(c)
			return t.text(f)
		}
	default:
		x.Num = func(c *state.Ctx) (uint64, bool) {
			f.Begin(c)
			return t.num(f)
		}
	}
	return x, nil
}
