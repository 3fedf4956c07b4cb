package field

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/saker-sec/saker/internal/state"
)

// Catalogue holds the classes of fields that rules and outputs can name. Classes are added before rules load; after that
// it is read only, except for the resolved host names, which are replaced as a whole.
type Catalogue struct {
	// Sources are the names of the event sources, by the index that events carry. The first is the system calls.
	Sources []string
	// LookupHosts resolves the names of hosts for fields like fd.sip.name, and returns the addresses of each. It is called when rules
	// load, never for an event. nil resolves nothing.
	LookupHosts func(hosts []string) [][]netip.Addr
	// Plugin names the plugin that an event comes from, and renders the event in one line: evt.pluginname and
	// evt.plugininfo. nil when no plugin is loaded.
	Plugin PluginInfo

	whole    *Catalogue // that this one was made of, which knows the hosts; nil for one of its own
	classes  []*Class
	fields   map[string]*Field
	hosts    atomic.Pointer[map[netip.Addr][]string]
	learning sync.Mutex              // held while hosts is replaced
	resolved map[string][]netip.Addr // what hosts has of each host; guarded by learning
}

// NewCatalogue returns the catalogue of all built-in classes, in the order in which --list prints them.
func NewCatalogue() *Catalogue {
	c := &Catalogue{Sources: []string{"syscall"}, fields: map[string]*Field{}}
	c.hosts.Store(&map[netip.Addr][]string{})
	names := nativeCalls()
	for _, class := range []*Class{
		genericEvent(c, names),
		syscallEvent(names),
		process(),
		user(),
		group(),
		descriptor(c),
		fsPath(),
		counter(),
		descriptorList(),
		container(),
	} {
		c.Add(class)
	}
	return c
}

// Add appends a class. A field whose name is taken already keeps its first meaning, as in Falco.
func (c *Catalogue) Add(class *Class) {
	c.classes = append(c.classes, class)
	for i := range class.Fields {
		f := &class.Fields[i]
		if _, taken := c.fields[f.Name]; !taken {
			c.fields[f.Name] = f
		}
	}
}

// Of returns the part of the catalogue that rules of an event source can name: the classes of that source, and those of all.
func (c *Catalogue) Of(source string) *Catalogue {
	return c.with(func(class *Class) bool { return class.Source == "" || class.Source == source })
}

// With returns the catalogue with further classes. Hosts are resolved for both.
func (c *Catalogue) With(classes ...*Class) *Catalogue {
	out := c.with(func(*Class) bool { return true })
	for _, class := range classes {
		out.Add(class)
	}
	return out
}

// with returns a catalogue of some of the classes, whose hosts are those of c.
func (c *Catalogue) with(which func(*Class) bool) *Catalogue {
	out := &Catalogue{Sources: c.Sources, LookupHosts: c.LookupHosts, Plugin: c.Plugin, whole: c, fields: map[string]*Field{}}
	out.hosts.Store(&map[netip.Addr][]string{})
	for _, class := range c.classes {
		if which(class) {
			out.Add(class)
		}
	}
	return out
}

// Classes returns the classes in order. They must not be changed.
func (c *Catalogue) Classes() []*Class { return c.classes }

// PluginOf returns the plugin of Falco that has the field which text begins with, "" for Falco's own fields and for none.
func (c *Catalogue) PluginOf(text string) string {
	f := c.longest(text)
	for _, class := range c.classes {
		for i := range class.Fields {
			if &class.Fields[i] == f {
				return class.Plugin
			}
		}
	}
	return ""
}

// Lookup finds a field by its name, without argument.
func (c *Catalogue) Lookup(name string) (*Field, bool) {
	f, ok := c.fields[name]
	return f, ok
}

// Resolve asks LookupHosts for the addresses of hosts and remembers them in place of those of before, so that fields like
// fd.sip.name know the names from then on. It is called when rules load, and may be by any goroutine while another extracts.
func (c *Catalogue) Resolve(hosts []string) {
	switch {
	case c.whole != nil:
		c.whole.Resolve(hosts)
	case c.LookupHosts != nil:
		c.learning.Lock() // over both, so that an answer cannot take the place of a later one
		defer c.learning.Unlock()
		c.remember(hosts, c.LookupHosts(hosts))
	}
}

// Forget makes hosts unknown again that no rule names any more.
func (c *Catalogue) Forget(hosts []string) {
	if c.whole != nil {
		c.whole.Forget(hosts)
		return
	}
	c.learning.Lock()
	defer c.learning.Unlock()
	c.remember(hosts, make([][]netip.Addr, len(hosts)))
}

// remember puts the addresses of hosts in place of those of before. It is called with learning held.
func (c *Catalogue) remember(hosts []string, addrs [][]netip.Addr) {
	var next map[netip.Addr][]string // nil while nothing differs
	for i, host := range hosts {
		before, now := c.resolved[host], addrs[i]
		if slices.Equal(before, now) {
			continue
		}
		if next == nil {
			next = maps.Clone(*c.hosts.Load())
		}
		for _, a := range before {
			a = a.Unmap()
			if names := without(next[a], host); len(names) > 0 {
				next[a] = names
			} else {
				delete(next, a)
			}
		}
		for _, a := range now {
			a = a.Unmap()
			next[a] = append(without(next[a], host), host)
		}
		if c.resolved == nil {
			c.resolved = map[string][]netip.Addr{}
		}
		if c.resolved[host] = now; len(now) == 0 {
			delete(c.resolved, host)
		}
	}
	if next != nil {
		changed := next // a variable of its own, so that nothing is allocated where nothing differs
		c.hosts.Store(&changed)
	}
}

// without returns a copy of names without one of them.
func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}

// names returns the hosts that have the address.
func (c *Catalogue) names(a netip.Addr) []string { return (*c.hosts.Load())[a] }

// UnknownFieldError says that no field has this name, or that the field does not take this argument. Its text is Falco's.
type UnknownFieldError struct{ Text string }

// Error returns Falco's message.
func (e *UnknownFieldError) Error() string {
	return "filter_check called with nonexistent field " + e.Text
}

// Parse finds the longest field that text begins with, and its argument, as outputs need it: n is how many bytes of text
// they take. The error is an *UnknownFieldError when no field's name is a prefix of text, and else says what is wrong with
// the argument.
func (c *Catalogue) Parse(text string) (f *Field, arg string, n int, err error) {
	f = c.longest(text)
	if f == nil {
		return nil, "", 0, &UnknownFieldError{Text: text}
	}
	rest := text[len(f.Name):]
	if f.split != nil {
		arg, n, err = f.split(text, rest)
	} else {
		arg, n, err = f.splitBrackets(text, rest)
	}
	if err != nil {
		return nil, "", 0, err
	}
	return f, arg, len(f.Name) + n, nil
}

// longest returns the field with the longest name that text begins with.
func (c *Catalogue) longest(text string) *Field {
	n := 0
	for n < len(text) && isNameByte(text[n]) {
		n++
	}
	for ; n > 0; n-- {
		if f, ok := c.fields[text[:n]]; ok {
			return f
		}
	}
	return nil
}

func isNameByte(b byte) bool {
	return b == '.' || b == '_' || b == '-' || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

// splitBrackets is the split of fields that take [argument] or nothing. The messages are those of Falco's plugin fields,
// which are the only ones with a required argument in brackets.
func (f *Field) splitBrackets(text, rest string) (arg string, n int, err error) {
	if f.Flags&(ArgRequired|ArgAllowed) == 0 {
		return "", 0, nil
	}
	if !strings.HasPrefix(rest, "[") {
		if f.Flags&ArgRequired != 0 {
			return "", 0, fmt.Errorf("filter '%s': %s requires an argument but none provided", text, f.Name)
		}
		return "", 0, nil
	}
	end := strings.IndexByte(rest, ']')
	if end < 0 {
		return "", 0, fmt.Errorf("filter '%s': %s has unbalanced argument brackets", text, f.Name)
	}
	return rest[1:end], end + 1, nil
}

// Bind looks up a field as a condition (filtering) or an output writes it and binds it to its argument: name is what stands
// before the brackets and may have a suffix (evt.arg.flags), arg what stands in them. Errors are Falco's messages; the
// error is an *UnknownFieldError when the field does not exist or does not take the argument.
func (c *Catalogue) Bind(name, arg string, hasArg, filtering bool) (*Extractor, error) {
	text := name
	if hasArg {
		text = name + "[" + arg + "]"
	}
	f, arg, n, err := c.Parse(text)
	if err != nil {
		return nil, err
	}
	if n != len(text) {
		return nil, &UnknownFieldError{Text: text}
	}
	return f.bind(arg, filtering)
}

// BindField binds a field that Parse found to the argument that it found.
func (c *Catalogue) BindField(f *Field, arg string, filtering bool) (*Extractor, error) {
	return f.bind(arg, filtering)
}

// valueless returns the extractor of a field that only conditions can ask about, for outputs: they may name it, and it never
// has a value there.
func (f *Field) valueless(arg string) *Extractor {
	x := &Extractor{Field: f, Type: f.Type, Arg: arg}
	if f.Type == IPADDR || f.Type == IPNET {
		x.Text = func(*state.Ctx) (string, bool) { return "", false }
	} else {
		x.Num = func(*state.Ctx) (uint64, bool) { return 0, false }
	}
	return x
}

func (f *Field) bind(arg string, filtering bool) (*Extractor, error) {
	x, err := f.Bind(arg, filtering)
	if err != nil {
		return nil, err
	}
	if !filtering && f.Flags&FilterOnly != 0 {
		return f.valueless(arg), nil
	}
	if x.Field == nil {
		x.Field = f
	}
	if x.Type == 0 {
		x.Type = x.Field.Type
	}
	if f.List && x.Multi != nil {
		x.Quantity = List
	}
	x.Arg = arg
	return x, nil
}

// splitIndex is the split of fields that take [number] or nothing. Anything else in the brackets leaves the field without
// argument, so that the text as a whole is no field.
func splitIndex(_, rest string) (string, int, error) {
	arg, n, ok := brackets(rest)
	if !ok {
		return "", 0, nil
	}
	if _, err := strconv.ParseInt(arg, 10, 32); err != nil {
		return "", 0, nil
	}
	return arg, n, nil
}

// splitKey is the split of fields that take [text] or nothing.
func splitKey(_, rest string) (string, int, error) {
	arg, n, _ := brackets(rest)
	return arg, n, nil
}

// brackets returns what stands in the brackets that rest begins with, and the length with them.
func brackets(rest string) (arg string, n int, ok bool) {
	if !strings.HasPrefix(rest, "[") {
		return "", 0, false
	}
	end := strings.IndexByte(rest, ']')
	if end < 0 {
		return "", 0, false
	}
	return rest[1:end], end + 1, true
}

// notANumber is Falco's message for an argument or value that should be a number.
func notANumber(s string) error { return fmt.Errorf("%s is not a valid number", s) }
