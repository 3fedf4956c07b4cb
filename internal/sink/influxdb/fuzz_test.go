package influxdb

import (
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// FuzzPoint reads the line back as InfluxDB does: names and values of tags up to what ends them, unless a backslash is before.
func FuzzPoint(f *testing.F) {
	f.Add("rule", "key", `va,l=u e\`, "out\"put\\\n")
	f.Add("", "a b", "x\ny\r\t", "")
	f.Fuzz(func(t *testing.T, rule, key, value, output string) {
		a := &alert.Alert{
			Time: time.Unix(1, 2), Rule: rule, Output: output + ".", Hostname: value, Tags: []string{key, value},
			Fields: []alert.Field{{Key: key, Value: alert.Value{Kind: alert.Text, Text: value}}, {Key: key + "2", Value: alert.Value{Kind: alert.Text, Text: rule}}},
		}
		line := string((&Sink{cfg: Config{Precision: "ns"}}).point(a))
		rest, ok := strings.CutPrefix(line, "events")
		for seen := map[string]bool{}; ok && rest[0] == ','; {
			name, after := until(rest[1:], ',', '=', ' ')
			if name == "" || seen[name] || after == "" || after[0] != '=' {
				t.Fatalf("%q: name of a tag %q before %.20q", line, name, after)
			}
			seen[name] = true
			var value string
			if value, rest = until(after[1:], ',', '=', ' '); value == "" || rest == "" || rest[0] == '=' || strings.ContainsAny(name+value, "\n\r") {
				t.Fatalf("%q: tag %q has the value %q before %.20q", line, name, value, rest)
			}
		}
		rest, ok = strings.CutPrefix(rest, ` value="`)
		text, after := until(rest, '"')
		if !ok || after != `" 1000000002` || strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(text) != strings.ToValidUTF8(output+".", "\uFFFD") {
			t.Fatalf("%q: output %q before %q", line, text, after)
		}
	})
}

// until returns what is before the first of the bytes that no backslash is before, and the rest.
func until(s string, ends ...byte) (string, string) {
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' {
			i++
			continue
		}
		for _, e := range ends {
			if s[i] == e {
				return s[:i], s[i:]
			}
		}
	}
	return s, ""
}
