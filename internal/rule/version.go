package rule

import (
	"fmt"
	"strconv"
	"strings"
)

// EngineVersion is the version of the rules engine that this loader is compatible with: that of Falco 0.44.
const EngineVersion = "0.62.0"

// version is a version of the form major.minor.patch.
type version struct{ major, minor, patch uint32 }

// parseVersion reads three numbers with dots between them. What follows the third is ignored, as in Falco.
func parseVersion(s string) (version, bool) {
	var v version
	for i, n := range []*uint32{&v.major, &v.minor, &v.patch} {
		if i > 0 {
			var ok bool
			if s, ok = strings.CutPrefix(s, "."); !ok {
				return version{}, false
			}
		}
		s = strings.TrimLeft(s, " \t\r\n\v\f")
		digits := 0
		for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
			digits++
		}
		x, err := strconv.ParseUint(s[:digits], 10, 32)
		if err != nil {
			return version{}, false
		}
		*n, s = uint32(x), s[digits:]
	}
	return v, true
}

func (v version) String() string { return fmt.Sprintf("%d.%d.%d", v.major, v.minor, v.patch) }

func (v version) less(w version) bool {
	if v.major != w.major {
		return v.major < w.major
	}
	if v.minor != w.minor {
		return v.minor < w.minor
	}
	return v.patch < w.patch
}

// serves reports whether v can be used where w is required: same major version, and not older.
func (v version) serves(w version) bool { return v.major == w.major && !v.less(w) }

// Plugin is a plugin that is loaded, or that the engine stands in for: "container" is part of it.
type Plugin struct {
	Name    string
	Version string // major.minor.patch
}

// CheckPlugins checks the required_plugin_versions of all files loaded so far against the plugins there are, and returns
// Falco's error for the first requirement that is not met.
func (l *Loader) CheckPlugins(plugins []Plugin) error {
	for _, alternatives := range l.items.plugins {
		met, err := meets(plugins, alternatives)
		if err != nil {
			return err
		}
		if !met {
			names := make([]string, len(alternatives))
			for i, a := range alternatives {
				names[i] = a.Name + " (>= " + a.Version + ")"
			}
			return fmt.Errorf("Plugin requirement not satisfied, must load one of: %s", strings.Join(names, ", "))
		}
	}
	return nil
}

// meets reports whether one of the plugins is one of the alternatives; a wrong version of the first one found is an error.
func meets(plugins, alternatives []Plugin) (bool, error) {
	for _, want := range alternatives {
		for _, have := range plugins {
			if have.Name != want.Name {
				continue
			}
			h, ok := parseVersion(have.Version)
			if !ok {
				return false, fmt.Errorf("Plugin '%s' has invalid version string '%s'", have.Name, have.Version)
			}
			if w, ok := parseVersion(want.Version); !ok || !h.serves(w) {
				return false, fmt.Errorf("Plugin '%s' version '%s' is not compatible with required plugin version '%s'",
					have.Name, have.Version, want.Version)
			}
			return true, nil
		}
	}
	return false, nil
}
