package format

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/state"
)

// fields resolves the names it holds to constant values; a missing value is nil.
type fields map[string]*field.Value

func (f fields) Token(text string) (Token, error) {
	for n := len(text); n > 0; n-- {
		v, ok := f[text[:n]]
		if !ok {
			continue
		}
		x := &field.Extractor{Field: &field.Field{Name: text[:n], Padded: strings.HasSuffix(text[:n], ".ns")}}
		switch {
		case v == nil:
			x.Text = func(*state.Ctx) (string, bool) { return "", false }
		case v.Type == field.CHARBUF || v.Type == field.BYTEBUF || v.Type == field.IPADDR:
			x.Type, x.Text = v.Type, func(*state.Ctx) (string, bool) { return v.Text, true }
		default:
			x.Type, x.Num = v.Type, func(*state.Ctx) (uint64, bool) { return v.Num, true }
		}
		return Token{Len: n, Print: x, Fields: []Named{{text[:n], x}}}, nil
	}
	return Token{}, errors.New("unknown filter: " + text)
}

func testFields() fields {
	return fields{
		"proc.name":  {Type: field.CHARBUF, Text: "cat"},
		"proc":       {Type: field.CHARBUF, Text: "p"},
		"proc.aname": nil,
		"user.uid":   {Type: field.UINT32, Num: 0},
		"num":        {Type: field.INT64, Num: math.MaxUint64},
		"raw.ns":     {Type: field.UINT64, Num: 1234},
		"big.ns":     {Type: field.UINT64, Num: 123456789},
		"ip4":        {Type: field.IPADDR, Text: "\x7f\x00\x00\x01"},
		"ip6":        {Type: field.IPADDR, Text: strings.Repeat("\x00", 15) + "\x01"},
		"buf":        {Type: field.BYTEBUF, Text: "a\x00\xffb\n"},
		"bool":       {Type: field.BOOL, Num: 1},
		"double":     {Type: field.DOUBLE, Num: math.Float64bits(0.25)},
	}
}

func TestAppend(t *testing.T) {
	cases := []struct{ in, want string }{
		{"plain", "plain"},
		{"*%proc.name", "cat"},
		{"*", ""},
		{"%proc.name reads", "cat reads"},
		{"%proc.names", "cats"},
		{"%proc.x", "p.x"},
		{"[%6proc.name]", "[cat   ]"},
		{"[%2proc.name]", "[ca]"},
		{"%proc.aname|%6proc.aname|", "<NA>|<NA>  |"},
		{"%user.uid %num", "0 -1"},
		{"%raw.ns %big.ns", "000001234 123456789"},
		{"%ip4 %ip6", "127.0.0.1 ::1"},
		{"%buf", "a..b."},
		{"%bool %double", "true 0.2"},
	}
	for _, c := range cases {
		f, err := Compile(c.in, testFields())
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if got := string(f.Append(nil, nil, Dots)); got != c.want {
			t.Errorf("%s is %q, want %q", c.in, got, c.want)
		}
	}
	f, err := Compile("%buf", testFields())
	if err != nil {
		t.Fatal(err)
	}
	if got := string(f.Append(nil, nil, Base64)); got != "YQD/Ygo=" {
		t.Errorf("base64 is %q", got)
	}
}

func TestCompileRefuses(t *testing.T) {
	cases := []struct{ in, want string }{
		{"", "empty formatting token"},
		{"ends with %", "cannot end with a %"},
		{"%12", "cannot end with a number"},
		{"%99999999999999999999proc.name", "a width is at most"},
		{"%nothing", "unknown filter: nothing"},
	}
	for _, c := range cases {
		if _, err := Compile(c.in, testFields()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error is %v, want %q", c.in, err, c.want)
		}
	}
}

func TestFields(t *testing.T) {
	f, err := Compile("%proc.name %5user.uid %proc.aname %proc.name", testFields())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range f.Fields() {
		got = append(got, n.Name)
	}
	if strings.Join(got, " ") != "proc.name user.uid proc.aname proc.name" {
		t.Errorf("fields are %v", got)
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{"%proc.name", "%%", "%0", "*%5proc.name[%", "%12proc.aname\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Compile(text, testFields())
		if err != nil {
			return
		}
		c.Append(nil, nil, Dots)
	})
}

// The sanitised texts are what Falco 0.44.1 prints for names of these bytes.
func TestAppendText(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "",
		"plain é 世 🦅":                "plain é 世 🦅",
		"a\nb\t\x1b[0m\x7f":          "a\uFFFDb\uFFFD\uFFFD[0m\uFFFD",
		"\u0085\u009f\u00a0":         "\uFFFD\uFFFD\u00a0",
		"\xff\xfe":                   "\uFFFD\uFFFD",
		"\xe2\x82":                   "\uFFFD",
		"\xe2\x82x\xf0\x9f\xa6y\xe2": "\uFFFDx\uFFFDy\uFFFD",
		"\xed\xa0\x80\xc0\xaf":       "\uFFFD\uFFFD\uFFFD\uFFFD\uFFFD",
		"\uFDD0\uFFFE\U0001FFFF":     "\uFFFD\uFFFD\uFFFD",
		"\uFFFD":                     "\uFFFD",
	} {
		if got := string(AppendText([]byte("<"), in)); got != "<"+want {
			t.Errorf("%q gives %q, want %q", in, got, "<"+want)
		}
	}
}
