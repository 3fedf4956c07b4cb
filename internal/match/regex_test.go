package match

import "testing"

// TestRegex covers what RE2's POSIX mode makes of a pattern that must match the whole text.
func TestRegex(t *testing.T) {
	cases := []struct {
		pattern, text string
		want          bool
	}{
		{"abc", "abc", true},
		{"abc", "abcd", false},
		{"ab|abcd", "abcd", true},
		{"a.c", "a\nc", false},
		{"a[^b]c", "a\nc", true},
		{"(a|b)*", "", true},
		{"[[:digit:]]+", "123", true},
		{"a$\nb", "a\nb", true},
		{"^abc$", "abc", true},
		{".*", "caf\xc3\xa9", true},
		{".", "\xff", true},
		{"a{2,3}", "aaa", true},
	}
	for _, c := range cases {
		m, err := compileRegex(c.pattern)
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
			continue
		}
		if m(c.text) != c.want {
			t.Errorf("regex %q of %q: got %v", c.pattern, c.text, !c.want)
		}
	}
}
