package route

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/filter"
)

// Filter is a condition over alerts, in the language of rules.
//
// Its fields are those of the alert (priority, rule, source, hostname, output, tags, uuid) and every output field by its name. Most comparisons
// are of texts, <, <=, > and >= are of numbers. priority is compared by severity as Falco numbers it, from emergency (0) to debug (7),
// so "priority <= warning" is warning and all that is more severe. A field that the alert does not have, or that is null, makes every
// comparison false, as in rules. A list holds for "in" when all its elements are in the list, for every other operator when one element
// does, except != which is the opposite of =.
type Filter struct {
	text  string
	holds func(*alert.Alert) bool
}

// ParseFilter compiles a condition. The error says where it is wrong.
func ParseFilter(text string) (*Filter, error) {
	fail := func(at filter.Pos, why string) error {
		return fmt.Errorf("the filter is wrong at line %d, column %d: %s", at.Line, at.Col, why)
	}
	e, err := filter.ParseLoose(text)
	if err != nil {
		var s *filter.SyntaxError
		if errors.As(err, &s) {
			return nil, fail(s.At, s.Message)
		}
		return nil, err
	}
	holds, err := compileFilter(e)
	if err != nil {
		var w *wrongFilter
		if errors.As(err, &w) {
			return nil, fail(w.at, w.why)
		}
		return nil, err
	}
	return &Filter{text, holds}, nil
}

// String returns the condition as it was written.
func (f *Filter) String() string { return f.text }

// Match says whether the condition holds for an alert.
func (f *Filter) Match(a *alert.Alert) bool { return f.holds(a) }

// wrongFilter says what of a condition makes no sense.
type wrongFilter struct {
	at  filter.Pos
	why string
}

// Error says why.
func (w *wrongFilter) Error() string { return w.why }

func wrong(at filter.Pos, format string, args ...any) error {
	return &wrongFilter{at, fmt.Sprintf(format, args...)}
}

func compileFilter(e filter.Expr) (func(*alert.Alert) bool, error) {
	switch e := e.(type) {
	case *filter.And:
		kids, err := compileAll(e.Kids)
		return func(a *alert.Alert) bool {
			return !slices.ContainsFunc(kids, func(k func(*alert.Alert) bool) bool { return !k(a) })
		}, err
	case *filter.Or:
		kids, err := compileAll(e.Kids)
		return func(a *alert.Alert) bool {
			return slices.ContainsFunc(kids, func(k func(*alert.Alert) bool) bool { return k(a) })
		}, err
	case *filter.Not:
		kid, err := compileFilter(e.Kid)
		return func(a *alert.Alert) bool { return !kid(a) }, err
	case *filter.Check:
		return compileCheck(e)
	}
	return nil, wrong(e.Pos(), "expected a comparison")
}

func compileAll(kids []filter.Expr) (out []func(*alert.Alert) bool, err error) {
	for _, k := range kids {
		f, err := compileFilter(k)
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

// compileCheck compiles one comparison.
func compileCheck(c *filter.Check) (func(*alert.Alert) bool, error) {
	if c.Left.Kind == filter.FieldOperand && c.Left.Name == fieldPriority {
		return comparePriority(c)
	}
	left, err := compileOperand(c.Left)
	if err != nil {
		return nil, err
	}
	if c.Op == filter.Exists {
		return func(a *alert.Alert) bool { _, ok := left(a); return ok }, nil
	}
	if c.Right.Kind == filter.OperandRight {
		return compareOperands(c, left)
	}
	one, err := comparison(c)
	if err != nil {
		return nil, err
	}
	return over(c.Op, left, one), nil
}

// over applies a comparison to the elements of a value.
func over(op filter.Op, left operand, one func(string) bool) func(*alert.Alert) bool {
	return func(a *alert.Alert) bool {
		texts, ok := left(a)
		switch {
		case !ok:
			return false
		case op == filter.In || op == filter.Ne:
			return !slices.ContainsFunc(texts, func(s string) bool { return !one(s) })
		}
		return slices.ContainsFunc(texts, one)
	}
}

// comparison returns what one text is compared with.
func comparison(c *filter.Check) (func(string) bool, error) {
	values := c.Right.Values
	switch {
	case c.Op == filter.In || c.Op == filter.Intersects:
		return func(s string) bool { return slices.ContainsFunc(values, func(v string) bool { return equal(s, v) }) }, nil
	case c.Op == filter.PMatch:
		return below(values), nil
	}
	var each []func(string) bool
	for _, v := range values {
		f, err := single(c.Op, v)
		if err != nil {
			return nil, wrong(c.Right.At, "%v", err)
		}
		each = append(each, f)
	}
	return func(s string) bool {
		n := 0
		for _, f := range each {
			if f(s) {
				n++
			}
		}
		switch c.Mod {
		case filter.OneOf:
			return n == 1
		case filter.AllOf:
			return n == len(each) && n > 0
		}
		return n > 0
	}, nil
}

// single returns the comparison with one value.
func single(op filter.Op, v string) (func(string) bool, error) {
	switch op {
	case filter.Eq, filter.EqEq:
		return func(s string) bool { return equal(s, v) }, nil
	case filter.Ne:
		return func(s string) bool { return !equal(s, v) }, nil
	case filter.Lt, filter.Le, filter.Gt, filter.Ge:
		limit, ok := number(v)
		if !ok {
			return nil, fmt.Errorf("%q is no number, and only priority is compared with words", v)
		}
		return func(s string) bool { n, ok := number(s); return ok && ordered(op, n, limit) }, nil
	case filter.Contains:
		return func(s string) bool { return strings.Contains(s, v) }, nil
	case filter.IContains:
		v = strings.ToLower(v)
		return func(s string) bool { return strings.Contains(strings.ToLower(s), v) }, nil
	case filter.StartsWith:
		return func(s string) bool { return strings.HasPrefix(s, v) }, nil
	case filter.EndsWith:
		return func(s string) bool { return strings.HasSuffix(s, v) }, nil
	case filter.BContains, filter.BStartsWith:
		raw, err := hex.DecodeString(v)
		if err != nil {
			return nil, fmt.Errorf("%q must be bytes as hexadecimal digits", v)
		}
		if op == filter.BContains {
			return func(s string) bool { return strings.Contains(s, string(raw)) }, nil
		}
		return func(s string) bool { return strings.HasPrefix(s, string(raw)) }, nil
	case filter.Glob:
		return compilePattern(globPattern(v), v, syntax.DotNL)
	case filter.IGlob:
		return compilePattern(globPattern(v), v, syntax.DotNL|syntax.FoldCase)
	case filter.Regex:
		return compilePattern(v, v, 0)
	}
	return nil, fmt.Errorf("the operator %s has no meaning for alerts", op)
}

// compilePattern compiles an expression that has to match the whole text, in the syntax that rules have.
func compilePattern(pattern, written string, flags syntax.Flags) (func(string) bool, error) {
	tree, err := syntax.Parse(pattern, syntax.ClassNL|flags)
	if err != nil {
		return nil, fmt.Errorf("%q is no pattern: %w", written, err)
	}
	re, err := regexp.Compile(`\A(?:` + tree.String() + `)\z`)
	if err != nil {
		return nil, fmt.Errorf("%q is no pattern: %w", written, err)
	}
	return re.MatchString, nil
}

// globPattern turns a pattern of fnmatch(3) into an expression: * and ? match any characters, [ ] is a set, \ takes the next one as it is.
func globPattern(glob string) string {
	var b strings.Builder
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; c {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteByte('.')
		case '[':
			set, n := globSet(glob[i:])
			b.WriteString(set)
			i += n - 1
		case '\\':
			if i++; i < len(glob) {
				b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
			}
		default:
			b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		}
	}
	return b.String()
}

// globSet turns the set that a pattern begins with into an expression, and returns its length; a bracket that is never closed
// stands for itself.
func globSet(glob string) (set string, n int) {
	b := []byte{'['}
	i := 1
	if i < len(glob) && (glob[i] == '!' || glob[i] == '^') {
		b = append(b, '^')
		i++
	}
	for first := i; i < len(glob); i++ {
		switch c := glob[i]; {
		case c == ']' && i > first:
			return string(append(b, ']')), i + 1
		case c == '[' && strings.HasPrefix(glob[i:], "[:") && strings.Contains(glob[i:], ":]"):
			end := i + strings.Index(glob[i:], ":]") + 2
			b = append(b, glob[i:end]...)
			i = end - 1
		case c == '-' && i > first && i+1 < len(glob) && glob[i+1] != ']':
			b = append(b, c) // a range
		case c < 0x80 && regexp.QuoteMeta(glob[i:i+1]) != glob[i:i+1] || c == '-':
			b = append(b, '\\', c)
		default:
			b = append(b, c)
		}
	}
	return `\[`, 1
}

// below says whether a path is one of these or lies below one.
func below(paths []string) func(string) bool {
	return func(s string) bool {
		for _, p := range paths {
			p, rest := strings.Trim(p, "/"), strings.Trim(s, "/")
			n := strings.Count(p, "/") + 1
			parts := strings.Split(rest, "/")
			if len(parts) < n {
				continue
			}
			if ok, err := path.Match(p, strings.Join(parts[:n], "/")); err == nil && ok {
				return true
			}
		}
		return false
	}
}

// equal compares texts, and numbers by their value.
func equal(s, v string) bool {
	if s == v {
		return true
	}
	a, ok := number(s)
	if !ok {
		return false
	}
	b, ok := number(v)
	return ok && a == b
}

func number(s string) (float64, bool) {
	if s == "" || s[0] != '-' && s[0] != '+' && (s[0] < '0' || s[0] > '9') {
		return 0, false
	}
	if n, err := strconv.ParseInt(s, 0, 64); err == nil {
		return float64(n), true
	}
	n, err := strconv.ParseFloat(s, 64)
	return n, err == nil
}

func ordered(op filter.Op, a, b float64) bool {
	switch op {
	case filter.Lt:
		return a < b
	case filter.Le:
		return a <= b
	case filter.Gt:
		return a > b
	}
	return a >= b
}

// comparePriority compares the alert's severity.
func comparePriority(c *filter.Check) (func(*alert.Alert) bool, error) {
	if c.Op == filter.Exists {
		return func(*alert.Alert) bool { return true }, nil
	}
	switch c.Op {
	case filter.Eq, filter.EqEq, filter.Ne, filter.Lt, filter.Le, filter.Gt, filter.Ge, filter.In, filter.Intersects:
	default:
		return nil, wrong(c.At, "priority has the operators =, !=, <, <=, >, >= and in, not %s", c.Op)
	}
	if c.Right.Kind == filter.OperandRight || c.Mod == filter.OneOf || c.Mod == filter.AllOf {
		return nil, wrong(c.Right.At, "priority is compared with names of priorities")
	}
	var values []alert.Priority
	for _, v := range c.Right.Values {
		p, err := alert.ParsePriority(v)
		if n, bad := strconv.Atoi(v); err != nil && bad == nil && n >= 0 && n <= int(alert.Debug) {
			p, err = alert.Priority(n), nil
		}
		if err != nil {
			return nil, wrong(c.Right.At, "%q is no priority; they are emergency, alert, critical, error, warning, notice, informational and debug, or 0 to 7", v)
		}
		values = append(values, p)
	}
	switch c.Op {
	case filter.Lt, filter.Le, filter.Gt, filter.Ge:
		return func(a *alert.Alert) bool { return ordered(c.Op, float64(a.Priority), float64(values[0])) }, nil
	case filter.Ne:
		return func(a *alert.Alert) bool { return !slices.Contains(values, a.Priority) }, nil
	}
	return func(a *alert.Alert) bool { return slices.Contains(values, a.Priority) }, nil
}

// operand yields the texts of a value, and whether there is one.
type operand func(*alert.Alert) ([]string, bool)

// fieldPriority is the field that is compared by severity.
const fieldPriority = "priority"

// ownField returns a field that alerts have beside their output fields.
func ownField(name string) (func(*alert.Alert) string, bool) {
	switch name {
	case fieldPriority:
		return func(a *alert.Alert) string { return strings.ToLower(a.Priority.String()) }, true
	case "rule":
		return func(a *alert.Alert) string { return a.Rule }, true
	case "source":
		return func(a *alert.Alert) string { return a.Source }, true
	case "hostname":
		return func(a *alert.Alert) string { return a.Hostname }, true
	case "output":
		return func(a *alert.Alert) string { return a.OutputText() }, true
	case "uuid":
		return func(a *alert.Alert) string { return a.UUID }, true
	}
	return nil, false
}

// fieldOf returns what reads a field.
func fieldOf(name string) operand {
	if own, ok := ownField(name); ok {
		return func(a *alert.Alert) ([]string, bool) { s := own(a); return []string{s}, s != "" }
	}
	if name == "tags" {
		return func(a *alert.Alert) ([]string, bool) { return a.Tags, len(a.Tags) > 0 }
	}
	return func(a *alert.Alert) ([]string, bool) {
		for i := len(a.Fields) - 1; i >= 0; i-- { // of two with the same name the last one counts
			if a.Fields[i].Key == name {
				return textsOf(a.Fields[i].Value)
			}
		}
		return nil, false
	}
}

func textsOf(v alert.Value) ([]string, bool) {
	switch v.Kind {
	case alert.Null:
		return nil, false
	case alert.List:
		var texts []string
		for _, e := range v.Elems {
			if t, ok := textsOf(e); ok {
				texts = append(texts, t...)
			}
		}
		return texts, len(texts) > 0
	}
	return []string{v.String()}, true
}

// compileOperand returns what reads a field, or what transformers make of one.
func compileOperand(o filter.Operand) (operand, error) {
	switch {
	case o.Kind == filter.FieldOperand && o.HasArg:
		return fieldOf(o.Name + "[" + o.Arg + "]"), nil
	case o.Kind == filter.FieldOperand:
		return fieldOf(o.Name), nil
	case o.Kind != filter.TransformOperand || o.HasArg:
		return nil, wrong(o.At, "expected a field or a transformer of one")
	}
	change, ok := map[string]func(string) string{
		"val": func(s string) string { return s }, "tolower": strings.ToLower, "toupper": strings.ToUpper, "basename": basename,
		"len": func(s string) string { return strconv.Itoa(len(s)) },
		"b64": func(s string) string { out, _ := base64.StdEncoding.DecodeString(s); return string(out) }, // what can be decoded
	}[o.Name]
	if !ok || len(o.Args) != 1 {
		return nil, wrong(o.At, "the transformers of alerts are tolower, toupper, basename, len, b64 and val, of one field; not %s of %d", o.Name, len(o.Args))
	}
	inner, err := compileOperand(o.Args[0])
	if err != nil {
		return nil, err
	}
	if o.Name == "len" {
		return func(a *alert.Alert) ([]string, bool) {
			texts, ok := inner(a)
			if len(texts) == 1 {
				return []string{change(texts[0])}, ok
			}
			return []string{strconv.Itoa(len(texts))}, ok
		}, nil
	}
	return func(a *alert.Alert) ([]string, bool) {
		texts, ok := inner(a)
		out := make([]string, len(texts))
		for i, s := range texts {
			out[i] = change(s)
		}
		return out, ok
	}, nil
}

func basename(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

// compareOperands compares a field with another one.
func compareOperands(c *filter.Check, left operand) (func(*alert.Alert) bool, error) {
	right, err := compileOperand(*c.Right.Operand)
	if err != nil {
		return nil, err
	}
	switch c.Op {
	case filter.Glob, filter.IGlob, filter.Regex, filter.PMatch, filter.BContains, filter.BStartsWith:
		return nil, wrong(c.At, "%s compares with what is written, not with a field", c.Op)
	}
	return func(a *alert.Alert) bool {
		values, ok := right(a)
		if !ok {
			return false
		}
		with := *c
		with.Right = filter.Right{Kind: filter.ValuesRight, Values: values}
		one, err := comparison(&with)
		return err == nil && over(c.Op, left, one)(a) // an order has an error where the other field is no number, and does not hold
	}, nil
}
