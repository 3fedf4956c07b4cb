package config

import (
	"errors"

	"go.yaml.in/yaml/v3"
)

// setForward keeps what is under forward as it is: its keys are those of the destinations, which this package does not know.
func setForward(c *Config, n *yaml.Node) error {
	c.Forward = nil
	if n.Tag == "!!null" {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		return errors.New("expected keys and values, as in Falcosidekick's configuration")
	}
	c.Forward = n
	return nil
}

// forwardKeys returns the keys under forward. Their values may be secrets.
func forwardKeys(c *Config) any {
	names := []string{}
	if c.Forward != nil {
		for i := 0; i+1 < len(c.Forward.Content); i += 2 {
			names = append(names, c.Forward.Content[i].Value)
		}
	}
	return names
}

// ForwardFile returns the file that forward is in, or "-o" and the option.
func (c *Config) ForwardFile() string { return c.origins["forward"].File }
