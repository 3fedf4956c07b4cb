package rule

import (
	"strings"
	"testing"
)

func TestSubstitute(t *testing.T) {
	for _, c := range []struct{ cond, sub, want string }{
		{"p in (l)", "a, b", "p in ( a, b )"},
		{"p in ( l )", "a", "p in ( a )"},
		{"p in (l, l,x)", "a", "p in ( a , a ,x)"},
		{"p in (l)", "", "p in (  )"},
		{"p in (x,l)", "", "p in (x  )"},
		{"p in (l,x)", "", "p in (  x)"},
		{"l", "a", "a "},
		{"p=l", "a", "p= a "},
		{"p in (ll, xl, lx, l.x, \"l\")", "a", "p in (ll, xl, lx, l.x, \"l\")"},
		{"p in (\n\tl\n)", "a", "p in ( a )"},
	} {
		got, replaced := substitute(c.cond, "l", c.sub, 1000)
		if got != c.want || replaced != (c.cond != c.want) {
			t.Errorf("%q, %q: got %q, %v, want %q", c.cond, c.sub, got, replaced, c.want)
		}
	}
}

func TestSnippet(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		text   string
		offset int
		want   string
	}{
		{"", 0, noSnippet},
		{"\n", 0, noSnippet},
		{"ab\ncd\nef", 4, "cd\n ^\n"},
		{"ab\ncd\nef", 2, "ab\n ^\n"},
		{"ab\ncd\n", 100, "cd\n ^\n"},
		{long, 150, "..." + long[:155] + "...\n" + strings.Repeat(" ", 80) + "^\n"},
		{long, 0, long[:78] + "...\n^\n"},
		{long, 299, "..." + long[:78] + "\n" + strings.Repeat(" ", 80) + "^\n"},
	} {
		ctx := fileContext("f", c.text).in(kindRule, "", position{offset: c.offset})
		if got := ctx.snippet(); got != c.want {
			t.Errorf("%.20q at %d: got %q, want %q", c.text, c.offset, got, c.want)
		}
	}
}

func TestMarks(t *testing.T) {
	m := newMarks("aé b\r\nc\rd\u2028e\nf")
	for _, c := range []struct {
		line, col int
		want      position
	}{
		{1, 1, position{0, 0, 0}},
		{1, 4, position{4, 0, 4}},
		{1, 3, position{3, 0, 3}}, // back
		{2, 1, position{7, 1, 0}},
		{3, 1, position{9, 1, 2}},
		{4, 1, position{13, 1, 6}},
		{5, 2, position{16, 2, 1}},
		{9, 9, position{16, 2, 1}},
	} {
		if got := m.at(c.line, c.col); got != c.want {
			t.Errorf("%d:%d is %v, want %v", c.line, c.col, got, c.want)
		}
	}
}

func TestParseScalars(t *testing.T) {
	for s, want := range map[string]string{
		"y": "true", "Yes": "true", "TRUE": "true", "on": "true", "n": "false",
		"NO": "false", "False": "false", "off": "false", "tRUE": "", "1": "", "": "",
	} {
		got := ""
		if b, ok := parseBool(s); ok && b {
			got = "true"
		} else if ok {
			got = "false"
		}
		if got != want {
			t.Errorf("parseBool(%q) is %q, want %q", s, got, want)
		}
	}
	for s, want := range map[string]int{
		"0": 0, "13": 13, "+7": 7, "0x1f": 31, "010": 8, "12 ": 12, "-1": -1, "1.5": -1,
		"4294967296": -1, "1_0": -1, "0b1": -1, "0o7": -1, "x": -1, "": -1,
	} {
		got := -1
		if n, ok := parseUint(s); ok {
			got = int(n)
		}
		if got != want {
			t.Errorf("parseUint(%q) is %d, want %d", s, got, want)
		}
	}
}

func TestText(t *testing.T) {
	b, err := text("a\"\\/<>&\b\f\n\r\t\x01\x7f\u2028é\xff").MarshalJSON()
	if want := `"a\"\\/<>&\b\f\n\r\t\u0001` + "\x7f\u2028é\ufffd" + `"`; err != nil || string(b) != want {
		t.Errorf("got %s, want %s", b, want)
	}
	if b := marshal([]text{"<\u2028>"}); string(b) != "[\"<\u2028>\"]" {
		t.Errorf("%s", b)
	}
}

func TestCodes(t *testing.T) {
	for c := ErrFileRead; c <= UnknownKey; c++ {
		isError := strings.HasPrefix(c.String(), "LOAD_ERR_")
		if !strings.HasPrefix(c.String(), "LOAD_") || c.Text() == "" || isError != (c.Description() == c.Text()) {
			t.Errorf("%d: %s, %s, %s", c, c, c.Text(), c.Description())
		}
	}
	if len(codes) != 22 {
		t.Errorf("%d codes, want 22", len(codes))
	}
}
