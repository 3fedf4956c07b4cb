package filter

import "testing"

func TestParseTransformer(t *testing.T) {
	cases := []struct {
		text string
		n    int
		name string
	}{
		{"toupper(proc.name) reads", 18, "toupper"},
		{"concat(proc.name, \"/\", fd.name)", 31, "concat"},
		{"basename(tolower(fd.name))", 26, "basename"},
		{"proc.name", 0, ""},
		{"", 0, ""},
	}
	for _, c := range cases {
		o, n, err := ParseTransformer(c.text)
		if err != nil || n != c.n || o.Name != c.name {
			t.Errorf("%s: %q, %d bytes, %v", c.text, o.Name, n, err)
		}
	}
	if _, _, err := ParseTransformer("toupper(proc.name"); err == nil {
		t.Error("an open transformer is accepted")
	}
}
