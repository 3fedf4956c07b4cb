package syslogremote

import (
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// FuzzCEF reads the line back as a receiver does: eight parts between bars, and keys before equals signs, unless a backslash is
// before.
func FuzzCEF(f *testing.F) {
	f.Add(`a|b\c`, "x=1\r\nmsg=evil", `\`, "host name")
	f.Add("", `\=\|`, "=", "")
	f.Fuzz(func(t *testing.T, rule, output, value, hostname string) {
		a := &alert.Alert{
			UUID: "u", Time: time.Unix(1, 0), Rule: rule, Output: output + ".", Hostname: hostname, Source: value,
			Fields: []alert.Field{{Key: value, Value: alert.Value{Kind: alert.Text, Text: output}}}, Tags: []string{rule},
		}
		line := string(cef(nil, a))
		if strings.ContainsAny(line, "\n\r") {
			t.Fatalf("%q has a line feed", line)
		}
		parts := split(line, '|', 8)
		if len(parts) != 8 || parts[0] != "CEF:0" || parts[6] != "10" {
			t.Fatalf("%q has the parts %q", line, parts)
		}
		clean := func(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }
		if got := unescape(parts[5]); got != strings.NewReplacer("\n", " ", "\r", " ").Replace(clean(rule)) {
			t.Fatalf("%q: rule %q", line, got)
		}
		pieces := split(parts[7], '=', -1)
		var keys []string
		for i, p := range pieces[:len(pieces)-1] {
			key := p
			if i > 0 {
				key = p[strings.LastIndexByte(p, ' ')+1:]
			}
			keys = append(keys, key)
		}
		want := "uuid start msg source outputfields tags"
		if hostname != "" {
			want = "uuid start msg source hostname outputfields tags"
		}
		if got := strings.Join(keys, " "); got != want {
			t.Fatalf("%q has the keys %q", line, got)
		}
		if got := unescape(strings.TrimSuffix(pieces[3], " source")); got != clean(output+".") {
			t.Fatalf("%q: output %q", line, got)
		}
	})
}

// split splits at a byte that no backslash is before, into at most n parts.
func split(s string, at byte, n int) []string {
	var out []string
	begin := 0
	for i := 0; i < len(s) && (n < 0 || len(out) < n-1); i++ {
		switch s[i] {
		case '\\':
			i++
		case at:
			out = append(out, s[begin:i])
			begin = i + 1
		}
	}
	return append(out, s[begin:])
}

func unescape(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\=`, "=", `\|`, "|", `\n`, "\n", `\r`, "\r").Replace(s)
}
