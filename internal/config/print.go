package config

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// Print writes every key with its value, as JSON after the key, and the place the value comes from: "file:line", "-o" and
// the option, or "default". Values of keys that hold secrets are left out.
func (c *Config) Print(w io.Writer) error {
	out := bufio.NewWriter(w)
	for _, k := range keys() {
		if k.name == "rules_file" { // another name of rules_files
			continue
		}
		value, err := json.Marshal(k.shown(c))
		if err != nil {
			return fmt.Errorf("printing %s: %w", k.name, err)
		}
		from := "default"
		if o, ok := c.origins[k.name]; ok {
			from = o.String()
		}
		fmt.Fprintf(out, "%s: %s  # %s\n", k.name, value, from)
	}
	return out.Flush()
}

// shown returns the value without what is secret of it.
func (k key) shown(c *Config) any {
	switch k.name {
	case "http_output.url":
		return hideURL(c.Outputs.HTTP.URL)
	case "program_output.program":
		return hideArguments(c.Outputs.Program.Program)
	}
	return k.get(c)
}

// Document returns the keys that files and options set, as one document without secrets. It is YAML in one line and JSON, and all scalars
// are texts, as in Falco's --support.
func (c *Config) Document() (string, error) {
	root := map[string]any{}
	for _, k := range keys() {
		if _, set := c.origins[k.name]; !set {
			continue
		}
		text, err := json.Marshal(k.shown(c))
		if err != nil {
			return "", fmt.Errorf("printing %s: %w", k.name, err)
		}
		var v any
		if err := json.Unmarshal(text, &v); err != nil {
			return "", fmt.Errorf("printing %s: %w", k.name, err)
		}
		at, parts := root, strings.Split(k.name, ".")
		for _, p := range parts[:len(parts)-1] {
			if at[p] == nil {
				at[p] = map[string]any{}
			}
			at = at[p].(map[string]any)
		}
		at[parts[len(parts)-1]] = texted(v)
	}
	text, err := json.Marshal(root)
	return string(text), err
}

// texted returns a value of JSON with its numbers and truths as texts.
func texted(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = texted(e)
		}
	case []any:
		for i, e := range v {
			v[i] = texted(e)
		}
	case bool, float64:
		text, _ := json.Marshal(v) // of what JSON was read from
		return string(text)
	}
	return v
}

// Differ returns the keys below the named sections whose values differ between two configurations, in the order of the keys.
func Differ(a, b *Config, sections ...string) []string {
	var names []string
	for _, k := range keys() {
		section, _, _ := strings.Cut(k.name, ".")
		if slices.Contains(sections, section) && !reflect.DeepEqual(k.get(a), k.get(b)) {
			names = append(names, k.name)
		}
	}
	return names
}

// printSelections returns what setSelections reads.
func printSelections(c *Config) any {
	out := []map[string]map[string]string{}
	for _, s := range c.Rules {
		what := map[string]string{}
		if s.Rule != "" {
			what["rule"] = s.Rule
		}
		if s.Tag != "" {
			what["tag"] = s.Tag
		}
		out = append(out, map[string]map[string]string{map[bool]string{true: "enable", false: "disable"}[s.Enable]: what})
	}
	return out
}

// printAppendOutput returns what setAppendOutput reads.
func printAppendOutput(c *Config) any {
	out := []map[string]any{}
	for _, a := range c.AppendOutput {
		item, match := map[string]any{}, map[string]any{}
		if a.Source != "" {
			match["source"] = a.Source
		}
		if a.Rule != "" {
			match["rule"] = a.Rule
		}
		if len(a.Tags) > 0 {
			match["tags"] = a.Tags
		}
		if len(match) > 0 {
			item["match"] = match
		}
		if a.Extra != "" {
			item["extra_output"] = a.Extra
		}
		var fields []any
		for _, f := range a.Fields {
			if f.Format == "" {
				fields = append(fields, f.Key)
			} else {
				fields = append(fields, map[string]string{f.Key: f.Format})
			}
		}
		if len(fields) > 0 {
			item["extra_fields"] = fields
		}
		if a.Suggested {
			item["suggested_output"] = true
		}
		out = append(out, item)
	}
	return out
}

// printStaticFields returns what setStaticFields reads.
func printStaticFields(c *Config) any {
	out := map[string]string{}
	for _, f := range c.StaticFields {
		out[f.Key] = f.Value
	}
	return out
}

// printPlugins returns what setPlugins reads, without secrets.
func printPlugins(c *Config) any {
	out := []map[string]any{}
	for _, p := range c.Plugins {
		item := map[string]any{"name": p.Name, "library_path": p.LibraryPath}
		if p.OpenParams != "" {
			item["open_params"] = hideUser(p.OpenParams)
		}
		var doc map[string]any
		switch {
		case p.InitConfig == "":
		case json.Unmarshal([]byte(p.InitConfig), &doc) == nil:
			hideSecrets(doc)
			item["init_config"] = doc
		default:
			item["init_config"] = p.InitConfig
		}
		out = append(out, item)
	}
	return out
}

// hideSecrets replaces the texts of keys that name a secret, at all depths.
func hideSecrets(v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if _, text := e.(string); text && secret(k) {
				v[k] = "***"
			} else {
				hideSecrets(e)
			}
		}
	case []any:
		for _, e := range v {
			hideSecrets(e)
		}
	}
}

// secret reports whether a key is named as keys of secrets are.
func secret(key string) bool {
	key = strings.ToLower(key)
	for _, word := range []string{"token", "secret", "password", "passwd", "apikey", "api_key", "accesskey", "access_key", "private_key"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}

// HideOption returns an option "key=value" of the command line without what Print hides.
func HideOption(option string) string {
	key, value, _ := strings.Cut(option, "=")
	section, _, _ := strings.Cut(key, ".")
	section, _, _ = strings.Cut(section, "[")
	switch {
	case key == "http_output.url":
		return key + "=" + hideURL(value)
	case section == "plugins", section == "forward", key == "program_output.program",
		(section == "http_output" || section == "program_output") && strings.Contains(value, "{"):
		return key + "=***"
	}
	return option
}

// hideArguments replaces all but the first word of a command, which may hold addresses and tokens, and that too where it is a variable.
func hideArguments(command string) string {
	first, rest, _ := strings.Cut(strings.TrimSpace(command), " ")
	switch {
	case strings.Contains(first, "="):
		return "***"
	case rest != "":
		return first + " ***"
	}
	return first
}

// hideUser replaces the user and password of a URL, which may lack its scheme.
func hideUser(url string) string {
	begin := 0
	if i := strings.Index(url, "://"); i >= 0 {
		begin = i + len("://")
	}
	host := url[begin:]
	if i := strings.IndexByte(host, '/'); i >= 0 {
		host = host[:i]
	}
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		return url[:begin] + "***" + url[begin+i:]
	}
	return url
}

// hideURL leaves of a URL its scheme and host: users, paths and queries may be secrets, as those of webhooks are.
func hideURL(url string) string {
	scheme, rest := "", url
	if i := strings.Index(url, "://"); i >= 0 {
		scheme, rest = url[:i+len("://")], url[i+len("://"):]
	}
	user := ""
	if i := strings.LastIndexByte(rest, '@'); i >= 0 { // wherever it is: a password may have slashes
		user, rest = "***@", rest[i+1:]
	}
	if i := strings.IndexAny(rest, "/?#"); i >= 0 && i+1 < len(rest) {
		rest = rest[:i] + "/***"
	}
	return scheme + user + rest
}

// SchemaJSON returns the JSON schema (draft 6) of the configuration, indented by two.
func SchemaJSON() []byte {
	root := object()
	for _, k := range keys() {
		at := root
		parts := strings.Split(k.name, ".")
		for _, p := range parts[:len(parts)-1] {
			props := at["properties"].(map[string]any)
			if props[p] == nil {
				props[p] = object()
			}
			at = props[p].(map[string]any)
		}
		at["properties"].(map[string]any)[parts[len(parts)-1]] = k.schema
	}
	root["properties"].(map[string]any)["config_files"] = includesSchema()
	root["title"] = "FalcoConfig"
	text, err := json.MarshalIndent(map[string]any{
		"$schema":     "http://json-schema.org/draft-06/schema#",
		"$ref":        "#/definitions/FalcoConfig",
		"definitions": map[string]any{"FalcoConfig": root},
	}, "", "  ")
	if err != nil {
		return nil // The schema holds maps, texts and numbers only: there is nothing that could fail.
	}
	return text
}

func object() map[string]any { return objectOf(map[string]any{}) }

func includesSchema() map[string]any {
	path := textSchema(nil)
	with := objectOf(map[string]any{"path": path, "strategy": textSchema([]string{string(Append), string(Override), string(AddOnly)})})
	with["required"] = []string{"path"}
	return listOf(map[string]any{"oneOf": []any{path, with}})
}
