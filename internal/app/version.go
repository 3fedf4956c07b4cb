package app

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/plugin"
	"github.com/saker-sec/saker/internal/rule"
)

// Version is Saker's own version.
const Version = "0.1.0"

// What Saker is compatible with; tools that manage rules and plugins ask for these (falco-core.md §1.2).
const (
	falcoVersion     = "0.44.1"
	libsVersion      = "0.25.4"
	pluginAPIVersion = "3.12.0"
	driverAPIVersion = "10.1.0"
	driverVersion    = "10.2.0+driver"
)

// printVersion prints what --version does in Falco, with Saker's own version behind it: scripts look at the first line. As there, JSON has the versions of the
// plugins that are loaded.
func printVersion(w io.Writer, asJSON bool, plugins []plugin.Loaded) error {
	engine := rule.EngineVersion
	if !asJSON {
		_, err := fmt.Fprintf(w, "Falco version: %s\nLibs version:  %s\nPlugin API:    %s\nEngine:        %s\nDriver:\n"+
			"  API version:    %s\n  Schema version: %s\n  Default driver: %s\nSaker version: %s\n",
			falcoVersion, libsVersion, pluginAPIVersion, engine, driverAPIVersion, event.SchemaVersion, driverVersion, Version)
		return err
	}
	var minor string
	if _, err := fmt.Sscanf(engine, "0.%s", &minor); err != nil {
		return fmt.Errorf("engine version %s: %w", engine, err)
	}
	for i := range minor {
		if minor[i] == '.' {
			minor = minor[:i]
			break
		}
	}
	answer := map[string]any{
		"default_driver_version": driverVersion, "driver_api_version": driverAPIVersion, "driver_schema_version": event.SchemaVersion,
		"engine_version": minor, "engine_version_semver": engine, "falco_version": falcoVersion, "libs_version": libsVersion,
		"plugin_api_version": pluginAPIVersion, "saker_version": Version,
	}
	if len(plugins) > 0 {
		versions := map[string]string{}
		for _, l := range plugins {
			versions[l.Name] = l.Version
		}
		answer["plugin_versions"] = versions
	}
	out, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", out)
	return err
}
