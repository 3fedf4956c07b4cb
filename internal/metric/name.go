package metric

import "strings"

// SanitizeRule returns a name of a rule or file as it is part of an output field's key: what is not a letter, digit, "_" or
// ":" becomes "_", runs of "_" become one, and one at the end falls away (falco-core.md §2.8).
func SanitizeRule(name string) string {
	return strings.TrimSuffix(collapse(name, true), "_")
}

// SanitizeMetric returns a name as Prometheus allows for metrics, [a-zA-Z_:][a-zA-Z0-9_:]*.
func SanitizeMetric(name string) string { return begun(collapse(name, true), true) }

// SanitizeLabel returns a name as Prometheus allows for labels, [a-zA-Z_][a-zA-Z0-9_]*.
func SanitizeLabel(name string) string { return begun(collapse(name, false), false) }

// collapse replaces each run of characters that are not allowed, or are "_", by one "_".
func collapse(s string, colon bool) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		c := s[i]
		if !letter(c) && (c < '0' || c > '9') && (c != ':' || !colon) {
			c = '_'
		}
		if c == '_' && len(out) > 0 && out[len(out)-1] == '_' {
			continue
		}
		out = append(out, c)
	}
	return string(out)
}

// begun puts "_" before a name that begins as none may.
func begun(s string, colon bool) string {
	if s == "" || !letter(s[0]) && s[0] != '_' && (s[0] != ':' || !colon) {
		return "_" + s
	}
	return s
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// AppendLabelValue appends s as it stands between the quotes of a label's value: backslash, quote and line feed escaped, and
// invalid UTF-8 replaced (Prometheus, "Text-based format").
func AppendLabelValue(dst []byte, s string) []byte {
	s = strings.ToValidUTF8(s, "\uFFFD")
	for i := range len(s) {
		switch s[i] {
		case '\\', '"':
			dst = append(dst, '\\', s[i])
		case '\n':
			dst = append(dst, '\\', 'n')
		default:
			dst = append(dst, s[i])
		}
	}
	return dst
}

// unitSuffixes are what Falco takes out of a name, wherever it stands, before it appends the unit in Prometheus' words. Of
// those that fit, the longest counts.
var unitSuffixes = [...]string{"_percentage", "_bytes", "_ratio", "_total", "_perc", "_sec", "_kb", "_mb", "_ns", "_ts"}

// withoutUnit takes the units out of a name. It reads s_a_kb_b as s_a_b: Falco does not look at the end alone, and the names
// of plugins' metrics depend on it.
func withoutUnit(s string) string {
	var out []byte
next:
	for i := 0; i < len(s); {
		for _, u := range unitSuffixes {
			if strings.HasPrefix(s[i:], u) {
				i += len(u)
				continue next
			}
		}
		out = append(out, s[i])
		i++
	}
	return string(out)
}
