package config

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Plugin is an entry of plugins.
type Plugin struct {
	Name        string // by which load_plugins names it
	LibraryPath string // absolute, or "" for none
	InitConfig  string // as it is written, or as JSON when it is a map
	OpenParams  string
}

// pluginsDir is where the shared objects of plugins lie; relative paths may not leave it.
const pluginsDir = "/usr/share/falco/plugins/"

func pluginKeys() []string { return []string{"name", "library_path", "init_config", "open_params"} }

func pluginsSchema() map[string]any {
	one := map[string]any{"type": "string"}
	item := object()
	item["properties"] = map[string]any{
		"name": one, "library_path": one, "open_params": one,
		"init_config": map[string]any{"type": []string{"string", "object", "null"}},
	}
	item["required"] = []string{"name", "library_path"}
	return map[string]any{"type": "array", "items": item}
}

// setPlugins reads `plugins: [{name, library_path, init_config, open_params}]`.
func setPlugins(c *Config, n *yaml.Node) error {
	c.Plugins = nil
	if n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		return fmt.Errorf("expected a list of plugins")
	}
	for _, item := range n.Content {
		p, err := c.plugin(item)
		if err != nil {
			return fmt.Errorf("could not load plugins config: %w", err)
		}
		c.Plugins = append(c.Plugins, p)
	}
	return nil
}

func (c *Config) plugin(item *yaml.Node) (p Plugin, err error) {
	if item.Kind != yaml.MappingNode {
		return p, fmt.Errorf("line %d: expected a map with name and library_path", item.Line)
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(item.Content); i += 2 {
		key, v := item.Content[i].Value, item.Content[i+1]
		if v.Kind != yaml.ScalarNode && key != "init_config" {
			return p, fmt.Errorf("line %d: %s: expected text", v.Line, key)
		}
		seen[key] = true
		switch key {
		case "name":
			p.Name = v.Value
		case "library_path":
			p.LibraryPath, err = libraryPath(v.Value)
		case "init_config":
			p.InitConfig, err = initConfig(v)
		case "open_params":
			p.OpenParams = strings.TrimSpace(scalar(v))
		default:
			w := fmt.Sprintf("plugins: line %d: unknown key %s", item.Content[i].Line, key)
			if near := nearest(key, pluginKeys()); near != "" {
				w += "; did you mean " + near + "?"
			}
			c.Warnings = append(c.Warnings, w)
		}
		if err != nil {
			return p, fmt.Errorf("line %d: %w", v.Line, err)
		}
	}
	if !seen["name"] || !seen["library_path"] {
		return p, fmt.Errorf("line %d: a plugin has to have name and library_path", item.Line)
	}
	return p, nil
}

// libraryPath resolves the path of a shared object by its text alone.
func libraryPath(path string) (string, error) {
	if path == "" || filepath.IsAbs(path) {
		return path, nil
	}
	full := filepath.Join(pluginsDir, path)
	if !strings.HasPrefix(full, pluginsDir) {
		return "", fmt.Errorf("plugin library_path '%s' resolves outside the plugins directory (%s)", path, pluginsDir)
	}
	return full, nil
}

// initConfig returns a map as JSON and a text as it is.
func initConfig(n *yaml.Node) (string, error) {
	if n.Kind == yaml.ScalarNode {
		return scalar(n), nil
	}
	if n.Kind != yaml.MappingNode {
		return "", fmt.Errorf("init_config: expected a map or text")
	}
	var v map[string]any
	if err := n.Decode(&v); err != nil {
		return "", fmt.Errorf("init_config: %w", err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("init_config: %w", err)
	}
	return string(out), nil
}

// scalar is the text of a scalar, "" for null.
func scalar(n *yaml.Node) string {
	if n.Tag == "!!null" {
		return ""
	}
	return n.Value
}

// setLoadPlugins reads the names of the plugins that are in use, of which one may stand alone. The key without a value means none.
func setLoadPlugins(c *Config, n *yaml.Node) error {
	c.LoadPlugins = []string{}
	if n.Kind == yaml.ScalarNode {
		if text := scalar(n); text != "" {
			c.LoadPlugins = append(c.LoadPlugins, text)
		}
		return nil
	}
	list, err := scalars(n)
	if err == nil {
		c.LoadPlugins = list
	}
	return err
}
