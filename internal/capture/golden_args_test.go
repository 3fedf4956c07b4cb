package capture

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

// TestGoldenArguments compares the numbers and texts of each event's parameters with evt.args of the reference. It shows
// that converted parameters are at their place, and empty where the reference has none.
func TestGoldenArguments(t *testing.T) {
	for _, path := range captures(t) {
		want := golden(t, path)
		if want == nil {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			r, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			var e event.Event
			compared, events := 0, 0
			for _, g := range want {
				for e.Num < g.Num {
					if err := r.Next(&e); err != nil {
						t.Fatal(err)
					}
				}
				if g.Args == "" {
					continue
				}
				events++
				n, err := compareArgs(&e, g.Args)
				if err != nil {
					t.Errorf("event %d, %s: %v\nreference: %s", g.Num, e.Type().PPME, err, g.Args)
				}
				compared += n
			}
			t.Logf("%d parameters of %d events compared", compared, events)
		})
	}
}

// compareArgs compares the parameters of e with the reference's text and returns how many it could compare.
func compareArgs(e *event.Event, args string) (int, error) {
	n, rest := 0, " "+args
	params := e.Type().Params
	for i := range params {
		name := " " + params[i].Name + "="
		at := strings.Index(rest, name)
		if at < 0 {
			if i < e.NumParams() {
				return n, fmt.Errorf("parameter %s is not in the reference", params[i].Name)
			}
			return n, nil
		}
		rest = rest[at+len(name):]
		want, ok := printed(e, i)
		if !ok {
			continue
		}
		n++
		if !slices.ContainsFunc(want, func(w string) bool { return begins(rest, w) }) {
			return n, fmt.Errorf("parameter %s is %q, the reference has %.40q", params[i].Name, want, rest)
		}
	}
	return n, nil
}

// begins reports whether text begins with the whole value want, which a name in parentheses may follow.
func begins(text, want string) bool {
	next, ok := strings.CutPrefix(text, want)
	return ok && (next == "" || next[0] == ' ' || next[0] == '(')
}

// printed returns parameter i as the reference may print it, up to the name it may add in parentheses: which base a number
// has is not for this package to know. It reports false for types whose text depends on more than the parameter.
func printed(e *event.Event, i int) ([]string, bool) {
	switch e.Type().Params[i].Type {
	case event.TypeErrno, event.TypeInt8, event.TypeInt16, event.TypeInt32, event.TypeInt64, event.TypePid,
		event.TypeUint8, event.TypeUint16, event.TypeUint32, event.TypeUint64, event.TypeFlags8, event.TypeFlags16,
		event.TypeFlags32, event.TypeEnumflags8, event.TypeEnumflags16, event.TypeEnumflags32, event.TypeMode,
		event.TypeUid, event.TypeGid:
		v, ok := e.Uint(i)
		if !ok {
			return []string{"<NA>"}, true
		}
		signed, _ := e.Int(i)
		return []string{
			strconv.FormatUint(v, 10),
			strconv.FormatInt(signed, 10),
			strings.ToUpper(strconv.FormatUint(v, 16)),
			"0" + strconv.FormatUint(v, 8),
		}, true
	case event.TypeCharbuf, event.TypeFspath:
		s, ok := e.Text(i)
		if !ok {
			return []string{"<NA>"}, true
		}
		for j := range len(s) {
			if s[j] < ' ' || s[j] > '~' {
				return nil, false
			}
		}
		return []string{s}, true
	}
	return nil, false
}
