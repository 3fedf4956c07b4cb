package rule

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
)

// reader reads the items of one file. Its methods return a *faultError for what is wrong, in the order in which Falco
// looks.
type reader struct {
	items  *items
	checks *checks
	res    *Result
	file   *context
}

// presence says what a value may lack.
type presence uint8

const (
	required presence = iota
	optional
	optionalEmpty // it may also be there and empty
)

// scalar returns the value of a key, or nil when it is not there (and need not be).
func scalar(item *node, key string, p presence, ctx *context) (*node, error) {
	v := item.get(key)
	if v == nil {
		if p == required {
			return nil, fault(ErrYAMLValidate, ctx, "Item has no mapping for key '%s'", key)
		}
		return nil, nil
	}
	if v.kind == nullNode {
		if p == optionalEmpty {
			return nil, nil
		}
		return nil, fault(ErrYAMLValidate, ctx, "Mapping for key '%s' is empty", key)
	}
	vctx := ctx.in(kindValue, key, v.at)
	if v.kind != scalarNode {
		return nil, fault(ErrYAMLValidate, vctx, "Value is not a scalar value")
	}
	if v.text == "" {
		if p == optionalEmpty {
			return nil, nil
		}
		return nil, fault(ErrYAMLValidate, vctx, "Value must be non-empty")
	}
	return v, nil
}

func stringValue(item *node, key string, p presence, ctx *context, out *string) error {
	v, err := scalar(item, key, p, ctx)
	if v != nil {
		*out = v.text
	}
	return err
}

func boolValue(item *node, key string, p presence, ctx *context, out *bool) error {
	v, err := scalar(item, key, p, ctx)
	if v == nil {
		return err
	}
	b, ok := parseBool(v.text)
	if !ok {
		return fault(ErrYAMLValidate, ctx.in(kindValue, key, v.at), "Can't decode YAML scalar value")
	}
	*out = b
	return nil
}

func uintValue(item *node, key string, p presence, ctx *context, out *uint32) error {
	v, err := scalar(item, key, p, ctx)
	if v == nil {
		return err
	}
	n, ok := parseUint(v.text)
	if !ok {
		return fault(ErrYAMLValidate, ctx.in(kindValue, key, v.at), "Can't decode YAML scalar value")
	}
	*out = n
	return nil
}

func priorityValue(item *node, ctx *context, out *alert.Priority) error {
	var s string
	if err := stringValue(item, "priority", required, ctx, &s); err != nil {
		return err
	}
	p, err := alert.ParsePriority(s)
	if err != nil {
		return fault(ErrYAMLValidate, ctx.in(kindPriority, "", item.get("priority").at), "Invalid priority")
	}
	*out = p
	return nil
}

// parseBool accepts what yaml-cpp does: y, yes, true, on and their opposites, in lower case, in upper case, or with a
// capital.
func parseBool(s string) (value, ok bool) {
	lower := strings.ToLower(s)
	if s != lower && s != strings.ToUpper(s) && s[1:] != lower[1:] {
		return false, false
	}
	switch lower {
	case "y", "yes", "true", "on":
		return true, true
	case "n", "no", "false", "off":
		return false, true
	}
	return false, false
}

// parseUint accepts what yaml-cpp does: decimal, hexadecimal with 0x, octal with 0.
func parseUint(s string) (uint32, bool) {
	s = strings.TrimRight(strings.TrimPrefix(s, "+"), " \t\r\n\v\f")
	if strings.ContainsAny(s, "_oObB") && !strings.HasPrefix(s, "0x") && !strings.HasPrefix(s, "0X") {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 0, 32)
	return uint32(n), err == nil && !strings.Contains(s, "_")
}

// stringSequence returns the values of a sequence of scalars.
func stringSequence(item *node, key string, p presence, ctx *context) ([]string, error) {
	v := item.get(key)
	if v == nil {
		if p == required {
			return nil, fault(ErrYAMLValidate, ctx, "Item has no mapping for key '%s'", key)
		}
		return nil, nil
	}
	vctx := ctx.in(kindValue, key, v.at)
	if v.kind != sequenceNode {
		return nil, fault(ErrYAMLValidate, vctx, "Value is not a sequence")
	}
	out := make([]string, 0, len(v.kids))
	for _, k := range v.kids {
		if k.kind != scalarNode {
			return nil, fault(ErrYAMLValidate, vctx.in(kindListItem, "", k.at), "sequence value is not scalar")
		}
		out = append(out, k.text)
	}
	return out, nil
}

func tags(item *node, ctx *context) ([]string, error) {
	t, err := stringSequence(item, "tags", optional, ctx)
	return tagSet(t), err
}

// overrides says what the override key of an item asks for.
type overrides struct {
	appended, replaced map[string]bool
}

func (o *overrides) any() bool { return len(o.appended)+len(o.replaced) > 0 }

// readOverrides reads the override key. canAppend and canReplace are the keys for which each is allowed.
func readOverrides(item *node, canAppend, canReplace []string, ctx *context) (overrides, error) {
	o := overrides{map[string]bool{}, map[string]bool{}}
	v := item.get("override")
	if v == nil {
		return o, nil
	}
	octx := ctx.in(kindOverrides, "", item.at)
	if v.kind == sequenceNode && len(v.kids) > 0 {
		return o, fault(ErrValidate, ctx.file(),
			"invalid node; this may result from using a map iterator as a sequence iterator, or vice-versa")
	}
	for i, k := range v.keys {
		key, err := anyString(k, ctx)
		if err != nil {
			return o, err
		}
		op, err := anyString(v.kids[i], ctx)
		if err != nil {
			return o, err
		}
		kctx := octx.in(kindOverrides, key, k.at)
		appendable, replaceable := slices.Contains(canAppend, key), slices.Contains(canReplace, key)
		switch {
		case op == "append" && !appendable:
			return o, fault(ErrYAMLValidate, kctx, "Key '%s' cannot be appended to, use 'replace' instead", key)
		case op == "append":
			o.appended[key] = true
		case op == "replace" && !replaceable:
			return o, fault(ErrYAMLValidate, kctx, "Key '%s' cannot be replaced", key)
		case op == "replace":
			o.replaced[key] = true
		default:
			allowed := ""
			if appendable {
				allowed += "append "
			}
			if replaceable {
				allowed += "replace "
			}
			return o, fault(ErrYAMLValidate, octx.in(kindValue, key, v.kids[i].at),
				"Invalid override operation for key '%s': '%s'. Allowed values are: %s", key, op, allowed)
		}
	}
	return o, nil
}

// anyString returns a node as text, as yaml-cpp converts it.
func anyString(n *node, ctx *context) (string, error) {
	switch n.kind {
	case scalarNode:
		return n.text, nil
	case nullNode:
		return "null", nil
	}
	return "", fault(ErrValidate, ctx.file(), "%s", badConversion(n))
}

func badConversion(n *node) string {
	return fmt.Sprintf("yaml-cpp: error at line %d, column %d: bad conversion", n.at.line+1, n.at.col+1)
}

// readEntry reads a value, a list of values, or nested lists of them. Nodes of other kinds give an empty entry.
func readEntry(v *node, ctx *context) (entry, error) {
	switch v.kind {
	case scalarNode:
		if v.text == "" {
			return entry{}, fault(ErrYAMLValidate, ctx, "Value must be non-empty")
		}
		return entry{item: v.text}, nil
	case sequenceNode:
		e := entry{list: true}
		for _, k := range v.kids {
			sub, err := readEntry(k, ctx.in(kindException, "", k.at).in(kindValue, "", k.at))
			if err != nil {
				return entry{}, err
			}
			e.items = append(e.items, sub)
		}
		return e, nil
	}
	return entry{}, nil
}

// exceptionEntry reads fields or comps of an exception.
func exceptionEntry(ex *node, key string, p presence, ctx *context) (entry, error) {
	v := ex.get(key)
	if v == nil {
		if p == required {
			return entry{}, fault(ErrYAMLValidate, ctx, "Item has no mapping for key '%s'", key)
		}
		return entry{}, nil
	}
	return readEntry(v, ctx.in(kindValue, key, v.at))
}

// exceptions reads the exceptions of a rule. When they are appended, fields may be missing and values should not.
func (r *reader) exceptions(item *node, appended bool, parent *context) ([]exception, error) {
	v := item.get("exceptions")
	if v == nil || v.kind == nullNode {
		return nil, nil
	}
	ctx := parent.in(kindExceptions, "", v.at)
	if v.kind != sequenceNode {
		return nil, fault(ErrYAMLValidate, ctx, "Rule exceptions must be a sequence")
	}
	out := make([]exception, 0, len(v.kids))
	times := map[string]int{}
	for _, k := range v.kids {
		tmp := ctx.in(kindException, "", k.at)
		if k.kind != mappingNode {
			return nil, fault(ErrYAMLValidate, tmp, "Rule exception must be a mapping")
		}
		var name string
		if err := stringValue(k, "name", required, tmp, &name); err != nil {
			return nil, err
		}
		ex, err := r.exception(k, name, times[name], appended, parent.in(kindException, name, k.at))
		if err != nil {
			return nil, err
		}
		times[name]++
		out = append(out, ex)
	}
	return out, nil
}

// exception reads one exception; earlier says how many of the same name there are before it.
func (r *reader) exception(k *node, name string, earlier int, appended bool, ctx *context) (exception, error) {
	ex := exception{name: name, ctx: ctx}
	for range min(earlier, 10) { // Falco warns once for each earlier one; a few are enough
		r.res.warn(ExceptionNameNotUnique, "Multiple definitions of exception '"+name+"' in the same rule", ctx)
	}
	p := required
	if appended {
		p = optional
	}
	var err error
	if ex.fields, err = exceptionEntry(k, "fields", p, ctx); err != nil {
		return ex, err
	}
	if ex.comps, err = exceptionEntry(k, "comps", optional, ctx); err != nil {
		return ex, err
	}
	vals := k.get("values")
	if vals == nil {
		if appended {
			r.res.warn(AppendNoValues, "Overriding/appending exception with no values", ctx)
		}
		return ex, nil
	}
	vctx := ctx.in(kindExValues, "", vals.at)
	if vals.kind != sequenceNode {
		return ex, fault(ErrYAMLValidate, vctx, "Rule exception values must be a sequence")
	}
	for _, v := range vals.kids {
		e, err := readEntry(v, vctx.in(kindExValue, "", v.at).in(kindValue, "", v.at))
		if err != nil {
			return ex, err
		}
		ex.values = append(ex.values, e)
	}
	return ex, nil
}
