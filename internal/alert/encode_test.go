package alert

import (
	"encoding/json"
	"math"
	"testing"
	"time"
	"unicode/utf8"
)

func sample() *Alert {
	return &Alert{
		Time: time.Unix(1795459618, 138453459), Rule: "Read sensitive file", Priority: Warning, Source: "syscall", Hostname: "lab",
		Message: "file=/etc/shadow user=\"x\"\n\x1b[31m \xff\xe2\x82 é",
		Fields: []Field{
			{"proc.tty", Value{Kind: Uint, Num: 0}},
			{"fd.name", Value{Kind: Text, Text: "/etc/shadow"}},
			{"evt.time.iso8601", Value{Kind: Int, Num: 1795459618138453459}},
			{"user.loginuid", Value{Kind: Int, Num: math.MaxUint64}},
			{"proc.aname[2]", Value{}},
			{"evt.failed", Value{Kind: Bool}},
			{"proc.fdusage", Value{Kind: Float, Num: math.Float64bits(0.005817413330078125)}},
			{"fd.types", Value{Kind: List, Elems: []Value{{Kind: Text, Text: "file"}, {Kind: Text, Text: "unix"}}}},
		},
		Tags: []string{"T1555", "host"},
	}
}

func TestAppendText(t *testing.T) {
	a := sample()
	for _, c := range []struct {
		style Style
		want  string
	}{
		{Style{ISO8601: true}, "2026-11-23T18:46:58.138453459+0000: Warning file=/etc/shadow user=\"x\"\\n\\u001b[31m \uFFFD\uFFFD é"},
		{Style{Zone: time.FixedZone("", 3600)}, "19:46:58.138453459: Warning file=/etc/shadow user=\"x\"\\n\\u001b[31m \uFFFD\uFFFD é"},
	} {
		if got := string(a.AppendText(nil, c.style)); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestAppendJSON(t *testing.T) {
	a := sample()
	a.Message = "m"
	all := Style{ISO8601: true, Output: true, Tags: true, Message: true, OutputFields: true}
	want := `{"hostname":"lab","message":"m","output":"2026-11-23T18:46:58.138453459+0000: Warning m",` +
		`"output_fields":{"evt.failed":false,"evt.time.iso8601":1795459618138453459,"fd.name":"/etc/shadow",` +
		`"fd.types":["file","unix"],"proc.aname[2]":null,"proc.fdusage":0.005817413330078125,"proc.tty":0,"user.loginuid":-1},` +
		`"priority":"Warning","rule":"Read sensitive file","source":"syscall","tags":["T1555","host"],"time":"2026-11-23T18:46:58.138453459Z"}`
	if got := string(a.AppendJSON(nil, all)); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want = `{"hostname":"lab","priority":"Warning","rule":"Read sensitive file","source":"syscall","time":"2026-11-23T18:46:58.138453459Z"}`
	if got := string(a.AppendJSON(nil, Style{})); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestInternal(t *testing.T) {
	a := &Alert{
		Time: time.Unix(1, 5), Rule: "Falco internal: syscall event drop", Priority: Debug, Source: "internal", Hostname: "lab", Internal: true,
		Message: "Falco internal: syscall event drop. 3 system calls dropped in last second.",
		Fields:  []Field{{"n_evts", Value{Kind: Text, Text: "7"}}, {"n_drops", Value{Kind: Text, Text: "3"}}},
	}
	want := `00:00:01.000000005: Debug Falco internal: syscall event drop. 3 system calls dropped in last second. (n_drops="3" n_evts="7")`
	if got := string(a.AppendText(nil, Style{Zone: time.UTC})); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want = `{"hostname":"lab","output":"Falco internal: syscall event drop. 3 system calls dropped in last second.","output_fields":{"n_drops":"3","n_evts":"7"},` +
		`"priority":"Debug","rule":"Falco internal: syscall event drop","source":"internal","time":"1970-01-01T00:00:01.000000005Z"}`
	if got := string(a.AppendJSON(nil, Style{})); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestInternalIsOneLine wants one line of an internal alert too.
func TestInternalIsOneLine(t *testing.T) {
	a := &Alert{
		Time: time.Unix(1, 5), Rule: "Falco internal: hot restart failure", Priority: Critical, Source: "internal", Internal: true,
		Message: "Falco internal: hot restart failure: a.yaml: Invalid\n1 Errors:\n\tIn rule \"x\"",
	}
	want := `00:00:01.000000005: Critical Falco internal: hot restart failure: a.yaml: Invalid\n1 Errors:\n\tIn rule "x" ()`
	if got := string(a.AppendText(nil, Style{Zone: time.UTC})); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParsePriority(t *testing.T) {
	for i, name := range priorities {
		if p, err := ParsePriority(name); err != nil || p != Priority(i) {
			t.Errorf("ParsePriority(%q) = %v, %v", name, p, err)
		}
	}
	if p, err := ParsePriority("info"); err != nil || p != Informational {
		t.Errorf("info is %v, %v", p, err)
	}
	if _, err := ParsePriority("loud"); err == nil {
		t.Error("loud is a priority")
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("a\x00\x1f\"\\\xf0\x9f\x98\xed\xa0\x80\u2028")
	f.Fuzz(func(t *testing.T, s string) {
		out := appendString(nil, s)
		var back string
		if err := json.Unmarshal(out, &back); err != nil {
			t.Fatalf("%q is not JSON: %v", out, err)
		}
		if !utf8.Valid(out) {
			t.Fatalf("%q is not UTF-8", out)
		}
		if utf8.ValidString(s) && back != s {
			t.Fatalf("%q reads back as %q", s, back)
		}
	})
}
