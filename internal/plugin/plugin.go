// Package plugin holds what Falco has in plugins and Saker does itself: the plugins in All have the names, versions, fields
// and configuration of Falco's, so that its rules files and its falco.yaml work as they are, but no shared object is loaded.
//
// Load picks the plugins that a configuration asks for and checks their configuration. The classes of fields that they bring
// are added to the catalogue before rules load. One goroutine extracts these fields, the one that runs the engine: the fields
// of one plugin share what they learned of the event.
package plugin

import (
	"fmt"
	"strings"

	"github.com/saker-sec/saker/internal/field"
)

// Capability is what a plugin does; several are joined by or.
type Capability uint8

// The capabilities of plugins (plugins-k8s.md §1.3).
const (
	Extraction Capability = 1 << iota // it has fields
	Parsing                           // it keeps state by the events
	Async                             // it takes part in events that are injected into a source
	Sourcing                          // it has an event source of its own
)

// Plugin is a plugin of Falco that is part of Saker.
type Plugin struct {
	Name         string
	Version      string // of Falco's plugin that this one does the work of
	Description  string
	Contact      string
	Capabilities Capability
	// AsyncNames are the names of the injected events that are the plugin's.
	AsyncNames []string
	// Source is the name of the plugin's event source and ID the number that its events carry; none without Sourcing.
	Source string
	ID     uint32

	config setting // what its init_config may say
	// classes returns its fields; nil for a plugin whose fields are always in the catalogue.
	classes func() []*field.Class
}

// Container is the name of the plugin that is always loaded: the identity of containers is part of the engine.
const Container = "container"

const contact = "https://github.com/saker-sec/saker"

// All returns all plugins.
func All() []Plugin {
	return []Plugin{containerPlugin(), jsonPlugin(), k8smetaPlugin(), k8sChangePlugin()}
}

// Info describes the plugin as --list-plugins and --plugin-info do.
func (p *Plugin) Info() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Name: %s\nDescription: %s\nContact: %s\nVersion: %s\nCapabilities: \n", p.Name, p.Description, p.Contact, p.Version)
	for _, c := range []struct {
		has  Capability
		text string
	}{{Sourcing, fmt.Sprintf("Event Sourcing (ID=%d, source='%s')", p.ID, p.Source)}, {Extraction, "Field Extraction"}, {Parsing, "Event Parsing"}, {Async, "Async Events"}} {
		if p.Capabilities&c.has != 0 {
			fmt.Fprintf(&b, "  - %s\n", c.text)
		}
	}
	return b.String()
}

// Schema returns the JSON schema (draft 4) of the plugin's init_config, indented.
func (p *Plugin) Schema() string { return p.config.schemaText() }
