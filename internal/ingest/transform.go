package ingest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/saker-sec/saker/internal/alert"
)

// templateLimit is the size in bytes at which the value of a templated field is cut.
const templateLimit = 16 << 10

// TransformConfig says what is added to and changed in each alert (reference: sidekick.md §1.2).
type TransformConfig struct {
	CustomFields      map[string]string // fields to set
	TemplatedFields   map[string]string // fields to set, as Go templates over the fields of the alert
	CustomTags        []string          // tags to add
	BracketReplacer   string            // what "[" in the names of fields becomes; "]" goes. "" leaves them
	OutputFieldFormat string            // of the output; "" leaves it
}

// Transform is what is done to each alert.
type Transform struct {
	cfg       TransformConfig
	custom    []string // names, sorted
	templated []templated
	output    *regexp.Regexp
}

type templated struct {
	name     string
	template *template.Template
}

// NewTransform compiles the templates. The error names the field whose template is wrong.
func NewTransform(cfg TransformConfig) (*Transform, error) {
	t := &Transform{cfg: cfg}
	for name := range cfg.CustomFields {
		t.custom = append(t.custom, name)
	}
	slices.Sort(t.custom)
	for name, text := range cfg.TemplatedFields {
		compiled, err := template.New(name).Parse(text)
		if err != nil {
			return nil, fmt.Errorf("templatedfields: the template of %q: %w", name, err)
		}
		t.templated = append(t.templated, templated{name, compiled})
	}
	slices.SortFunc(t.templated, func(a, b templated) int { return strings.Compare(a.name, b.name) })
	var priorities []string
	for p := alert.Emergency; p <= alert.Debug; p++ {
		priorities = append(priorities, p.String())
	}
	t.output = regexp.MustCompile(`^(\d{2}:\d{2}:\d{2}\.\d+): (` + strings.Join(priorities, "|") + `) `)
	return t, nil
}

// Complete gives an alert a name of its own, unless it has one, and changes it.
func (t *Transform) Complete(a *alert.Alert) {
	if !isUUID(a.UUID) {
		a.UUID = alert.NewUUID()
	}
	t.Apply(a)
}

// Apply changes an alert, in Falcosidekick's order of steps.
func (t *Transform) Apply(a *alert.Alert) {
	for _, name := range t.custom {
		set(a, name, t.cfg.CustomFields[name])
	}
	a.Tags = append(a.Tags, t.cfg.CustomTags...)
	if a.Rule == testRule {
		a.Source = "internal"
	}
	if a.Source == "" {
		a.Source = "syscalls"
	}
	values := t.render(a)
	slices.Sort(a.Tags)
	if t.cfg.BracketReplacer != "" {
		for i, f := range a.Fields {
			a.Fields[i].Key = strings.ReplaceAll(strings.ReplaceAll(f.Key, "]", ""), "[", t.cfg.BracketReplacer)
		}
	}
	t.format(a, values)
}

// set sets a field, in place of one with the same name.
func set(a *alert.Alert, name, value string) {
	v := alert.Value{Kind: alert.Text, Text: value}
	for i := range a.Fields {
		if a.Fields[i].Key == name {
			a.Fields[i].Value = v
			return
		}
	}
	a.Fields = append(a.Fields, alert.Field{Key: name, Value: v})
}

// render sets the templated fields, and returns their values. One whose template fails for this alert gets the error as its value,
// so that it is seen where the value is missed.
func (t *Transform) render(a *alert.Alert) []string {
	if len(t.templated) == 0 {
		return nil
	}
	data := make(map[string]any, len(a.Fields))
	for _, f := range a.Fields {
		data[f.Key] = plain(f.Value)
	}
	values := make([]string, len(t.templated))
	for i, f := range t.templated {
		var b bounded
		if err := f.template.Execute(&b, data); err != nil {
			b.Reset()
			fmt.Fprintf(&b, "%.500s", err)
		}
		values[i] = strings.ToValidUTF8(b.String(), "")
		set(a, f.name, values[i])
	}
	return values
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ strings.Builder }

// Write keeps what fits and drops the rest.
func (b *bounded) Write(p []byte) (int, error) {
	b.Builder.Write(p[:min(len(p), max(0, templateLimit-b.Len()))])
	return len(p), nil
}

// plain returns a value as templates take it.
func plain(v alert.Value) any {
	switch v.Kind {
	case alert.Text:
		return v.Text
	case alert.Bool:
		return v.Num != 0
	case alert.Null:
		return nil
	case alert.List:
		list := make([]any, len(v.Elems))
		for i, e := range v.Elems {
			list[i] = plain(e)
		}
		return list
	}
	if text, ok := v.Number(); ok {
		return json.Number(text)
	}
	return v.String()
}

// format rewrites an output that begins with time and priority.
func (t *Transform) format(a *alert.Alert, values []string) {
	if t.cfg.OutputFieldFormat == "" {
		return
	}
	output := a.OutputText()
	parts := t.output.FindStringSubmatch(output)
	if parts == nil {
		return
	}
	var custom, rendered []string
	for _, name := range t.custom {
		custom = append(custom, name+"="+t.cfg.CustomFields[name])
	}
	for i, f := range t.templated {
		rendered = append(rendered, f.name+"="+values[i])
	}
	// One pass, so that what comes from the alert is not taken for a token.
	text := strings.NewReplacer(
		"<timestamp>", parts[1], "<priority>", parts[2], "<output>", output[len(parts[0]):], "<custom_fields>", strings.Join(custom, " "),
		"<templated_fields>", strings.Join(rendered, " "), "<tags>", strings.Join(a.Tags, ","),
	).Replace(t.cfg.OutputFieldFormat)
	for _, empty := range []string{" ", "( )", "()", " "} {
		text = strings.TrimSuffix(text, empty)
	}
	a.Output = text
}
