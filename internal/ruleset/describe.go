package ruleset

import (
	"slices"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/filter"
	"github.com/saker-sec/saker/internal/format"
	"github.com/saker-sec/saker/internal/match"
)

// Events returns the names of the event types that rules with the condition are tried for, sorted: rule.Describer.
// Calls that share the generic event go by their own names.
func (c *Checker) Events(source string, condition filter.Expr) []string {
	if source != "" && source != SyscallSource {
		return []string{"asyncevent", "pluginevent"}
	}
	names := []string{event.Types()[event.AsynceventE].Name}
	codes, err := match.EventCodes(condition)
	if err != nil {
		return names
	}
	for code := range event.NumCodes {
		t := &event.Types()[code]
		if codes.Has(code) && t.Status != event.StatusUnused && event.Code(code)&^1 != event.GenericE {
			names = append(names, t.Name)
		}
	}
	if codes.Has(int(event.GenericX)) {
		calls, err := match.Syscalls(condition)
		for sc, s := range event.Syscalls() {
			if err == nil && s.Event == event.GenericX && calls.Has(sc) {
				names = append(names, s.Name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// OutputFields returns the fields in an output as written: rule.Describer.
func (c *Checker) OutputFields(source, output string) []string {
	f, err := format.Compile(output, c.tokens[source])
	if err != nil {
		return nil
	}
	var names []string
	for _, n := range f.Fields() {
		names = append(names, n.Name)
	}
	return names
}

// Plugins returns the plugins whose fields are among those given, sorted: rule.Describer. Fields of containers count as those
// of Falco's plugin container, which tools expect there.
func (c *Checker) Plugins(_ string, _, fields []string) []string {
	var names []string
	for _, f := range fields {
		for _, t := range c.tokens {
			if name := t.fields.PluginOf(f); name != "" {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
