package match

import "testing"

// The expectations are those of fnmatch(3) of glibc in the C locale.
func TestGlob(t *testing.T) {
	cases := []struct {
		pattern, text string
		want, fold    bool // fold: what FNM_CASEFOLD makes of it
	}{
		{"", "", true, true},
		{"", "a", false, false},
		{"*", "", true, true},
		{"**", "ab", true, true},
		{"?", "", false, false},
		{"?", "/", true, true},
		{"a*b*c", "aXbYc", true, true},
		{"a*b*c", "acb", false, false},
		{"*a*", "bab", true, true},
		{"*abc", "ababc", true, true},
		{"a*a", "a", false, false},
		{"a*bc*bcd", "abcbcd", true, true},
		{"a*bc*bcd", "abcd", false, false},
		{"A*", "abc", false, true},
		{"[a-c]x", "bx", true, true},
		{"[a-c]x", "Bx", false, true},
		{"[!a-c]x", "dx", true, true},
		{"[^a-c]x", "ax", false, false},
		{"[]a]", "]", true, true},
		{"[]a]", "a", true, true},
		{"[a-]", "-", true, true},
		{"[", "[", true, true},
		{"[a", "[a", true, true},
		{"[a*", "[axx", true, true},
		{`\*`, "*", true, true},
		{`\*`, "a", false, false},
		{`a\`, `a\`, false, false},
		{`a\`, "a", false, false},
		{`[\]]`, "]", true, true},
		{"[[:digit:]]*", "7up", true, true},
		{"[[:upper:]]", "a", false, false},
		{"[[:upper:]]", "A", true, true},
		{"[[:alpha:][:digit:]]", "_", false, false},
		{"[[:space:]]", "\t", true, true},
		{"[[:nope:]]", "n", false, false},
		{"[![:nope:]]", "n", false, false},
		{"[Z-a]", "_", true, false},
		{"[^A]", "a", true, false},
		{"[[.-.]]", "-", true, true},
		{"[[=a=]]", "a", true, true},
		{"[b-a]", "b", false, false},
		{"*/.ssh/*", "/root/.ssh/id", true, true},
		{"/home/*/.ssh/*", "/home/.ssh/x", false, false},
		{"*.so.?", "libc.so.6", true, true},
	}
	for _, c := range cases {
		if got := compileGlob(c.pattern, false)(c.text); got != c.want {
			t.Errorf("glob %q of %q: got %v", c.pattern, c.text, got)
		}
		if got := compileGlob(c.pattern, true)(c.text); got != c.fold {
			t.Errorf("iglob %q of %q: got %v", c.pattern, c.text, got)
		}
	}
}
