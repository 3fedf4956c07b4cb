package plugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// setting is a key of a plugin's init_config, or the whole of it. Both the check of a configuration and the schema that
// --plugin-info prints follow from it.
type setting struct {
	name, doc string
	kind      kind
	values    []string  // that a text or the texts of a list may have; nil for any
	keys      []setting // of an object
	open      bool      // an object may have other keys too
	// whenEnabled are the keys of an object that have to hold text once its key enabled is true.
	whenEnabled []string
}

// kind is what a setting holds. Its values are the names that JSON schemas use.
type kind string

const (
	truth  kind = "boolean"
	whole  kind = "integer"
	text   kind = "string"
	list   kind = "array" // of texts
	object kind = "object"
)

// UnknownKeyError says that an init_config has a key that its plugin does not know.
type UnknownKeyError struct {
	Plugin string
	Key    string   // with dots between the steps to it
	Known  []string // the keys that are possible in its place
}

// Error names the key and those that are possible.
func (e *UnknownKeyError) Error() string {
	return fmt.Sprintf("error in plugin %s init config: unknown key %s", e.Plugin, e.Key)
}

// check reads an init_config and compares it with what the plugin knows. "" is an empty one.
func (p *Plugin) check(config string) error {
	if strings.TrimSpace(config) == "" {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(config))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil || d.More() {
		return fmt.Errorf("error in plugin %s: init config is not a valid json; it is a map in YAML or an object in JSON", p.Name)
	}
	err := p.config.check("", v)
	var unknown *UnknownKeyError
	switch {
	case errors.As(err, &unknown):
		unknown.Plugin = p.Name
		return unknown
	case err != nil:
		return fmt.Errorf("error in plugin %s init config: %w", p.Name, err)
	}
	return nil
}

// check compares a value with the setting; at is the path to it, "" for the whole configuration.
func (s *setting) check(at string, v any) error {
	switch v := v.(type) {
	case bool:
		if s.kind == truth {
			return nil
		}
	case json.Number:
		if _, err := strconv.ParseInt(v.String(), 10, 64); err == nil && s.kind == whole {
			return nil
		}
	case string:
		if s.kind == text {
			return s.checkText(at, v)
		}
	case []any:
		if s.kind == list {
			item := setting{kind: text, values: s.values}
			for i, x := range v {
				if err := item.check(fmt.Sprintf("%s[%d]", at, i), x); err != nil {
					return err
				}
			}
			return nil
		}
	case map[string]any:
		if s.kind == object {
			return s.checkObject(at, v)
		}
	}
	if at == "" {
		at = "the whole"
	}
	got, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return fmt.Errorf("%s is %s, expected a JSON %s", at, got, s.kind)
}

func (s *setting) checkText(at, v string) error {
	if s.values == nil {
		return nil
	}
	for _, possible := range s.values {
		if v == possible {
			return nil
		}
	}
	return fmt.Errorf("%s is %q, possible are %s", at, v, strings.Join(s.values, ", "))
}

func (s *setting) checkObject(at string, v map[string]any) error {
	if at != "" {
		at += "."
	}
	seen := 0
	for i := range s.keys {
		k := &s.keys[i]
		x, ok := v[k.name]
		if !ok {
			continue
		}
		seen++
		if err := k.check(at+k.name, x); err != nil {
			return err
		}
	}
	if seen < len(v) && !s.open {
		return s.unknown(at, v)
	}
	if v["enabled"] == true {
		for _, name := range s.whenEnabled {
			if x, _ := v[name].(string); x == "" {
				return fmt.Errorf("%s%s has to be set when %senabled is true", at, name, at)
			}
		}
	}
	return nil
}

// unknown reports the first key, by name, that the object does not have.
func (s *setting) unknown(at string, v map[string]any) error {
	e := &UnknownKeyError{}
	known := map[string]bool{}
	for i := range s.keys {
		known[s.keys[i].name] = true
		e.Known = append(e.Known, at+s.keys[i].name)
	}
	for name := range v {
		if !known[name] && (e.Key == "" || at+name < e.Key) {
			e.Key = at + name
		}
	}
	return e
}

// schemaText returns the JSON schema of the setting, indented.
func (s *setting) schemaText() string {
	root := s.schema()
	root["$schema"] = "http://json-schema.org/draft-04/schema#"
	out, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return "{}" // The schema holds maps, texts and truths only: there is nothing that could fail.
	}
	return string(out)
}

func (s *setting) schema() map[string]any {
	m := map[string]any{"type": string(s.kind)}
	if s.doc != "" {
		m["description"] = s.doc
	}
	switch s.kind {
	case list:
		item := setting{kind: text, values: s.values}
		m["items"] = item.schema()
	case object:
		props := map[string]any{}
		for i := range s.keys {
			props[s.keys[i].name] = s.keys[i].schema()
		}
		m["properties"] = props
		m["additionalProperties"] = s.open
		if s.whenEnabled != nil {
			off := map[string]any{"properties": map[string]any{"enabled": map[string]any{"enum": []bool{false}}}}
			m["anyOf"] = []any{off, map[string]any{"required": s.whenEnabled}}
		}
	default:
		if s.values != nil {
			m["enum"] = s.values
		}
	}
	return m
}
