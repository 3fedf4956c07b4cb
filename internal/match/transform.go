package match

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/filter"
)

// transform compiles a transformer and its arguments.
func (c *Compiler) transform(o *filter.Operand) (*term, error) {
	args := make([]*term, len(o.Args))
	for i := range o.Args {
		a, err := c.operand(&o.Args[i])
		if err != nil {
			return nil, err
		}
		args[i] = a
	}
	if len(args) == 0 {
		return nil, fmt.Errorf("filter error: found null child node on '%s' transformer", o.Name)
	}
	if o.Name == "val" || len(args) == 1 {
		if o.HasArg {
			return nil, fmt.Errorf("filter error: transformer '%s' does not support field arguments", o.Name)
		}
		if o.Name == "val" {
			return args[0], nil
		}
		return c.transformOne(o.Name, args[0])
	}
	var t *term
	var err error
	switch o.Name {
	case "join":
		t, err = c.join(args)
	case "concat":
		t, err = c.concat(args)
	case "getopt":
		return c.getopt(args, o.Arg, o.HasArg)
	default:
		return nil, fmt.Errorf("unknown multivalue transformer")
	}
	if err == nil && o.HasArg {
		return nil, fmt.Errorf("transformer '%s' does not support field arguments", o.Name)
	}
	return t, err
}

// derived returns a term without functions that is computed from others.
func (c *Compiler) derived(name string, args ...*term) *term {
	t := &term{name: internalName, typ: field.CHARBUF, cost: 5, constant: true}
	keys := make([]string, len(args))
	for i, a := range args {
		keys[i] = a.key
		t.cost += a.cost
		t.reads = append(t.reads, a.reads...)
		t.constant = t.constant && a.constant
		t.late, t.fixed = t.late || a.late, t.fixed || a.fixed
	}
	t.key = name + "(" + strings.Join(keys, ",") + ")"
	return t
}

// buffer reserves a buffer in the frame.
func (c *Compiler) buffer() int {
	c.frame.bufs++
	return c.frame.bufs - 1
}

// transformOne applies a transformer of one argument.
func (c *Compiler) transformOne(name string, a *term) (*term, error) {
	var apply func(buf []byte, s string) (string, []byte, bool)
	takes := func(cl class) bool { return cl == classText }
	switch name {
	case "tolower":
		apply = mapBytes(lower)
	case "toupper":
		apply = mapBytes(upper)
	case "basename":
		apply = func(buf []byte, s string) (string, []byte, bool) {
			return s[strings.LastIndexByte(s, '/')+1:], buf, true
		}
	case "b64":
		apply = decodeBase64
		takes = func(cl class) bool { return a.typ == field.CHARBUF || cl == classBytes }
	case "len":
		takes = func(cl class) bool { return a.list() || cl == classText || cl == classBytes }
	default:
		return nil, fmt.Errorf("unknown field transfomer '%s'", name)
	}
	if a.flags&field.NoTransformer != 0 {
		return nil, fmt.Errorf("field '%s' does not support transformers", a.name)
	}
	if !takes(classOf(a.typ)) {
		list := ""
		if a.list() {
			list = "list "
		}
		return nil, fmt.Errorf("can't add field transformer: type '%s' is not supported by '%s' transformer applied on %sfield '%s'",
			typeName(a.typ), name, list, a.name)
	}
	t := c.derived(name, a)
	t.name, t.flags, t.typ, t.quantity = a.name, a.flags, a.typ, a.quantity
	switch {
	case name == "len":
		c.length(t, a)
	case a.multi != nil:
		c.applyAll(t, a, apply)
	default:
		slot := c.buffer()
		t.text = func(f *Frame) (string, bool) {
			s, ok := a.text(f)
			if !ok {
				return "", false
			}
			s, f.bufs[slot], ok = apply(f.bufs[slot], s)
			return s, ok
		}
	}
	return t, nil
}

// applyAll applies a transformer to each element of a list. The results share one buffer.
func (c *Compiler) applyAll(t, a *term, apply func([]byte, string) (string, []byte, bool)) {
	slot, scratch := c.buffer(), c.buffer()
	out := c.frame.lists
	c.frame.lists++
	t.multi = func(f *Frame) ([]field.Value, bool) {
		vals, ok := a.multi(f)
		if !ok {
			return nil, false
		}
		all := f.bufs[slot][:0]
		list := f.lists[out].vals[:0]
		ends := 0
		for i := range vals {
			var s string
			if s, f.bufs[scratch], ok = apply(f.bufs[scratch], vals[i].Text); !ok {
				return nil, false
			}
			all = append(all, s...)
			list = append(list, field.Value{Type: t.typ, Num: uint64(len(s))})
		}
		for i := range list { // only now the buffer stays where it is
			n := int(list[i].Num)
			list[i].Text, list[i].Num = event.View(all[ends:ends+n]), 0
			ends += n
		}
		f.bufs[slot], f.lists[out].vals = all, list
		return list, true
	}
}

// length makes t the number of elements of a list, or of bytes of a text.
func (c *Compiler) length(t, a *term) {
	t.typ, t.quantity = field.UINT64, field.One
	if a.multi != nil {
		t.num = func(f *Frame) (uint64, bool) {
			vals, ok := a.multi(f)
			return uint64(len(vals)), ok
		}
		return
	}
	t.num = func(f *Frame) (uint64, bool) {
		s, ok := a.text(f)
		return uint64(len(s)), ok
	}
}

// mapBytes returns a transformer that maps each byte; text that it does not change is not copied.
func mapBytes(to func(byte) byte) func([]byte, string) (string, []byte, bool) {
	return func(buf []byte, s string) (string, []byte, bool) {
		i := 0
		for i < len(s) && to(s[i]) == s[i] {
			i++
		}
		if i == len(s) {
			return s, buf, true
		}
		buf = append(buf[:0], s...)
		for ; i < len(buf); i++ {
			buf[i] = to(buf[i])
		}
		return event.View(buf), buf, true
	}
}

// decodeBase64 decodes the standard alphabet (RFC 4648 §4), with up to two padding characters or none, and refuses other
// characters and left-over bits that are not zero. The result ends at its first NUL.
func decodeBase64(buf []byte, s string) (string, []byte, bool) {
	if s == "" {
		return "", buf, true
	}
	for range 2 {
		s = strings.TrimSuffix(s, "=")
	}
	if s == "" || len(s)%4 == 1 {
		return "", buf, false
	}
	buf = buf[:0]
	var bits uint32
	var n uint
	for i := range len(s) {
		v, ok := sextet(s[i])
		if !ok {
			return "", buf, false
		}
		bits, n = bits<<6|uint32(v), n+6
		if n >= 8 {
			n -= 8
			buf = append(buf, byte(bits>>n))
			bits &= 1<<n - 1
		}
	}
	if bits != 0 {
		return "", buf, false
	}
	text := event.View(buf)
	if i := strings.IndexByte(text, 0); i >= 0 {
		text = text[:i]
	}
	return text, buf, true
}

func sextet(c byte) (byte, bool) {
	switch {
	case 'A' <= c && c <= 'Z':
		return c - 'A', true
	case 'a' <= c && c <= 'z':
		return c - 'a' + 26, true
	case '0' <= c && c <= '9':
		return c - '0' + 52, true
	case c == '+':
		return 62, true
	case c == '/':
		return 63, true
	}
	return 0, false
}

// join puts a separator between the elements of a list.
func (c *Compiler) join(args []*term) (*term, error) {
	switch {
	case len(args) != 2:
		return nil, fmt.Errorf("join() requires exactly 2 arguments: separator and list")
	case args[0].list():
		return nil, fmt.Errorf("join() first argument (separator) must be a single value, not a list")
	case !args[1].list():
		return nil, fmt.Errorf("join() second argument must be a list")
	case classOf(args[0].typ) != classText:
		return nil, fmt.Errorf("join() first argument (separator) must be a string")
	case classOf(args[1].typ) != classText:
		return nil, fmt.Errorf("join() second argument must be a list of strings")
	}
	t := c.derived("join", args...)
	slot := c.buffer()
	separator := args[0].first()
	t.text = func(f *Frame) (string, bool) {
		sep, ok := separator(f)
		if !ok {
			return "", false
		}
		vals, ok := args[1].multi(f)
		if !ok {
			return "", false
		}
		buf := f.bufs[slot][:0]
		for i := range vals {
			if i > 0 {
				buf = append(buf, sep...)
			}
			buf = append(buf, vals[i].Text...)
		}
		f.bufs[slot] = buf
		return event.View(buf), true
	}
	return t, nil
}

// concat appends texts to each other.
func (c *Compiler) concat(args []*term) (*term, error) {
	texts := make([]func(*Frame) (string, bool), len(args))
	for i, a := range args {
		if a.typ != field.CHARBUF || a.list() {
			return nil, fmt.Errorf("concat() arguments must be strings")
		}
		texts[i] = a.first()
	}
	t := c.derived("concat", args...)
	slot := c.buffer()
	t.text = func(f *Frame) (string, bool) {
		buf := f.bufs[slot][:0]
		for _, text := range texts {
			s, ok := text(f)
			if !ok {
				return "", false
			}
			buf = append(buf, s...)
		}
		f.bufs[slot] = buf
		return event.View(buf), true
	}
	return t, nil
}

// decimal returns a term that is the number of a as text.
func (c *Compiler) decimal(a *term) *term {
	t := c.derived("decimal", a)
	slot := c.buffer()
	sign := signed(a.typ)
	t.text = func(f *Frame) (string, bool) {
		n, ok := a.num(f)
		if !ok {
			return "", false
		}
		buf := f.bufs[slot][:0]
		switch {
		case a.typ == field.BOOL:
			buf = strconv.AppendBool(buf, n != 0)
		case sign:
			buf = strconv.AppendInt(buf, int64(n), 10)
		default:
			buf = strconv.AppendUint(buf, n, 10)
		}
		f.bufs[slot] = buf
		return event.View(buf), true
	}
	return t
}
