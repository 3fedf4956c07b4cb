package field

import "github.com/saker-sec/saker/internal/state"

// StaticField is a field static.<Key> that has the same text for every event.
type StaticField struct{ Key, Value string }

// Static returns the class of the fields that the configuration makes (static_fields), which are suggested for outputs.
func Static(fields []StaticField) *Class {
	c := &Class{Name: "static", Doc: "Fields that the configuration makes (static_fields)."}
	for _, f := range fields {
		c.Fields = append(c.Fields, Field{
			Name: "static." + f.Key, Type: CHARBUF, Flags: Suggested, Doc: "The same text for every event, as static_fields has it.",
			Bind: func(string, bool) (*Extractor, error) {
				return &Extractor{Cost: costLoad, Constant: true, Text: func(*state.Ctx) (string, bool) { return f.Value, true }}, nil
			},
		})
	}
	return c
}
