// Package setting binds the keys of Falcosidekick's configuration to the fields of a sink's configuration, each key in one
// place: its name, default, meaning, and whether its value is a secret. A sink lists its settings, as programs list their
// flags; Load fills them in, and Keys describes them.
//
//	func (c *Config) Settings() setting.List {
//		return setting.List{setting.Text("webhookurl", &c.WebhookURL, "", "where to post").Secret().Required()}
//	}
//
// A key is the name after the prefix of its destination ("slack" or "aws.s3") and a dot; a global key has no prefix. Keys are
// in lower case.
package setting

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Values are the values of keys, as text: numbers and truth values as in YAML, lists with commas, maps as "key:value" with
// commas or with one entry for each of their keys ("webhook.customheaders.X-Name"). A key with an empty value is as good as
// one that is not there, as in Falcosidekick.
type Values map[string]string

// Setting is one key and what it is bound to.
type Setting struct {
	name, initial, doc       string
	secret, required, global bool
	set                      func(string) error
	add                      func(key, value string) error // of a map
	off                      func(value string) bool       // whether a value turns the destination off
}

// List are the settings of one sink.
type List []Setting

// Key describes a setting.
type Key struct {
	Name     string // with the prefix, if it has one
	Default  string // "" is none
	Doc      string
	Secret   bool // the value must not be shown
	Required bool // the destination is off while the value is empty
}

// Secret marks a setting whose value must not be shown.
func (s Setting) Secret() Setting { s.secret = true; return s }

// Required marks a setting without which the destination is off.
func (s Setting) Required() Setting { s.required = true; return s }

// Global marks a setting whose key has no prefix.
func (s Setting) Global() Setting { s.global = true; return s }

// Text is a setting that is taken as it is.
func Text(name string, p *string, initial, doc string) Setting {
	return Setting{name: name, initial: initial, doc: doc, set: func(v string) error { *p = v; return nil }}
}

// Choice is a setting that has one of a few values, written in any case; the first one is the default.
func Choice(name string, p *string, doc string, values ...string) Setting {
	return Setting{name: name, initial: values[0], doc: doc + ": " + strings.Join(values, ", "), set: func(v string) error {
		if *p = strings.ToLower(v); !slices.Contains(values, *p) {
			return fmt.Errorf("is %q, it must be one of %s", v, strings.Join(values, ", "))
		}
		return nil
	}}
}

// Bool is a setting that is true or false.
func Bool(name string, p *bool, initial bool, doc string) Setting {
	return Setting{name: name, initial: strconv.FormatBool(initial), doc: doc, set: func(v string) error {
		b, err := strconv.ParseBool(v)
		if err != nil {
			return fmt.Errorf("is %q, it must be true or false", v)
		}
		*p = b
		return nil
	}}
}

// Switch is a setting that turns the destination on when it is true. What is neither true nor false does so, too, for Load to
// complain about it.
func Switch(p *bool, doc string) Setting {
	s := Bool("enabled", p, false, doc).Required()
	s.off = func(v string) bool {
		on, err := strconv.ParseBool(v)
		return err == nil && !on
	}
	return s
}

// Not is a setting that is true when the field is false.
func Not(name string, p *bool, initial bool, doc string) Setting {
	s := Bool(name, p, initial, doc)
	set := s.set
	s.set = func(v string) error {
		err := set(v)
		*p = !*p
		return err
	}
	return s
}

// Int is a setting that is a number, from least on.
func Int(name string, p *int, initial, least int, doc string) Setting {
	return Setting{name: name, initial: strconv.Itoa(initial), doc: doc, set: func(v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < least {
			return fmt.Errorf("is %q, it must be a number from %d on", v, least)
		}
		*p = n
		return nil
	}}
}

// Duration is a setting that is a time: a number with a unit, or a number of seconds.
func Duration(name string, p *time.Duration, initial time.Duration, doc string) Setting {
	return Setting{name: name, initial: initial.String(), doc: doc, set: func(v string) error {
		d, err := time.ParseDuration(v)
		if err != nil {
			d, err = time.ParseDuration(v + "s")
		}
		if err != nil || d <= 0 {
			return fmt.Errorf("is %q, it must be a positive time like 10s or 500ms", v)
		}
		*p = d
		return nil
	}}
}

// Milliseconds is a setting that is a time: a number with a unit, or a number of milliseconds.
func Milliseconds(name string, p *time.Duration, initial time.Duration, doc string) Setting {
	s := Duration(name, p, initial, doc)
	set := s.set
	s.set = func(v string) error {
		if _, err := strconv.ParseFloat(v, 64); err == nil {
			v += "ms"
		}
		return set(v)
	}
	return s
}

// Strings is a setting that is a list of texts with commas between them; blanks around them do not count.
func Strings(name string, p *[]string, initial, doc string) Setting {
	return Setting{name: name, initial: initial, doc: doc, set: func(v string) error {
		*p = split(v)
		return nil
	}}
}

// Map is a setting that maps texts to texts: "key:value" with commas between them. A value may hold colons; one with commas
// needs an entry of its own.
func Map(name string, p *map[string]string, doc string) Setting {
	add := func(key, value string) error {
		if *p == nil {
			*p = map[string]string{}
		}
		(*p)[key] = value
		return nil
	}
	return Setting{name: name, doc: doc, add: add, set: func(v string) error {
		for _, pair := range split(v) {
			key, value, ok := strings.Cut(pair, ":")
			if !ok || strings.TrimSpace(key) == "" {
				return errors.New("must be a list of key:value with commas between them")
			}
			_ = add(strings.TrimSpace(key), strings.TrimSpace(value)) // does not fail
		}
		return nil
	}}
}

func split(v string) []string {
	var out []string
	for s := range strings.SplitSeq(v, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (s Setting) key(prefix string) string {
	if s.global {
		return s.name
	}
	return prefix + "." + s.name
}

// Keys describes the settings of the destination with the prefix.
func (l List) Keys(prefix string) []Key {
	keys := make([]Key, len(l))
	for i, s := range l {
		keys[i] = Key{Name: s.key(prefix), Default: s.initial, Doc: s.doc, Secret: s.secret, Required: s.required}
	}
	return keys
}

// On says whether all required settings have a value, which is what makes Falcosidekick use a destination.
func (l List) On(prefix string, values Values) bool {
	for _, s := range l {
		value := values[s.key(prefix)]
		if s.required && value == "" || s.off != nil && s.off(value) {
			return false
		}
	}
	return true
}

// Load sets every setting to its value, or else its default. The error names all keys that are wrong; it does not show
// secrets.
func (l List) Load(prefix string, values Values) error {
	var errs []error
	for _, s := range l {
		key := s.key(prefix)
		note := func(err error) {
			if err != nil && s.secret {
				err = errors.New("has a value that it cannot have (it is a secret and not shown)")
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s %w", key, err))
			}
		}
		value := values[key]
		if value == "" {
			value = s.initial
		}
		if values[key] == "" && s.required {
			errs = append(errs, fmt.Errorf("%s is empty, it must have a value", key))
			continue
		}
		if value != "" {
			note(s.set(value))
		}
		if s.add == nil {
			continue
		}
		for _, k := range slices.Sorted(maps.Keys(values)) {
			if n := len(key) + 1; len(k) > n && strings.EqualFold(k[:n], key+".") {
				note(s.add(k[n:], values[k]))
			}
		}
	}
	return errors.Join(errs...)
}

// Configuration is a pointer to a sink's configuration.
type Configuration[C any] interface {
	*C
	Settings() List
}

// Open loads a configuration and makes a sink of it.
func Open[C, S any, P Configuration[C]](prefix string, values Values, open func(C) (S, error)) (S, error) {
	var c C
	if err := P(&c).Settings().Load(prefix, values); err != nil {
		var none S
		return none, fmt.Errorf("configuring the destination %s: %w", prefix, err)
	}
	return open(c)
}
