package elasticsearch

// template is an index template. Where Falcosidekick's lists the fields that it knows, this one says the same of every field.
type template struct {
	Patterns []string `json:"index_patterns"`
	Template body     `json:"template"`
}

type body struct {
	Settings settings `json:"settings"`
	Mappings mappings `json:"mappings"`
}

type settings struct {
	Shards   int `json:"number_of_shards"`
	Replicas int `json:"number_of_replicas"`
}

type mappings struct {
	Dynamic    []map[string]rule  `json:"dynamic_templates"`
	Properties map[string]mapping `json:"properties"`
}

// rule maps the fields that it matches.
type rule struct {
	Path    string  `json:"path_match"`
	Kind    string  `json:"match_mapping_type"`
	Mapping mapping `json:"mapping"`
}

type mapping struct {
	Type   string             `json:"type"`
	Ignore int                `json:"ignore_above,omitempty"`
	Fields map[string]mapping `json:"fields,omitempty"`
}

// text is searched by words, and as a whole up to so many characters.
func text(most int) mapping {
	return mapping{Type: "text", Fields: map[string]mapping{"keyword": {Type: "keyword", Ignore: most}}}
}

func newTemplate(cfg Config) template {
	pattern := cfg.Index
	if cfg.Suffix != "none" {
		pattern += "-*"
	}
	properties := map[string]mapping{"@timestamp": {Type: "date"}, "time": {Type: "date"}, "output": text(2048)}
	for _, name := range []string{"hostname", "priority", "rule", "source", "tags", "uuid"} {
		properties[name] = text(256)
	}
	return template{[]string{pattern}, body{settings{cfg.Shards, cfg.Replicas}, mappings{
		[]map[string]rule{{"output_fields": {Path: "output_fields.*", Kind: "*", Mapping: text(256)}}}, properties,
	}}}
}
