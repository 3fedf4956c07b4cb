package rule

import (
	"slices"
	"strings"

	"github.com/saker-sec/saker/internal/filter"
)

// exception is one entry of a rule's exceptions.
type exception struct {
	name   string
	fields entry
	comps  entry
	values []entry
	ctx    *context
}

// entry is a value or a list of entries; which of them decides what an exception means.
type entry struct {
	list  bool
	item  string
	items []entry
}

// set reports whether the entry was given and is not empty.
func (e *entry) set() bool { return (e.list && len(e.items) > 0) || (!e.list && e.item != "") }

// validateExceptions validates the exceptions of a definition.
func validateExceptions(exceptions []exception, c *checks, source string) error {
	for i := range exceptions {
		ex := &exceptions[i]
		if !ex.fields.set() {
			return fault(ErrValidate, ex.ctx, "Rule exception item must have fields property with a list of fields")
		}
		if err := ex.validate(c, source); err != nil {
			return err
		}
	}
	return nil
}

// validate checks fields and operators and sets the operators that were left out.
func (ex *exception) validate(c *checks, source string) error {
	if ex.fields.list {
		return ex.validateLists(c, source)
	}
	if !ex.comps.set() {
		ex.comps = entry{item: "in"}
	}
	if ex.comps.list {
		return fault(ErrValidate, ex.ctx, "Fields and comps must both be strings")
	}
	ex.comps.item = strings.Trim(ex.comps.item, " \t\r\n")
	if !takesList(ex.comps.item) {
		return fault(ErrValidate, ex.ctx, "When fields is a single value, comps must be one of "+
			"(in, pmatch, intersects) or a modifier operator (e.g. startswith oneof)")
	}
	if c.known(source) && !c.validField(source, ex.fields.item) {
		return fault(ErrValidate, ex.ctx, "'%s' is not a supported filter field", ex.fields.item)
	}
	return nil
}

func (ex *exception) validateLists(c *checks, source string) error {
	if !ex.comps.set() {
		ex.comps = entry{list: true}
		for range ex.fields.items {
			ex.comps.items = append(ex.comps.items, entry{item: "="})
		}
	}
	if len(ex.fields.items) != len(ex.comps.items) {
		return fault(ErrValidate, ex.ctx, "Fields and comps lists must have equal length")
	}
	ex.comps.items = slices.Clone(ex.comps.items)
	for i := range ex.comps.items {
		op := strings.Trim(ex.comps.items[i].item, " \t\r\n")
		ex.comps.items[i].item = op
		if _, ok := filter.ParseOp(op); !ok && !takesList(op) {
			return fault(ErrValidate, ex.ctx, "'%s' is not a supported comparison operator", op)
		}
	}
	for _, f := range ex.fields.items {
		if c.known(source) && !c.validField(source, f.item) {
			return fault(ErrValidate, ex.ctx, "'%s' is not a supported filter field", f.item)
		}
	}
	return nil
}

// takesList reports whether a list stands on the right of an operator: in, intersects, pmatch, or a string operator with a
// modifier.
func takesList(op string) bool {
	words := strings.Fields(op)
	if len(words) == 1 {
		o, _ := filter.ParseOp(op)
		return o.IsList()
	}
	if len(words) != 2 {
		return false
	}
	o, _ := filter.ParseOp(words[0])
	_, ok := filter.ParseModifier(words[1])
	return ok && o.IsString()
}

// appendExceptions adds values to the exceptions that the rule has, and whole exceptions that it does not have.
func (r *ruleItem) appendExceptions(exceptions []exception, c *checks) error {
	byName := make(map[string]int, len(r.exceptions))
	for i := len(r.exceptions) - 1; i >= 0; i-- {
		byName[r.exceptions[i].name] = i
	}
	for _, ex := range exceptions {
		i, ok := byName[ex.name]
		if !ok {
			if !ex.fields.set() {
				return fault(ErrValidate, ex.ctx, "Rule exception must have fields property with a list of fields")
			}
			if len(ex.values) == 0 {
				return fault(ErrValidate, ex.ctx, "Rule exception must have values property with a list of values")
			}
			if err := ex.validate(c, r.source); err != nil {
				return err
			}
			byName[ex.name] = len(r.exceptions)
			r.exceptions = append(r.exceptions, ex)
			continue
		}
		if ex.fields.set() {
			return fault(ErrValidate, ex.ctx, "Can not append exception fields to existing exception, only values")
		}
		if ex.comps.set() {
			return fault(ErrValidate, ex.ctx, "Can not append exception comps to existing exception, only values")
		}
		r.exceptions[i].values = append(r.exceptions[i].values, ex.values...)
	}
	return nil
}

// withExceptions returns the text of a rule's condition with its exceptions, and the fields these name. Exceptions are
// compiled as text, before lists are substituted, so that a value may name a list.
func withExceptions(cond string, exceptions []exception, limit int) (string, []string, error) {
	if len(exceptions) == 0 {
		return cond, nil, nil
	}
	b := &strings.Builder{}
	b.WriteString("(" + cond + ")")
	var fields []string
	for i := range exceptions {
		ex := &exceptions[i]
		if len(ex.values) == 0 {
			continue
		}
		b.WriteString(" and not ")
		var err error
		if ex.fields.list {
			err = ex.writeLists(b, limit)
			for _, f := range ex.fields.items {
				fields = append(fields, f.item)
			}
		} else {
			err = ex.writeSingle(b, limit)
			fields = append(fields, ex.fields.item)
		}
		if err != nil {
			return "", nil, err
		}
		if b.Len() > limit {
			return "", nil, tooLong(ex.ctx, limit)
		}
	}
	return b.String(), tagSet(fields), nil
}

func (ex *exception) writeSingle(b *strings.Builder, limit int) error {
	b.WriteString("(" + ex.fields.item + " " + ex.comps.item + " (")
	for i, v := range ex.values {
		if v.list {
			return fault(ErrValidate, ex.ctx, "Expected values array to contain a list of strings")
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quoteItem(v.item))
		if b.Len() > limit {
			return tooLong(ex.ctx, limit)
		}
	}
	b.WriteString("))")
	return nil
}

func (ex *exception) writeLists(b *strings.Builder, limit int) error {
	b.WriteByte('(')
	for i, values := range ex.values {
		if len(ex.fields.items) != len(values.items) {
			return fault(ErrValidate, ex.ctx, "Fields and values lists must have equal length")
		}
		if i > 0 {
			b.WriteString(" or ")
		}
		b.WriteByte('(')
		for k, f := range ex.fields.items {
			if k > 0 {
				b.WriteString(" and ")
			}
			op := ex.comps.items[k].item
			b.WriteString(" " + f.item + " " + op + " ")
			values.items[k].write(b, takesList(op), limit)
		}
		b.WriteByte(')')
		if b.Len() > limit {
			return tooLong(ex.ctx, limit)
		}
	}
	b.WriteByte(')')
	return nil
}

// write writes a value as right-hand side; list says whether the operator takes a list.
func (e *entry) write(b *strings.Builder, list bool, limit int) {
	switch {
	case e.list:
		b.WriteByte('(')
		for i, v := range e.items {
			if i > 0 {
				b.WriteString(", ")
			}
			if b.Len() > limit {
				return // the caller finds that it is too long
			}
			b.WriteString(quoteItem(v.item))
		}
		b.WriteByte(')')
	case list && !strings.HasPrefix(e.item, "("):
		b.WriteString("(" + e.item + ")")
	case list:
		b.WriteString(e.item)
	default:
		b.WriteString(quoteItem(e.item))
	}
}

// quoteItem puts quotes around a value with blanks that has none. Quotes and backslashes within are left alone: the value
// is already text of the condition language.
func quoteItem(s string) string {
	if strings.Contains(s, " ") && s[0] != '"' && s[0] != '\'' {
		return `"` + s + `"`
	}
	return s
}
