package alert

import (
	"math"
	"sort"
	"strconv"
	"time"
	"unicode/utf8"
)

// Style says which of Falco's optional parts an encoded alert has.
type Style struct {
	ISO8601 bool           // date and time in UTC before the message, not the time of day
	Zone    *time.Location // of the time of day; nil is local time

	Output, Tags, Message, OutputFields bool // JSON properties (json_include_…_property)
}

// AppendText appends the alert as a line of text, without a line feed: time, priority and message, or for an internal
// alert its fields in parentheses. Control characters are escaped and invalid UTF-8 replaced as JSON would, so that it is one line;
// quotes and backslashes are as they are (as in Falco 0.44; later versions escape them, too).
func (a *Alert) AppendText(dst []byte, s Style) []byte {
	if a.Internal {
		return a.appendInternal(dst, s)
	}
	return appendEscaped(dst, string(a.appendOutput(nil, s)), false)
}

// appendOutput appends the output as it was received, or time, priority and message, unescaped.
func (a *Alert) appendOutput(dst []byte, s Style) []byte {
	if a.Output != "" {
		return append(dst, a.Output...)
	}
	if s.ISO8601 {
		dst = a.Time.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000000-0700")
	} else {
		dst = a.Time.In(s.zone()).AppendFormat(dst, "15:04:05.000000000")
	}
	dst = append(dst, ": "...)
	dst = append(dst, a.Priority.String()...)
	dst = append(dst, ' ')
	return append(dst, a.Message...)
}

func (s Style) zone() *time.Location {
	if s.Zone == nil {
		return time.Local
	}
	return s.Zone
}

func (a *Alert) appendInternal(dst []byte, s Style) []byte {
	dst = a.Time.In(s.zone()).AppendFormat(dst, "15:04:05.000000000")
	dst = append(dst, ": "...)
	dst = append(dst, a.Priority.String()...)
	dst = append(dst, ' ')
	dst = appendEscaped(dst, a.Message, false) // of several lines when a reload failed
	dst = append(dst, " ("...)
	for i, f := range sorted(a.Fields) {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, f.Key...)
		dst = append(dst, '=')
		dst = f.Value.appendJSON(dst)
	}
	return append(dst, ')')
}

// AppendJSON appends the alert as one JSON object with its keys in alphabetical order, without a line feed.
func (a *Alert) AppendJSON(dst []byte, s Style) []byte {
	key := func(name string) {
		if dst[len(dst)-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, name), ':')
	}
	dst = append(dst, '{')
	key("hostname")
	dst = appendString(dst, a.Hostname)
	if s.Message && !a.Internal {
		key("message")
		dst = appendString(dst, a.Message)
	}
	if s.Output || a.Internal {
		key("output")
		if a.Internal {
			dst = appendString(dst, a.Message)
		} else {
			dst = appendString(dst, string(a.appendOutput(nil, s)))
		}
	}
	if s.OutputFields || a.Internal {
		key("output_fields")
		dst = AppendFields(dst, a.Fields)
	}
	key("priority")
	dst = appendString(dst, a.Priority.String())
	key("rule")
	dst = appendString(dst, a.Rule)
	key("source")
	dst = appendString(dst, a.Source)
	if s.Tags && !a.Internal {
		key("tags")
		dst = append(dst, '[')
		for i, t := range a.Tags {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendString(dst, t)
		}
		dst = append(dst, ']')
	}
	key("time")
	dst = append(dst, '"')
	dst = a.Time.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000000Z")
	return append(dst, '"', '}')
}

// AppendFields appends the fields as one JSON object in the order of their keys; of fields with the same key the last one
// counts.
func AppendFields(dst []byte, fields []Field) []byte {
	dst = append(dst, '{')
	for i, f := range sorted(fields) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, f.Key), ':')
		dst = f.Value.appendJSON(dst)
	}
	return append(dst, '}')
}

// sorted returns the fields in the order of their keys; of fields with the same key the last one counts.
func sorted(fields []Field) []Field {
	out := append([]Field(nil), fields...)
	sort.SliceStable(out, func(i, j int) bool { return out[i].Key < out[j].Key })
	n := 0
	for i := range out {
		if i+1 < len(out) && out[i+1].Key == out[i].Key {
			continue
		}
		out[n] = out[i]
		n++
	}
	return out[:n]
}

func (v Value) appendJSON(dst []byte) []byte {
	switch v.Kind {
	case Text:
		return appendString(dst, v.Text)
	case Int:
		return strconv.AppendInt(dst, int64(v.Num), 10)
	case Uint:
		return strconv.AppendUint(dst, v.Num, 10)
	case Bool:
		return strconv.AppendBool(dst, v.Num != 0)
	case Float:
		return appendFloat(dst, math.Float64frombits(v.Num))
	case List:
		dst = append(dst, '[')
		for i, e := range v.Elems {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = e.appendJSON(dst)
		}
		return append(dst, ']')
	case Raw:
		return append(dst, v.Text...)
	}
	return append(dst, "null"...)
}

// appendFloat prints the shortest text that reads back as f, with a fraction where f is whole; JSON has no infinities.
func appendFloat(dst []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.AppendFloat(dst, f, 'f', 1, 64)
	}
	return strconv.AppendFloat(dst, f, 'g', -1, 64)
}

func appendString(dst []byte, s string) []byte {
	return append(appendEscaped(append(dst, '"'), s, true), '"')
}

// appendEscaped appends s as it stands between the quotes of a JSON string: control characters, quotes and backslashes (these two
// only where quoted says so) escaped, each maximal invalid UTF-8 sequence replaced by U+FFFD, all else as it is.
func appendEscaped(dst []byte, s string, quoted bool) []byte {
	const hex = "0123456789abcdef"
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				n = invalidLen(s[i:])
				dst = append(dst, "\uFFFD"...)
			} else {
				dst = append(dst, s[i:i+n]...)
			}
			i += n
			continue
		}
		i++
		switch c {
		case '"', '\\':
			if quoted {
				dst = append(dst, '\\')
			}
			dst = append(dst, c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			if c < 0x20 {
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			} else {
				dst = append(dst, c)
			}
		}
	}
	return dst
}

// invalidLen returns the length of the invalid sequence that s begins with: the longest part that could have begun a
// valid one, at least one byte (Unicode, "substitution of maximal subparts").
func invalidLen(s string) int {
	n := 1
	for n < len(s) && !utf8.FullRuneInString(s[:n+1]) {
		n++
	}
	return n
}
