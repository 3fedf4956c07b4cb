package httpsink_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/httpsink"
)

// TestParts divides alerts into requests, and finds the one that a request is refused for.
func TestParts(t *testing.T) {
	s, err := httpsink.New(httpsink.Config{Name: "test", URL: "http://127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	var posted []string
	busy := errors.New("busy")
	p := httpsink.Parts{
		Bytes: 6, Count: 3,
		Item: func(a *alert.Alert) ([]byte, error) {
			if a.Rule == "bad" {
				return nil, s.Refuse("bad")
			}
			return []byte(a.Rule), nil
		},
		Post: func(_ context.Context, items [][]byte) error {
			var texts []string
			for _, i := range items {
				texts = append(texts, string(i))
			}
			posted = append(posted, strings.Join(texts, " "))
			switch {
			case slices.Contains(texts, "r"):
				return s.Refuse("refused")
			case slices.Contains(texts, "b"):
				return busy
			}
			return nil
		},
	}
	for _, c := range []struct{ alerts, posted, errs string }{
		{"", "", "[]"},
		{"a", "a", "[]"},
		{"a a a a", "a a a/a", "[]"},
		{"aaaa aaa aaaaaaaaa a", "aaaa/aaa/aaaaaaaaa/a", "[]"},
		{"a bad a", "a a", "[- refused -]"},
		{"a r a", "a r a/a/r/a", "[- refused -]"},
		{"r", "r", "[refused]"},
		{"a b a a", "a b a/a", "[busy busy busy -]"},
	} {
		posted = nil
		var alerts []*alert.Alert
		for _, rule := range strings.Fields(c.alerts) {
			alerts = append(alerts, &alert.Alert{Rule: rule})
		}
		said := []string{}
		for _, err := range p.Send(t.Context(), alerts) {
			switch {
			case err == nil:
				said = append(said, "-")
			case route.Permanent(err):
				said = append(said, "refused")
			default:
				said = append(said, err.Error())
			}
		}
		if got := strings.Join(posted, "/"); got != c.posted || fmt.Sprint(said) != c.errs {
			t.Errorf("%s: posted %s, want %s; errors %v, want %s", c.alerts, got, c.posted, said, c.errs)
		}
	}
}
