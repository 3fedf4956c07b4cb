package wavefront

import (
	"strings"
	"testing"
)

// FuzzQuote reads a value back as Wavefront does: up to the first quote that no backslash is before.
func FuzzQuote(f *testing.F) {
	f.Add(`a"b\`)
	f.Add(`\\"`)
	f.Add("x\ny")
	f.Fuzz(func(t *testing.T, s string) {
		q := quote(s)
		if strings.ContainsAny(q, "\n\r") {
			t.Fatalf("%q has a line feed", q)
		}
		for i := 0; i < len(q); i++ {
			if q[i] == '"' && (i == 0 || q[i-1] != '\\' || i > 1 && q[i-2] == '\\') {
				t.Fatalf("%q of %q ends at %d", q, s, i)
			}
		}
		if strings.HasSuffix(q, `\`) {
			t.Fatalf("%q of %q escapes what is after it", q, s)
		}
	})
}
