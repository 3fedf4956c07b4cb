package http

import (
	"strings"
	"testing"
	"time"
)

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "7", "-1", " 8 ", "99999999999999999999", "Fri, 31 Dec 1999 23:59:59 GMT", "Friday, 31-Dec-99 23:59:59 GMT"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if d, ok := retryAfter(header, time.Unix(1e9, 0)); d < 0 || d > longestPause || !ok && d != 0 {
			t.Errorf("%q is a pause of %v, %v", header, d, ok)
		}
	})
}

// FuzzURL wants no password in an error, and an http or https URL otherwise.
func FuzzURL(f *testing.F) {
	for _, s := range []string{"http://u:", "https://u:%", "u:", "'http://", "http://u/:"} {
		f.Add(s, "@host/path")
	}
	const password = "pa55word"
	f.Fuzz(func(t *testing.T, before, after string) {
		u, err := parseURL(before + password + after)
		switch {
		case err != nil && strings.Contains(err.Error(), password):
			t.Error(err)
		case err == nil && (u.Host == "" || u.Scheme != "http" && u.Scheme != "https"):
			t.Errorf("%q is taken", u)
		}
	})
}
