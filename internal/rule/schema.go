package rule

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// schema is what the JSON schema of rule files says about a value. Falco checks every document against it; a violation is
// no error, but shows in the results. Scalars have no types in YAML as yaml-cpp reads it: a value is of every type that its
// text could be of.
type schema struct {
	title         string // of those that the printed schema has as definitions
	kind          schemaKind
	enum          []string
	items         *schema           // of an array
	properties    map[string]schema // of an object, which may have no others
	required      []string
	minProperties int
	anyOf         []schema
}

type schemaKind uint8

const (
	anyKind schemaKind = iota
	stringKind
	booleanKind
	integerKind
	arrayKind
	objectKind
)

// fileSchema returns the schema of a document.
func fileSchema() *schema {
	str, boolean := schema{kind: stringKind}, schema{kind: booleanKind}
	operation := schema{title: "OverriddenItem", kind: stringKind, enum: []string{"append", "replace"}}
	override := schema{title: "Override", kind: objectKind, minProperties: 1, properties: map[string]schema{}}
	for _, k := range []string{
		"items", "desc", "condition", "output", "priority", "enabled", "exceptions", "capture",
		"capture_duration", "tags", "warn_evttypes", "skip-if-unknown-filter",
	} {
		override.properties[k] = operation
	}
	alternative := schema{
		title: "Alternative", kind: objectKind, properties: map[string]schema{"name": str, "version": str},
		required: []string{"name", "version"},
	}
	plugin := schema{
		title: "RequiredPluginVersion", kind: objectKind, required: alternative.required,
		properties: map[string]schema{
			"name": str, "version": str, "alternatives": {kind: arrayKind, items: &alternative},
		},
	}
	item := schema{title: "Item", anyOf: []schema{{kind: integerKind}, str}}
	exception := schema{
		title: "Exception", kind: objectKind, required: []string{"name"},
		properties: map[string]schema{"name": str, "fields": {}, "comps": {}, "values": {}},
	}
	priority := schema{title: "Priority", kind: stringKind, enum: []string{
		"EMERGENCY", "ALERT", "CRITICAL", "ERROR",
		"WARNING", "NOTICE", "INFO", "INFORMATIONAL", "DEBUG",
	}}
	return &schema{kind: arrayKind, items: &schema{
		title: "FalcoRule", kind: objectKind, required: []string{},
		properties: map[string]schema{
			"required_engine_version":  str,
			"required_plugin_versions": {kind: arrayKind, items: &plugin},
			"macro":                    str,
			"condition":                str,
			"list":                     str,
			"items":                    {kind: arrayKind, items: &item},
			"rule":                     str,
			"desc":                     str,
			"enabled":                  boolean,
			"output":                   str,
			"append":                   boolean,
			"priority":                 priority,
			"capture":                  boolean,
			"capture_duration":         {kind: integerKind},
			"source":                   str,
			"exceptions":               {kind: arrayKind, items: &exception},
			"override":                 override,
			"tags":                     {kind: arrayKind, items: &str},
			"warn_evttypes":            boolean,
			"skip-if-unknown-filter":   boolean,
		},
	}}
}

// validator collects violations in the order of Falco's: those within a value before the one about it.
type validator struct {
	violations []string
	path       []string
	err        error // a key that is no scalar
}

// schemaOK stands for a document without violations.
const schemaOK = "ok"

// checkSchema returns the violations of each document, schemaOK for one that has none. The error is about a file whose keys
// cannot be read.
func checkSchema(docs []*node) ([]string, error) {
	s := fileSchema()
	var v validator
	for _, d := range docs {
		if d.kind == nullNode {
			continue
		}
		v.path = append(v.path[:0], "<root>")
		if v.check(s, d) {
			v.violations = append(v.violations, schemaOK)
		}
	}
	return v.violations, v.err
}

func (v *validator) add(format string, args ...any) {
	v.violations = append(v.violations, "failed for "+strings.Join(v.path, "")+": "+fmt.Sprintf(format, args...))
}

// within checks a value inside the current one.
func (v *validator) within(step string, s *schema, n *node) bool {
	v.path = append(v.path, "["+step+"]")
	ok := v.check(s, n)
	v.path = v.path[:len(v.path)-1]
	return ok
}

func (v *validator) check(s *schema, n *node) bool {
	ok := hasKind(s.kind, n)
	if !ok {
		v.add("Value type not permitted by 'type' constraint.")
	}
	if s.anyOf != nil {
		ok = v.checkAny(s, n) && ok
	}
	if s.enum != nil && (n.kind != scalarNode || !slices.Contains(s.enum, n.text)) {
		v.add("Failed to match against any enum values.")
		ok = false
	}
	if s.items != nil && n.kind == sequenceNode {
		for i, k := range n.kids {
			if !v.within(strconv.Itoa(i), s.items, k) {
				v.add("Failed to validate item #%d in array.", i)
				ok = false
			}
		}
	}
	if s.kind == objectKind && n.kind == mappingNode {
		ok = v.checkObject(s, n) && ok
	}
	return ok
}

// checkAny checks that one schema of several holds; what is wrong with each is reported only if none does.
func (v *validator) checkAny(s *schema, n *node) bool {
	before := len(v.violations)
	for i := range s.anyOf {
		if v.check(&s.anyOf[i], n) {
			v.violations = v.violations[:before]
			return true
		}
		v.add("Failed to validate against child schema #%d.", i)
	}
	v.add("Failed to validate against any schemas allowed by anyOf constraint.")
	return false
}

func (v *validator) checkObject(s *schema, n *node) bool {
	ok := true
	if len(n.keys) < s.minProperties {
		v.add("Object should have no fewer than %d properties.", s.minProperties)
		ok = false
	}
	known := 0
	names := make([]string, 0, len(s.properties))
	for name := range s.properties {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		kid := n.get(name)
		if kid == nil {
			continue
		}
		known++
		p := s.properties[name]
		if !v.within(name, &p, kid) {
			v.add("Failed to validate against schema associated with property name '%s'.", name)
			ok = false
		}
	}
	if known != len(n.keys) && !v.unwanted(s, n) {
		ok = false
	}
	for _, name := range s.required {
		if n.get(name) == nil {
			v.add("Missing required property '%s'.", name)
			ok = false
		}
	}
	return ok
}

// unwanted reports the first key that the schema does not have.
func (v *validator) unwanted(s *schema, n *node) bool {
	unwanted := ""
	for _, k := range n.keys {
		name := "null"
		switch k.kind {
		case scalarNode:
			name = k.text
		case sequenceNode, mappingNode:
			if v.err == nil {
				v.err = errors.New(badConversion(k))
			}
			return false
		}
		if _, ok := s.properties[name]; !ok {
			unwanted = name
			break
		}
	}
	v.add("Object contains a property that could not be validated using 'properties' or 'additionalProperties' "+
		"constraints: '%s'.", unwanted)
	return false
}

func hasKind(k schemaKind, n *node) bool {
	switch k {
	case stringKind:
		return n.kind == scalarNode
	case booleanKind:
		return n.kind == scalarNode && (n.text == "true" || n.text == "false")
	case integerKind:
		if n.kind != scalarNode {
			return false
		}
		_, err := strconv.ParseInt(strings.TrimLeft(n.text, " \t\r\n\v\f"), 10, 64)
		return err == nil
	case arrayKind:
		return n.kind == sequenceNode
	case objectKind:
		return n.kind == mappingNode
	}
	return true
}
