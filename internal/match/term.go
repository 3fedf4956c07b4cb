package match

import (
	"errors"
	"fmt"
	"strings"

	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/filter"
	"github.com/saker-sec/saker/internal/state"
)

// dearExtraction is the cost in ns from which a value is remembered for the rest of the event.
const dearExtraction = 15

// term is a value that a comparison reads: a field bound to its argument, a literal, a list, or a transformer's result.
// Exactly one of text, num and multi is set, by the rule that field.Extractor states.
type term struct {
	name     string // of the field, without argument, as messages print it
	key      string // canonical text: terms with equal keys have equal values
	typ      field.Type
	quantity field.Quantity
	flags    field.Flags
	cost     int    // ns of an evaluation, without reads
	reads    []Read // values that frames remember
	constant bool   // the value is decided by the type of the event
	plain    bool   // a field without transformer
	hostName bool   // its values are names of hosts
	late     bool   // reads what may come to be known after the event (field.Extractor.Late)
	fixed    bool   // reads what is known with the event
	part     *field.Part

	text  func(*Frame) (string, bool)
	num   func(*Frame) (uint64, bool)
	multi func(*Frame) ([]field.Value, bool)

	// rawText and rawNum are the extractor's own functions where nothing lies between it and the comparison.
	rawText func(*state.Ctx) (string, bool)
	rawNum  func(*state.Ctx) (uint64, bool)

	literal bool   // of a transformer's argument
	value   string // of a literal
}

func (t *term) list() bool { return t.quantity == field.List }

// first returns the function that gives a term's text, the first one of a term with several candidates.
func (t *term) first() func(*Frame) (string, bool) {
	if t.multi == nil {
		return t.text
	}
	return func(f *Frame) (string, bool) {
		vals, ok := t.multi(f)
		if !ok || len(vals) == 0 {
			return "", false
		}
		return vals[0].Text, true
	}
}

// operand compiles a field, a transformer, or an argument of one.
func (c *Compiler) operand(o *filter.Operand) (*term, error) {
	switch o.Kind {
	case filter.FieldOperand:
		return c.field(o)
	case filter.TransformOperand:
		return c.transform(o)
	case filter.LiteralOperand:
		return literal(o.Text), nil
	case filter.ListOperand:
		return c.listOperand(o)
	}
	return nil, errors.New("filter error: unexpected operand")
}

// field binds a field. Fields that are dear to extract are remembered within the event.
func (c *Compiler) field(o *filter.Operand) (*term, error) {
	key := o.Name
	if o.HasArg {
		key += "[" + o.Arg + "]"
	}
	if t, ok := c.terms[key]; ok {
		return t, nil
	}
	x, err := c.fields.Bind(o.Name, o.Arg, o.HasArg, !c.output)
	if err != nil {
		return nil, err
	}
	t := &term{
		name: x.Field.Name, key: key, typ: x.Type, quantity: x.Quantity, flags: x.Field.Flags,
		cost: x.Cost, constant: x.Constant, plain: true, hostName: x.HostName, late: x.Late, fixed: !x.Late,
		part: x.Part,
	}
	c.read(t, x)
	c.terms[key] = t
	return t, nil
}

// read sets the functions of a term that reads extractor x.
func (c *Compiler) read(t *term, x *field.Extractor) {
	dear := x.Cost >= dearExtraction || x.Multi != nil
	if dear {
		t.cost, t.reads = 2, []Read{{Slot: c.reads, Cost: x.Cost}}
		c.reads++
	}
	switch {
	case x.Multi != nil:
		slot := c.frame.lists
		c.frame.lists++
		get := x.Multi
		t.multi = func(f *Frame) ([]field.Value, bool) {
			m := &f.lists[slot]
			if m.epoch != f.epoch {
				m.epoch = f.epoch
				m.vals, m.ok = get(f.Ctx, m.vals[:0])
			}
			return m.vals, m.ok
		}
	case x.Text != nil && dear:
		slot := c.frame.texts
		c.frame.texts++
		get := x.Text
		t.text = func(f *Frame) (string, bool) {
			m := &f.texts[slot]
			if m.epoch != f.epoch {
				m.epoch = f.epoch
				m.text, m.ok = get(f.Ctx)
			}
			return m.text, m.ok
		}
	case x.Text != nil:
		get := x.Text
		t.rawText = get
		t.text = func(f *Frame) (string, bool) { return get(f.Ctx) }
	case dear:
		slot := c.frame.nums
		c.frame.nums++
		get := x.Num
		t.num = func(f *Frame) (uint64, bool) {
			m := &f.nums[slot]
			if m.epoch != f.epoch {
				m.epoch = f.epoch
				m.num, m.ok = get(f.Ctx)
			}
			return m.num, m.ok
		}
	default:
		get := x.Num
		t.rawNum = get
		t.num = func(f *Frame) (uint64, bool) { return get(f.Ctx) }
	}
}

// literal returns the term of a constant text.
func literal(s string) *term {
	return &term{
		name: internalName, key: fmt.Sprintf("%q", s), typ: field.CHARBUF, constant: true, literal: true, value: s,
		text: func(*Frame) (string, bool) { return s, true },
	}
}

// internalName is what Falco's messages call values that are not fields.
const internalName = "NA"

// listOperand compiles a list among the arguments of a transformer. It has no value when one of its elements has none.
func (c *Compiler) listOperand(o *filter.Operand) (*term, error) {
	if len(o.Args) == 0 {
		return nil, errors.New("filter error: unexpected empty transformer list element")
	}
	t := &term{name: internalName, typ: field.CHARBUF, quantity: field.List, constant: true}
	keys := make([]string, len(o.Args))
	elems := make([]*term, len(o.Args))
	for i := range o.Args {
		e, err := c.operand(&o.Args[i])
		if err != nil {
			return nil, err
		}
		if e.num != nil {
			e = c.decimal(e)
		}
		elems[i], keys[i] = e, e.key
		t.cost += e.cost
		t.reads = append(t.reads, e.reads...)
		t.constant = t.constant && e.constant
		t.late, t.fixed = t.late || e.late, t.fixed || e.fixed
	}
	t.key = "(" + strings.Join(keys, ",") + ")"
	slot := c.frame.lists
	c.frame.lists++
	t.multi = func(f *Frame) ([]field.Value, bool) {
		list := f.lists[slot].vals[:0]
		for _, e := range elems {
			if e.multi != nil {
				more, ok := e.multi(f)
				if !ok {
					return nil, false
				}
				list = append(list, more...)
				continue
			}
			s, ok := e.text(f)
			if !ok {
				return nil, false
			}
			list = append(list, field.Value{Type: field.CHARBUF, Text: s})
		}
		f.lists[slot].vals = list
		return list, true
	}
	return t, nil
}
