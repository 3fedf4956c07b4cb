package rule

import (
	"encoding/json"
	"fmt"
	"strings"
)

// text is a string that is written to JSON as Falco writes it: everything raw that JSON allows raw, and bytes that are no
// UTF-8 replaced.
type text string

// MarshalJSON returns the quoted string.
func (t text) MarshalJSON() ([]byte, error) {
	s := strings.ToValidUTF8(string(t), "\ufffd")
	b := append(make([]byte, 0, len(s)+2), '"')
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c >= ' ':
			b = append(b, c)
		case c == '\b':
			b = append(b, `\b`...)
		case c == '\f':
			b = append(b, `\f`...)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\r':
			b = append(b, `\r`...)
		case c == '\t':
			b = append(b, `\t`...)
		default:
			b = fmt.Appendf(b, `\u%04x`, c)
		}
	}
	return append(b, '"'), nil
}

func texts(ss []string) []text {
	out := make([]text, len(ss))
	for i, s := range ss {
		out[i] = text(s)
	}
	return out
}

// The structures below have their members in alphabetical order, which is the order of the keys in Falco's JSON.

type jsonResult struct {
	Errors         []jsonFinding `json:"errors"`
	Name           text          `json:"name"`
	SchemaValid    *bool         `json:"schema_valid,omitempty"`
	SchemaWarnings *[]text       `json:"schema_warnings,omitempty"`
	Successful     bool          `json:"successful"`
	Warnings       []jsonFinding `json:"warnings"`
}

type jsonFinding struct {
	Code       text        `json:"code"`
	CodeDesc   text        `json:"codedesc"`
	Context    jsonContext `json:"context"`
	Deprecated text        `json:"deprecated_field,omitempty"`
	Message    text        `json:"message"`
}

type jsonContext struct {
	Locations []jsonLocation `json:"locations"`
	Snippet   text           `json:"snippet"`
}

type jsonLocation struct {
	ItemName text         `json:"item_name"`
	ItemType text         `json:"item_type"`
	Position jsonPosition `json:"position"`
}

type jsonPosition struct {
	Column int  `json:"column"`
	Line   int  `json:"line"`
	Name   text `json:"name"`
	Offset int  `json:"offset"`
}

func (r *Result) json() jsonResult {
	j := jsonResult{
		Errors: jsonFindings(r.Errors), Name: text(r.Name), Successful: r.Successful(),
		Warnings: jsonFindings(r.Warnings),
	}
	if len(r.schema) > 0 {
		valid, warnings := r.Schema() == schemaOK, texts(r.violations())
		j.SchemaValid, j.SchemaWarnings = &valid, &warnings
	}
	return j
}

func jsonFindings(findings []Finding) []jsonFinding {
	out := make([]jsonFinding, len(findings))
	for i := range findings {
		f := &findings[i]
		out[i] = jsonFinding{
			Code: text(f.Code.String()), CodeDesc: text(f.Code.Description()), Message: text(f.Message),
			Deprecated: text(f.deprecated), Context: jsonContext{Snippet: text(f.ctx.snippet())},
		}
		for _, l := range f.ctx.locations() {
			out[i].Context.Locations = append(out[i].Context.Locations, jsonLocation{
				ItemName: text(l.item), ItemType: text(l.kind),
				Position: jsonPosition{Column: l.at.col, Line: l.at.line, Name: text(l.name), Offset: l.at.offset},
			})
		}
	}
	return out
}

// ValidationJSON returns what -V prints for the results of the files when json_output is on, without the newline at the
// end. The description, which -L and -l ask for, is nil when there is none; it is left out when a file has errors.
func ValidationJSON(results []*Result, description *Description) []byte {
	out := struct {
		Description *Description `json:"falco_describe_results,omitempty"`
		Results     []jsonResult `json:"falco_load_results"`
	}{Description: description, Results: []jsonResult{}}
	for _, r := range results {
		out.Results = append(out.Results, r.json())
		if !r.Successful() {
			out.Description = nil
		}
	}
	return marshal(out)
}

// marshal cannot fail: there is nothing but text, numbers, booleans, lists and structures in what it is given.
func marshal(v any) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err)
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}
