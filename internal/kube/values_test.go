package kube

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// TestValues takes texts apart that are arrays: each has the values that stand behind it, or the error.
func TestValues(t *testing.T) {
	cases := []struct {
		text string
		want string // values, separated by blanks
		err  error
	}{
		{`[]`, "", nil},
		{` [ ] `, "", nil},
		{`[1]`, "1", nil},
		{"[1 ,\n-2.5e7,\ttrue, null]", "1 -2.5e7 true null", nil},
		{`["", "a]", "\"", "\\", "\\\"}"]`, `"" "a]" "\"" "\\" "\\\"}"`, nil},
		{`[{},{"a":[{"b":"}"}]},[[]]]`, `{} {"a":[{"b":"}"}]} [[]]`, nil},
		{`["` + strings.Repeat("x", maxObject-2) + `"]`, `"` + strings.Repeat("x", maxObject-2) + `"`, nil},
		{`["` + strings.Repeat("x", maxObject-1) + `",7]`, "large 7", nil},
		{`[{"a":[` + strings.Repeat("1,", maxObject) + `1]},8]`, "large 8", nil},
		{`[` + strings.Repeat("1", maxObject+1) + `,8]`, "large 8", nil},
		{`[1`, "", io.ErrUnexpectedEOF},
		{`[1,`, "1", io.ErrUnexpectedEOF},
		{`["a`, "", io.ErrUnexpectedEOF},
		{`[{"a":1}`, `{"a":1}`, io.ErrUnexpectedEOF},
		{``, "", io.ErrUnexpectedEOF},
		{`{}`, "", errRubbish},
		{`[1 2]`, "1", errRubbish},
		{`[1,]`, "1", errRubbish},
		{`[,1]`, "", errRubbish},
		{`[:]`, "", errRubbish},
		{`}`, "", errRubbish},
	}
	for _, c := range cases {
		for _, in := range []io.Reader{strings.NewReader(c.text), iotest.HalfReader(strings.NewReader(c.text))} {
			v := newValues(in)
			var got []string
			err := v.each('[', ']', func() error {
				raw, err := v.value()
				if errors.Is(err, errTooLarge) {
					raw, err = []byte("large"), nil
				}
				if err == nil {
					got = append(got, string(raw))
				}
				return err
			})
			if strings.Join(got, " ") != c.want || !errors.Is(err, c.err) {
				t.Errorf("%.60s: got %.200q and %v, want %.200q and %v", c.text, got, err, c.want, c.err)
			}
		}
	}
}

// FuzzValues compares with package json where a text is JSON.
func FuzzValues(f *testing.F) {
	for _, s := range []string{`{"a":[1,"\u00e9\\",{}]}`, `"\""`, ` 12 `, "{]", `"a`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		raw, err := newValues(bytes.NewReader(append(text, '\n'))).value()
		if json.Valid(text) && (err != nil || !bytes.Equal(raw, bytes.TrimSpace(text))) {
			t.Errorf("%q: got %q and %v", text, raw, err)
		}
	})
}
