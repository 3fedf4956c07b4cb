package alert

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
)

// OutputText returns the text of the alert as Falco's JSON has it under "output": as it was received, or local time, priority
// and message; of an internal alert the message alone.
func (a *Alert) OutputText() string {
	if a.Internal && a.Output == "" {
		return a.Message
	}
	return string(a.appendOutput(nil, Style{}))
}

// OutputTextIn is OutputText with the time as the style has it.
func (a *Alert) OutputTextIn(s Style) string {
	if a.Internal {
		return a.OutputText()
	}
	return string(a.appendOutput(nil, s))
}

// AppendSidekick appends the alert in the form Falcosidekick passes on: one JSON object without a line feed, to the byte what
// Go's encoding/json makes of Falcosidekick's structure (reference: sidekick.md §1.2). Decode reads it back.
func (a *Alert) AppendSidekick(dst []byte) []byte {
	dst = append(dst, '{')
	if a.UUID != "" {
		dst = append(appendGo(append(dst, `"uuid":`...), a.UUID), ',')
	}
	dst = appendGo(append(dst, `"output":`...), a.OutputText())
	dst = appendGo(append(dst, `,"priority":`...), a.Priority.String())
	dst = appendGo(append(dst, `,"rule":`...), a.Rule)
	dst = append(dst, `,"time":"`...)
	dst = a.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = a.AppendSidekickFields(append(dst, `","output_fields":`...))
	dst = appendGo(append(dst, `,"source":`...), a.Source)
	if len(a.Tags) > 0 {
		dst = append(dst, `,"tags":[`...)
		for i, t := range a.Tags {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendGo(dst, t)
		}
		dst = append(dst, ']')
	}
	if a.Hostname != "" {
		dst = appendGo(append(dst, `,"hostname":`...), a.Hostname)
	}
	return append(dst, '}')
}

// AppendSidekickFields appends the fields as one JSON object in Falcosidekick's form.
func (a *Alert) AppendSidekickFields(dst []byte) []byte {
	dst = append(dst, '{')
	for i, f := range sorted(a.Fields) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = f.Value.appendGo(append(appendGo(dst, f.Key), ':'))
	}
	return append(dst, '}')
}

// SortedFields returns the fields in the order of their keys; of fields with the same key the last one counts.
func (a *Alert) SortedFields() []Field { return sorted(a.Fields) }

// String returns the value as text, as Falcosidekick prints it: texts as they are, null as "<nil>", lists in brackets with
// blanks, everything else as JSON.
func (v Value) String() string {
	switch v.Kind {
	case Text:
		return v.Text
	case Null:
		return "<nil>"
	case List:
		texts := make([]string, len(v.Elems))
		for i, e := range v.Elems {
			texts[i] = e.String()
		}
		return "[" + strings.Join(texts, " ") + "]"
	}
	return string(v.appendJSON(nil))
}

// Number returns the text of a number, and whether the value is one.
func (v Value) Number() (string, bool) {
	switch v.Kind {
	case Int:
		return strconv.FormatInt(int64(v.Num), 10), true
	case Uint:
		return strconv.FormatUint(v.Num, 10), true
	case Float:
		if f := math.Float64frombits(v.Num); math.IsNaN(f) || math.IsInf(f, 0) {
			return "", false
		}
		return string(v.appendJSON(nil)), true
	case Raw:
		return v.Text, v.Text != "" && v.Text[0] != '{'
	}
	return "", false
}

func (v Value) appendGo(dst []byte) []byte {
	switch v.Kind {
	case Text:
		return appendGo(dst, v.Text)
	case List:
		dst = append(dst, '[')
		for i, e := range v.Elems {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = e.appendGo(dst)
		}
		return append(dst, ']')
	}
	return v.appendJSON(dst)
}

// appendGo appends a JSON string as Go's encoding/json writes it: safe inside HTML.
func appendGo(dst []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil { // a string can always be marshalled
		return appendString(dst, s)
	}
	return append(dst, text...)
}
