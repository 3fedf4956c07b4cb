package rule

import "encoding/json"

// SchemaJSON returns the JSON schema of rule files (draft 06, indented by two blanks, no newline at the end), as
// --rule-schema prints it.
func SchemaJSON() []byte {
	definitions := map[string]any{}
	out := fileSchema().json(definitions)
	out["$schema"] = "http://json-schema.org/draft-06/schema#"
	out["definitions"] = definitions
	b, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		panic(err) // there is nothing but maps, lists, text and numbers in it
	}
	return b
}

var kindNames = [...]string{
	stringKind: "string", booleanKind: "boolean", integerKind: "integer", arrayKind: "array",
	objectKind: "object",
}

// ref returns the schema, or a reference to it if it has a title: it is added to the definitions then.
func (s *schema) ref(definitions map[string]any) map[string]any {
	if s.title == "" {
		return s.json(definitions)
	}
	if definitions[s.title] == nil {
		definitions[s.title] = s.json(definitions)
	}
	return map[string]any{"$ref": "#/definitions/" + s.title}
}

func (s *schema) json(definitions map[string]any) map[string]any {
	out := map[string]any{}
	if s.title != "" {
		out["title"] = s.title
	}
	if s.kind != anyKind {
		out["type"] = kindNames[s.kind]
	}
	if s.enum != nil {
		out["enum"] = s.enum
	}
	if s.items != nil {
		out["items"] = s.items.ref(definitions)
	}
	if s.properties != nil {
		properties := map[string]any{}
		for name, p := range s.properties {
			properties[name] = p.ref(definitions)
		}
		out["properties"] = properties
		out["additionalProperties"] = false
	}
	if s.required != nil {
		out["required"] = s.required
	}
	if s.minProperties > 0 {
		out["minProperties"] = s.minProperties
	}
	if s.anyOf != nil {
		var all []any
		for i := range s.anyOf {
			all = append(all, s.anyOf[i].ref(definitions))
		}
		out["anyOf"] = all
	}
	return out
}
