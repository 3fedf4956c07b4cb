package alert

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	for in, want := range map[string]string{
		`{"hostname":"lab","output":"19:46:58.138453459: Warning x <a> & b","output_fields":{"n":18446744073709551615,"big":123456789012345678901234567890,
		  "f":1.50,"g":1.5,"e":1E3,"neg":-1,"mz":-0,"null":null,"t":true,"u":false,"l":["a",1,[null]],"o":{"k": "<"},"s":"\u2028é\ud800","s":"twice"},
		  "priority":"warning","rule":"r","source":"syscall","tags":["b","a"],"time":"2026-11-23T19:46:58.100+01:00","other":[1]}`: `{"output":"19:46:58.138453459: Warning x \u003ca\u003e \u0026 b","priority":"Warning","rule":"r","time":"2026-11-23T18:46:58.1Z",` +
			`"output_fields":{"big":123456789012345678901234567890,"e":1E3,"f":1.50,"g":1.5,"l":["a",1,[null]],"mz":-0,"n":18446744073709551615,"neg":-1,` +
			`"null":null,"o":{"k":"<"},"s":"twice","t":true,"u":false},"source":"syscall","tags":["a","b"],"hostname":"lab"}`,
		`{"uuid":"u","rule":"r","priority":"info","time":"1970-01-01T00:00:00Z","output":"o","output_fields":{},"tags":null,"source":null}`: `{"uuid":"u","output":"o","priority":"Informational","rule":"r","time":"1970-01-01T00:00:00Z","output_fields":{},"source":""}`,
	} {
		a, err := Decode([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		if got := string(a.AppendSidekick(nil)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	for in, want := range map[string]string{
		``:     "it is not JSON: unexpected end of JSON input",
		`null`: "it is null, it must be one object",
		`[{}]`: "it is a JSON array, it must be one object",
		`{"rule":"r","priority":"error","time":"2026-01-02T03:04:05Z"} x`: "it is not JSON: invalid character 'x' after top-level value",
		`{"rule":7}`: `key "rule" is a JSON number, which it cannot be`,
		`{"priority":"error","time":"2026-01-02T03:04:05Z"}`:                               "rule is missing or empty, it must be the name of a rule",
		`{"rule":"r","time":"2026-01-02T03:04:05Z"}`:                                       "priority is missing or empty, it must be one of Emergency, Alert, Critical, Error, Warning, Notice, Informational, Debug",
		`{"rule":"r","priority":"loud","time":"2026-01-02T03:04:05Z"}`:                     `priority is "loud", it must be one of Emergency, Alert, Critical, Error, Warning, Notice, Informational, Debug`,
		`{"rule":"r","priority":"error"}`:                                                  "time is missing, it must be like 2026-11-23T18:46:58.138453459Z",
		`{"rule":"r","priority":"error","time":"yesterday"}`:                               `time is "yesterday", it must be like 2026-11-23T18:46:58.138453459Z`,
		`{"rule":"r","priority":"error","time":"0001-01-01T00:00:00Z"}`:                    `time is "0001-01-01T00:00:00Z", it must be like 2026-11-23T18:46:58.138453459Z`,
		`{"rule":"r","priority":"error","time":"2026-01-02T03:04:05Z","output_fields":[]}`: "output_fields: it must be one object",
		`{"rule":"r","priority":"error","time":"2026-01-02T03:04:05Z","output_fields":{"a":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}}`: `output_fields: field "a": lists are nested more than 100 deep`,
	} {
		if _, err := Decode([]byte(in)); err == nil || err.Error() != "decoding an alert: "+want {
			t.Errorf("%.80s:\ngot  %v\nwant %s", in, err, want)
		}
	}
}

func TestDecodeMessage(t *testing.T) {
	for output, want := range map[string]string{
		"19:46:58.138453459: Error a b: Error c":      "a b: Error c",
		"2026-11-23T18:46:58.138453459+0000: Error a": "a",
		"a: Error b":                         "a: Error b",
		": Error b":                          ": Error b",
		"Falco internal: syscall event drop": "Falco internal: syscall event drop",
	} {
		text, _ := json.Marshal(output)
		a, err := Decode([]byte(`{"rule":"r","priority":"error","time":"2026-01-02T03:04:05Z","output":` + string(text) + `}`))
		if err != nil || a.Message != want || a.OutputText() != output {
			t.Errorf("%q: message %q, output %q, %v", output, a.Message, a.OutputText(), err)
		}
	}
}

// TestDecodeOwn reads what Falco's own form says.
func TestDecodeOwn(t *testing.T) {
	all := Style{ISO8601: true, Output: true, Tags: true, Message: true, OutputFields: true}
	first := sample().AppendJSON(nil, all)
	a, err := Decode(first)
	if err != nil {
		t.Fatal(err)
	}
	if again := a.AppendJSON(nil, all); !bytes.Equal(first, again) {
		t.Errorf("got  %s\nwant %s", again, first)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"uuid":"u","rule":"r","priority":"info","time":"1970-01-01T00:00:00Z","output":"o","output_fields":{"a":[1.5,null,{"b":-0}]},"tags":["x"]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := Decode(text)
		if err != nil {
			return
		}
		one := a.AppendSidekick(nil)
		if !json.Valid(one) {
			t.Fatalf("%q is not JSON", one)
		}
		b, err := Decode(one)
		if err != nil {
			t.Fatalf("%q: %v", one, err)
		}
		if two := b.AppendSidekick(nil); a.Output != "" && !bytes.Equal(one, two) {
			t.Fatalf("got  %s\nwant %s", two, one)
		}
	})
}
