package alert

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// deepest bounds how deeply lists may be nested in the value of a field.
const deepest = 100

// Decode reads an alert as Falco and Falcosidekick write it: one JSON object. Keys that it does not know are ignored, null is
// as good as absence, output_fields may be empty. An alert needs a rule, a known priority and a time in RFC 3339; errors say
// which of them is wrong. Source stays empty when there is none.
func Decode(text []byte) (*Alert, error) {
	var in struct {
		UUID     string          `json:"uuid"`
		Output   string          `json:"output"`
		Message  string          `json:"message"`
		Priority *string         `json:"priority"`
		Rule     string          `json:"rule"`
		Time     *string         `json:"time"`
		Fields   json.RawMessage `json:"output_fields"`
		Source   string          `json:"source"`
		Tags     []string        `json:"tags"`
		Hostname string          `json:"hostname"`
	}
	if err := json.Unmarshal(text, &in); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) && kind.Field != "" {
			return nil, fmt.Errorf("decoding an alert: key %q is a JSON %s, which it cannot be", kind.Field, kind.Value)
		} else if errors.As(err, &kind) {
			return nil, fmt.Errorf("decoding an alert: it is a JSON %s, it must be one object", kind.Value)
		}
		return nil, fmt.Errorf("decoding an alert: it is not JSON: %w", err)
	}
	if first := bytes.TrimLeft(text, " \t\r\n"); first[0] != '{' {
		return nil, errors.New("decoding an alert: it is null, it must be one object")
	}
	a := &Alert{UUID: in.UUID, Output: in.Output, Rule: in.Rule, Source: in.Source, Tags: in.Tags, Hostname: in.Hostname}
	if in.Rule == "" {
		return nil, errors.New("decoding an alert: rule is missing or empty, it must be the name of a rule")
	}
	if in.Priority == nil || *in.Priority == "" {
		return nil, fmt.Errorf("decoding an alert: priority is missing or empty, it must be one of %s", strings.Join(priorities[:], ", "))
	}
	var err error
	if a.Priority, err = ParsePriority(*in.Priority); err != nil {
		return nil, fmt.Errorf("decoding an alert: priority is %.40q, it must be one of %s", *in.Priority, strings.Join(priorities[:], ", "))
	}
	if in.Time == nil {
		return nil, errors.New("decoding an alert: time is missing, it must be like 2026-11-23T18:46:58.138453459Z")
	}
	if a.Time, err = time.Parse(time.RFC3339Nano, *in.Time); err != nil || a.Time.IsZero() {
		return nil, fmt.Errorf("decoding an alert: time is %.60q, it must be like 2026-11-23T18:46:58.138453459Z", *in.Time)
	}
	a.Time = a.Time.UTC()
	slices.Sort(a.Tags)
	if a.Message = in.Message; a.Message == "" {
		a.Message = bare(a.Output, a.Priority)
	}
	if a.Fields, err = decodeFields(in.Fields); err != nil {
		return nil, fmt.Errorf("decoding an alert: output_fields: %w", err)
	}
	return a, nil
}

// bare returns an output without the time and priority that it begins with.
func bare(output string, p Priority) string {
	begin, rest, ok := strings.Cut(output, ": "+p.String()+" ")
	if !ok || begin == "" || strings.Trim(begin, "0123456789:.+-TZ") != "" {
		return output
	}
	return rest
}

func decodeFields(text json.RawMessage) ([]Field, error) {
	if len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	if text[0] != '{' {
		return nil, errors.New("it must be one object")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	var fields []Field
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, _ := t.(string) // the keys of an object are strings
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		v, err := decodeValue(value, 0)
		if err != nil {
			return nil, fmt.Errorf("field %.100q: %w", key, err)
		}
		fields = append(fields, Field{key, v}) // of two with the same key the last one counts, see sorted
	}
	return fields, nil
}

// decodeValue reads a value whose syntax has been checked.
func decodeValue(text json.RawMessage, depth int) (Value, error) {
	switch text[0] {
	case 'n':
		return Value{}, nil
	case 't':
		return Value{Kind: Bool, Num: 1}, nil
	case 'f':
		return Value{Kind: Bool}, nil
	case '"':
		v := Value{Kind: Text}
		return v, json.Unmarshal(text, &v.Text)
	case '{':
		var b bytes.Buffer
		err := json.Compact(&b, text)
		return Value{Kind: Raw, Text: b.String()}, err
	case '[':
		if depth == deepest {
			return Value{}, fmt.Errorf("lists are nested more than %d deep", deepest)
		}
		var elems []json.RawMessage
		if err := json.Unmarshal(text, &elems); err != nil {
			return Value{}, err
		}
		v := Value{Kind: List, Elems: make([]Value, len(elems))}
		for i, e := range elems {
			var err error
			if v.Elems[i], err = decodeValue(e, depth+1); err != nil {
				return Value{}, err
			}
		}
		return v, nil
	}
	return decodeNumber(string(text)), nil
}

// decodeNumber returns the kind of number that is printed again as it was written.
func decodeNumber(text string) Value {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && strconv.FormatInt(n, 10) == text {
		return Value{Kind: Int, Num: uint64(n)}
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		return Value{Kind: Uint, Num: n}
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && string(appendFloat(nil, f)) == text {
		return Value{Kind: Float, Num: math.Float64bits(f)}
	}
	return Value{Kind: Raw, Text: text}
}
