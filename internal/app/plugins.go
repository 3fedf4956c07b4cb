package app

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/saker-sec/saker/internal/config"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/plugin"
	"github.com/saker-sec/saker/internal/rule"
)

// loadPlugins loads the plugins that the configuration asks for and adds their fields to the catalogue.
func (p *program) loadPlugins(context.Context) (err error) {
	var configured []plugin.Config
	for _, c := range p.conf.Plugins {
		configured = append(configured, plugin.Config(c))
	}
	p.plugins, err = plugin.Load(configured, p.conf.LoadPlugins)
	var unknown *plugin.UnknownKeyError
	if errors.As(err, &unknown) {
		if near := config.Nearest(unknown.Key, unknown.Known); near != "" {
			return fmt.Errorf("%w; did you mean %s?", err, near)
		}
	}
	if err != nil {
		return err
	}
	for _, l := range p.plugins {
		for _, class := range l.Classes {
			p.fields.Add(class)
		}
		if l.Source != "" {
			p.fields.Sources = append(p.fields.Sources, l.Source)
		}
		if l.Config.Name != "" {
			p.log.printf("Loaded plugin '%s@%s', which is part of Saker", l.Config.Name, l.Version)
		}
	}
	p.fields.Plugin = pluginInfo{p.plugins}
	return nil
}

// loadedPlugin returns the plugin with a name if it is loaded, else nil.
func (p *program) loadedPlugin(name string) *plugin.Loaded {
	for i := range p.plugins {
		if p.plugins[i].Name == name {
			return &p.plugins[i]
		}
	}
	return nil
}

// pluginInfo tells of the events of plugins with a source. It implements field.PluginInfo.
type pluginInfo struct{ plugins []plugin.Loaded }

// Name implements field.PluginInfo.
func (i pluginInfo) Name(id uint32) (string, bool) {
	for _, l := range i.plugins {
		if l.Source != "" && l.ID == id {
			return l.Name, true
		}
	}
	return "", false
}

// Summary implements field.PluginInfo: the payload, which is one line of JSON.
func (i pluginInfo) Summary(e *event.Event) (string, bool) {
	id, ok := e.Uint(0)
	if !ok {
		return "", false
	}
	if _, ok := i.Name(uint32(id)); !ok {
		return "", false
	}
	return event.View(e.Param(1)), true
}

// otherPlugins reports whether the configuration asks for other plugins than an earlier one.
func (p *program) otherPlugins(before *config.Config) bool {
	return !slices.Equal(p.conf.Plugins, before.Plugins) || !slices.Equal(p.conf.LoadPlugins, before.LoadPlugins) ||
		(p.conf.LoadPlugins == nil) != (before.LoadPlugins == nil)
}

// provided are the plugins that the required_plugin_versions of rules files are compared with.
func (p *program) provided() []rule.Plugin {
	var out []rule.Plugin
	for _, l := range p.plugins {
		out = append(out, rule.Plugin{Name: l.Name, Version: l.Version})
	}
	return out
}

// asyncNames are the names of the injected events that the plugins know.
func (p *program) asyncNames() []string {
	var names []string
	for _, l := range p.plugins {
		names = append(names, l.AsyncNames...)
	}
	return names
}

// listPlugins answers --list-plugins.
func (p *program) listPlugins() {
	fmt.Fprintf(p.env.Stdout, "%d Plugins Loaded:\n\n", len(p.plugins))
	for _, l := range p.plugins {
		fmt.Fprintf(p.env.Stdout, "%s\n", l.Info())
	}
	fmt.Fprintln(p.env.Stdout)
}

// pluginInfo answers --plugin-info, for a plugin that is loaded, by the name or the path that the configuration has for it.
func (p *program) pluginInfo() error {
	want := p.opt.PluginInfo
	for _, l := range p.plugins {
		if want == l.Name || want == l.Config.Name || want == l.Config.LibraryPath {
			fmt.Fprintf(p.env.Stdout, "%s\nInit config schema type: JSON\n%s\n\n", l.Info(), l.Schema())
			return nil
		}
	}
	return fmt.Errorf("can't find plugin and print its info: %s", want)
}
