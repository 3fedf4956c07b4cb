package plugin

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/saker-sec/saker/internal/field"
)

// Config is one entry of plugins in falco.yaml.
type Config struct {
	Name        string // by which load_plugins names the entry
	LibraryPath string // of the shared object that Falco would load; its file's name tells which plugin is meant
	InitConfig  string // JSON; "" for none
	OpenParams  string
}

// Loaded is a plugin that is in use.
type Loaded struct {
	Plugin
	Config  Config // empty for a plugin that the configuration does not name
	Classes []*field.Class
}

// Load returns the plugins that load_plugins names, in its order, or all that are configured when names is nil. The plugin
// Container is among them in any case. Its errors are Falco's where Falco refuses the same; an unknown key in an init_config
// is an *UnknownKeyError.
func Load(configured []Config, names []string) ([]Loaded, error) {
	chosen, err := choose(configured, names)
	if err != nil {
		return nil, err
	}
	var out []Loaded
	seen := map[string]bool{}
	for _, c := range chosen {
		p, ok := c.native()
		if !ok {
			return nil, fmt.Errorf("Cannot load plugin '%s': %s: plugins in shared objects are not supported yet; those that Saker has itself are %s. "+
				"Leave it out of load_plugins", c.Name, c.LibraryPath, strings.Join(nativeNames(), ", "))
		}
		if seen[p.Name] {
			return nil, fmt.Errorf("found another plugin with name %s. Aborting.", p.Name)
		}
		seen[p.Name] = true
		if err := p.check(c.InitConfig); err != nil {
			return nil, err
		}
		out = append(out, p.load(c))
	}
	if !seen[Container] {
		p := containerPlugin()
		out = append([]Loaded{p.load(Config{})}, out...)
	}
	return out, nil
}

func (p Plugin) load(c Config) Loaded {
	l := Loaded{Plugin: p, Config: c}
	if p.classes != nil {
		l.Classes = p.classes()
	}
	return l
}

// choose returns the entries that names lists.
func choose(configured []Config, names []string) ([]Config, error) {
	if names == nil {
		return configured, nil
	}
	var out []Config
	for _, name := range names {
		i := 0
		for i < len(configured) && configured[i].Name != name {
			i++
		}
		switch {
		case i < len(configured):
			out = append(out, configured[i])
		case name != Container:
			return nil, fmt.Errorf("Cannot load plugin '%s': plugin config not found for given name", name)
		}
	}
	return out, nil
}

// native returns the plugin that an entry means: the one that its library is called after, or else that has its name.
func (c *Config) native() (Plugin, bool) {
	library := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(c.LibraryPath), "lib"), ".so")
	for _, name := range []string{library, c.Name} {
		for _, p := range All() {
			if p.Name == name {
				return p, true
			}
		}
	}
	return Plugin{}, false
}

func nativeNames() []string {
	var names []string
	for _, p := range All() {
		names = append(names, p.Name)
	}
	return names
}
