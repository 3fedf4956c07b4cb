package plugin

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/state"
)

// jsonPlugin extracts values from the events of other plugins whose payload is JSON (plugins-k8s.md §2).
func jsonPlugin() Plugin {
	return Plugin{
		Name: "json", Version: "0.7.4", Contact: contact,
		Description:  "Values out of events that are JSON objects or arrays, part of the engine",
		Capabilities: Extraction,
		config: setting{kind: object, open: true, keys: []setting{
			{name: "useAsync", kind: truth, doc: "Without effect here; in Falco, whether another thread extracts."},
		}},
		classes: func() []*field.Class { return []*field.Class{jsonClass()} },
	}
}

// Costs of the extractors in nanoseconds, for a document of about 1 KB that is parsed already.
const (
	costValue  = 100
	costIndent = 5000
)

// jsonClass is the class of fields that read JSON. Each has an older name.
func jsonClass() *field.Class {
	d := &document{}
	c := &field.Class{Name: "json (plugin)", Doc: "The JSON that an event of a plugin carries.", Plugin: "json"}
	for _, prefix := range []string{"json", "jevt"} {
		c.Fields = append(c.Fields,
			field.Field{
				Name: prefix + ".value", Type: field.CHARBUF, Args: []field.ArgKind{field.ArgKey}, Flags: field.ArgRequired,
				Doc:  "The value that a JSON pointer (RFC 6901) leads to, as in " + prefix + ".value[/spec/containers/0/image]: the text itself, or JSON of anything else.",
				Bind: func(arg string, _ bool) (*field.Extractor, error) { return d.valueAt(arg), nil },
			},
			field.Field{
				Name: prefix + ".obj", Type: field.CHARBUF, Doc: "All of the JSON, indented by two.",
				Bind: func(string, bool) (*field.Extractor, error) { return d.indented(), nil },
			},
			field.Field{
				Name: prefix + ".rawtime", Type: field.CHARBUF, Doc: "Time of an event that is JSON, in nanoseconds since the epoch.",
				Bind: func(string, bool) (*field.Extractor, error) { return d.rawTime(), nil },
			},
		)
	}
	return c
}

// valueAt returns the extractor of the value at a pointer.
func (d *document) valueAt(arg string) *field.Extractor { return d.textAt(pointer(arg)) }

// textAt returns the extractor of the value that the steps lead to.
func (d *document) textAt(steps []step) *field.Extractor {
	var buf []byte
	return &field.Extractor{Cost: costValue, Text: func(c *state.Ctx) (string, bool) {
		if !d.load(c.Event) {
			return "", false
		}
		n, ok := d.find(steps)
		if !ok {
			return "", false
		}
		var v string
		v, buf = d.text(n, buf)
		return v, true
	}}
}

// indented returns the extractor of the whole document. What is not JSON to the letter has no such form.
func (d *document) indented() *field.Extractor {
	var buf bytes.Buffer
	return &field.Extractor{Cost: costIndent, Text: func(c *state.Ctx) (string, bool) {
		if !d.load(c.Event) {
			return "", false
		}
		buf.Reset()
		if err := json.Indent(&buf, d.src, "", "  "); err != nil {
			return "", false
		}
		return event.View(buf.Bytes()), true
	}}
}

// rawTime returns the extractor of the event's time.
func (d *document) rawTime() *field.Extractor {
	var buf []byte
	return &field.Extractor{Cost: costValue, Text: func(c *state.Ctx) (string, bool) {
		if !d.load(c.Event) {
			return "", false
		}
		buf = strconv.AppendUint(buf[:0], c.Event.Time, 10)
		return event.View(buf), true
	}}
}

// pointer splits a JSON pointer. The slash at its beginning may be left out; the empty pointer means the whole document.
func pointer(arg string) []step {
	if arg == "" {
		return nil
	}
	var steps []step
	for key := range strings.SplitSeq(strings.TrimPrefix(arg, "/"), "/") {
		key = strings.ReplaceAll(strings.ReplaceAll(key, "~1", "/"), "~0", "~")
		s := step{key: key, index: -1}
		if n, err := strconv.Atoi(key); err == nil && n >= 0 {
			s.index = n
		}
		steps = append(steps, s)
	}
	return steps
}
