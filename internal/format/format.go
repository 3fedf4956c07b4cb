// Package format compiles the output of a rule ("%proc.name opened %fd.name") once, and renders it for each alert: as
// text, and as the list of fields that JSON output carries. The syntax is Falco's (reference: falco-core.md §8.1): a
// field or transformer after %, a width between them that pads or cuts, the longest name that fits wins.
package format

import (
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/state"
)

// Token is a field or transformer found in an output.
type Token struct {
	Len   int              // bytes of text it takes
	Print *field.Extractor // what is printed in its place
	List  bool             // Print gives a list
	// Fields are what JSON output lists: the field itself, or the fields a transformer is applied to.
	Fields []Named
}

// Named is an extractor with the text that JSON output has as its key: the field as it was written.
type Named struct {
	Name      string
	Extractor *field.Extractor
}

// Resolver finds the longest field or transformer that a text begins with. Its errors say what is wrong with it.
type Resolver interface {
	Token(text string) (Token, error)
}

// Format is a compiled output. It is immutable, but its extractors own scratch memory: one goroutine uses it.
type Format struct {
	Text   string // what was compiled
	parts  []part
	fields []Named
}

// part is literal text, or a token when print is set.
type part struct {
	literal string
	print   *field.Extractor
	list    bool
	width   int // 0 for as long as it is
}

// Buffers says how values of type BYTEBUF print.
type Buffers uint8

// The ways to print bytes.
const (
	Dots   Buffers = iota // printable ASCII, all else as a dot
	Base64                // buffer_format_base64
)

// Compile parses text. A leading * is accepted and means nothing, since missing values always print as <NA>.
func Compile(text string, r Resolver) (*Format, error) {
	f := &Format{Text: text}
	if text == "" {
		return nil, errors.New("empty formatting token")
	}
	rest := strings.TrimPrefix(text, "*")
	literal := 0
	for i := 0; i < len(rest); {
		if rest[i] != '%' {
			i++
			continue
		}
		f.addLiteral(rest[literal:i])
		i++
		if i == len(rest) {
			return nil, errors.New("invalid formatting syntax: formatting cannot end with a %")
		}
		width := 0
		for rest[i] >= '0' && rest[i] <= '9' {
			if width = width*10 + int(rest[i]-'0'); width > maxWidth {
				return nil, fmt.Errorf("invalid formatting syntax: a width is at most %d", maxWidth)
			}
			if i++; i == len(rest) {
				return nil, errors.New("invalid formatting syntax: formatting cannot end with a number")
			}
		}
		t, err := r.Token(rest[i:])
		if err != nil {
			return nil, err
		}
		f.parts = append(f.parts, part{print: t.Print, list: t.List, width: width})
		f.fields = append(f.fields, t.Fields...)
		i += t.Len
		literal = i
	}
	f.addLiteral(rest[literal:])
	return f, nil
}

// maxWidth bounds the memory that a width can ask for; no field's value is longer.
const maxWidth = 65536

func (f *Format) addLiteral(s string) {
	if s != "" {
		f.parts = append(f.parts, part{literal: s})
	}
}

// Fields returns the fields that the output names, in order, with repetitions.
func (f *Format) Fields() []Named { return f.fields }

// Append appends the rendered text.
func (f *Format) Append(dst []byte, c *state.Ctx, b Buffers) []byte {
	for i := range f.parts {
		dst = f.parts[i].append(dst, c, b)
	}
	return dst
}

func (p *part) append(dst []byte, c *state.Ctx, b Buffers) []byte {
	if p.print == nil {
		return append(dst, p.literal...)
	}
	start := len(dst)
	dst = appendExtracted(dst, p.print, p.list, c, b)
	if p.width == 0 {
		return dst
	}
	if n := len(dst) - start; n > p.width {
		dst = dst[:start+p.width]
	}
	for len(dst)-start < p.width {
		dst = append(dst, ' ')
	}
	return dst
}

// missing is what stands for a field that has no value.
const missing = "<NA>"

func appendExtracted(dst []byte, x *field.Extractor, list bool, c *state.Ctx, b Buffers) []byte {
	values, ok := Values(nil, x, c)
	if !ok {
		return append(dst, missing...)
	}
	if list {
		dst = append(dst, '(')
	}
	for i, v := range values {
		if i > 0 {
			if !list {
				break
			}
			dst = append(dst, ',')
		}
		dst = AppendValue(dst, v, x.Field != nil && x.Field.Padded, b)
	}
	if list {
		dst = append(dst, ')')
	}
	return dst
}

// Values appends the values that x has for the event. It reports false where it has none.
func Values(dst []field.Value, x *field.Extractor, c *state.Ctx) ([]field.Value, bool) {
	switch {
	case x.Text != nil:
		if s, ok := x.Text(c); ok {
			return append(dst, field.Value{Type: x.Type, Text: s}), true
		}
	case x.Num != nil:
		if n, ok := x.Num(c); ok {
			return append(dst, field.Value{Type: x.Type, Num: n}), true
		}
	case x.Multi != nil:
		n := len(dst)
		if out, ok := x.Multi(c, dst); ok && (len(out) > n || x.Quantity == field.List) {
			return out, true
		}
	}
	return dst, false
}

// AppendValue appends one value as text.
func AppendValue(dst []byte, v field.Value, padded bool, b Buffers) []byte {
	switch v.Type {
	case field.CHARBUF, field.FSPATH, field.FSRELPATH:
		return AppendText(dst, v.Text)
	case field.BYTEBUF:
		return appendBuffer(dst, v.Text, b)
	case field.IPADDR:
		if a, ok := netip.AddrFromSlice([]byte(v.Text)); ok {
			return a.AppendTo(dst)
		}
		return append(dst, missing...)
	case field.IPNET:
		return append(dst, "<IPNET>"...)
	case field.BOOL:
		return strconv.AppendBool(dst, v.Num != 0)
	case field.DOUBLE:
		return strconv.AppendFloat(dst, math.Float64frombits(v.Num), 'f', 1, 64)
	case field.INT8, field.INT16, field.INT32, field.INT64:
		return strconv.AppendInt(dst, int64(v.Num), 10)
	}
	if padded {
		for n := uint64(100_000_000); n > 1 && v.Num < n; n /= 10 {
			dst = append(dst, '0')
		}
	}
	return strconv.AppendUint(dst, v.Num, 10)
}

// AppendText appends text as it may be shown: control characters, what is no character of Unicode's, and each maximal invalid part of
// a UTF-8 sequence become U+FFFD, so that no file name can move a terminal's cursor or break a line of a log.
func AppendText(dst []byte, s string) []byte {
	whole := 0 // what of s is appended already
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c < 0x7f {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if shown(r, n) {
			i += n
			continue
		}
		for r == utf8.RuneError && i+n < len(s) && !utf8.FullRuneInString(s[i:i+n+1]) {
			n++
		}
		dst = append(append(dst, s[whole:i]...), "\uFFFD"...)
		i += n
		whole = i
	}
	return append(dst, s[whole:]...)
}

// shown says whether a character of n bytes is printed as it is.
func shown(r rune, n int) bool {
	switch {
	case r == utf8.RuneError:
		return n == len("\uFFFD")
	case r < ' ', r >= 0x7f && r < 0xa0: // control characters
		return false
	}
	return r&0xfffe != 0xfffe && (r < 0xfdd0 || r > 0xfdef) // no characters
}

func appendBuffer(dst []byte, s string, b Buffers) []byte {
	if b == Base64 {
		return base64.StdEncoding.AppendEncode(dst, []byte(s))
	}
	for i := range len(s) {
		c := s[i]
		if c < 0x20 || c > 0x7e {
			c = '.'
		}
		dst = append(dst, c)
	}
	return dst
}
