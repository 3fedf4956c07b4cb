package rule

import (
	"slices"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/filter"
)

// items holds what the files loaded so far define, as written: appends and overrides are applied, references are not
// resolved.
type items struct {
	next    int // the index of the next definition
	lists   indexed[listItem]
	macros  indexed[macroItem]
	rules   indexed[ruleItem]
	plugins [][]Plugin // required_plugin_versions: each a choice of alternatives
	engine  version    // the highest required_engine_version
}

// indexed is a list of named things in the order in which the names first came up.
type indexed[T any] struct {
	all    []*T
	byName map[string]*T
}

// put adds x, or replaces what has the name in its place.
func (ix *indexed[T]) put(name string, x T) {
	if old := ix.byName[name]; old != nil {
		*old = x
		return
	}
	if ix.byName == nil {
		ix.byName = map[string]*T{}
	}
	p := &x
	ix.byName[name] = p
	ix.all = append(ix.all, p)
}

// listItem is a list. index is where it was first defined; it sees other lists with an index below its visibility, which
// is where it was last defined or appended to. The same holds for macros.
type listItem struct {
	name              string
	items             []string
	index, visibility int
	ctx               *context
}

type macroItem struct {
	name              string
	cond              []byte
	index, visibility int
	ctx, condCtx      *context
}

type ruleItem struct {
	name, source    string
	cond            []byte
	desc            []byte
	output          []byte
	tags            []string
	exceptions      []exception
	priority        alert.Priority
	capture         bool
	captureDuration uint32
	enabled         bool
	warnEvttypes    bool
	skipUnknown     bool
	unknownSource   bool
	index           int

	ctx, condCtx, outputCtx *context
}

// update is what an item with append or override says about an earlier rule; nil members say nothing.
type update struct {
	name, source    string
	cond            *string
	output          *string
	desc            *string
	tags            *[]string
	exceptions      *[]exception
	priority        *alert.Priority
	capture         *bool
	captureDuration *uint32
	enabled         *bool
	warnEvttypes    *bool
	skipUnknown     *bool
	ctx             *context
}

// empty reports whether the update says nothing at all.
func (u *update) empty() bool {
	return u.cond == nil && u.output == nil && u.desc == nil && u.tags == nil && u.exceptions == nil &&
		u.priority == nil && u.capture == nil && u.captureDuration == nil && u.enabled == nil &&
		u.warnEvttypes == nil && u.skipUnknown == nil
}

func (it *items) index() int {
	it.next++
	return it.next - 1
}

func (it *items) requireEngine(v version, ctx *context) error {
	ours, _ := parseVersion(EngineVersion)
	if !ours.serves(v) {
		return fault(ErrValidate, ctx, "Rules require engine version %s, but engine version is %s", v, ours)
	}
	if it.engine.less(v) {
		it.engine = v
	}
	return nil
}

func (it *items) requirePlugins(alternatives []Plugin, ctx *context) error {
	for i, a := range alternatives {
		if _, ok := parseVersion(a.Version); !ok {
			return fault(ErrValidate, ctx, "Invalid required version '%s' for plugin '%s'", a.Version, a.Name)
		}
		for _, b := range alternatives[:i] {
			if a.Name == b.Name {
				return fault(ErrValidate, ctx, "Defined multiple alternative version requirements for plugin '%s'", a.Name)
			}
		}
	}
	it.plugins = append(it.plugins, alternatives)
	return nil
}

func (it *items) defineList(l listItem) {
	l.visibility = it.index()
	l.index = l.visibility
	if old := it.lists.byName[l.name]; old != nil {
		l.index = old.index
	}
	it.lists.put(l.name, l)
}

func (it *items) appendList(l listItem) error {
	old := it.lists.byName[l.name]
	if old == nil {
		return fault(ErrValidate, l.ctx,
			"List uses 'append' or 'override.items: append' but no list by that name already exists")
	}
	old.items = append(old.items, l.items...)
	old.visibility = it.index()
	return nil
}

func (it *items) defineMacro(m macroItem) {
	m.visibility = it.index()
	m.index = m.visibility
	if old := it.macros.byName[m.name]; old != nil {
		m.index = old.index
	}
	it.macros.put(m.name, m)
}

func (it *items) appendMacro(m macroItem) error {
	old := it.macros.byName[m.name]
	if old == nil {
		return fault(ErrValidate, m.ctx,
			"Macro uses 'append' or 'override.condition: append' but no macro by that name already exists")
	}
	old.cond = append(append(old.cond, ' '), m.cond...)
	old.visibility = it.index()
	return nil
}

// sameSource returns the rule of that name, or nil; it is an error if that is of another source.
func (it *items) sameSource(name, source string, ctx *context) (*ruleItem, error) {
	old := it.rules.byName[name]
	if old != nil && old.source != "" && source != "" && old.source != source {
		return nil, fault(ErrValidate, ctx, "Rule has been re-defined with a different source")
	}
	return old, nil
}

func (it *items) defineRule(r ruleItem, c *checks) error {
	old, err := it.sameSource(r.name, r.source, r.ctx)
	if err != nil {
		return err
	}
	if !c.known(r.source) {
		r.unknownSource = true
		c.res.warn(UnknownSource, "Unknown source "+r.source+", skipping", r.ctx)
	}
	if err := validateExceptions(r.exceptions, c, r.source); err != nil {
		return err
	}
	r.index = it.index()
	if old != nil {
		r.index = old.index
	}
	it.rules.put(r.name, r)
	return nil
}

func (it *items) appendRule(u update, c *checks) error {
	r, err := it.sameSource(u.name, u.source, u.ctx)
	if err != nil {
		return err
	}
	if r == nil {
		return fault(ErrValidate, u.ctx,
			"Rule uses 'append' or 'override.<key>: append' but no rule by that name already exists")
	}
	if u.empty() {
		return fault(ErrValidate, u.ctx, "Appended rule must have exceptions or condition property")
	}
	for _, t := range []struct {
		to   *[]byte
		what *string
	}{{&r.cond, u.cond}, {&r.output, u.output}, {&r.desc, u.desc}} {
		if t.what != nil && *t.what != "" {
			*t.to = append(append(*t.to, ' '), *t.what...)
		}
	}
	if u.tags != nil {
		r.tags = tagSet(append(r.tags, *u.tags...))
	}
	if u.exceptions != nil {
		if err := r.appendExceptions(*u.exceptions, c); err != nil {
			return err
		}
	}
	it.index()
	return nil
}

func (it *items) replaceInRule(u update, c *checks) error {
	r, err := it.sameSource(u.name, u.source, u.ctx)
	if err != nil {
		return err
	}
	if r == nil {
		return fault(ErrValidate, u.ctx,
			"An 'override.<key>: replace' to a rule was requested but no rule by that name already exists")
	}
	if u.empty() {
		return fault(ErrValidate, u.ctx, "The rule must have at least one field that can be replaced")
	}
	if u.exceptions != nil {
		if err := validateExceptions(*u.exceptions, c, r.source); err != nil {
			return err
		}
	}
	replaceText(&r.cond, u.cond)
	replaceText(&r.output, u.output)
	replaceText(&r.desc, u.desc)
	replace(&r.tags, u.tags)
	replace(&r.exceptions, u.exceptions)
	replace(&r.priority, u.priority)
	replace(&r.capture, u.capture)
	replace(&r.captureDuration, u.captureDuration)
	replace(&r.enabled, u.enabled)
	replace(&r.warnEvttypes, u.warnEvttypes)
	replace(&r.skipUnknown, u.skipUnknown)
	it.index()
	return nil
}

func replace[T any](to *T, what *T) {
	if what != nil {
		*to = *what
	}
}

func replaceText(to *[]byte, what *string) {
	if what != nil {
		*to = []byte(*what)
	}
}

func (it *items) enableRule(name string, enabled bool, ctx *context) error {
	r := it.rules.byName[name]
	if r == nil {
		return fault(ErrValidate, ctx, "Rule has 'enabled' key but no rule by that name already exists")
	}
	r.enabled = enabled
	return nil
}

// tagSet returns the tags sorted, each once.
func tagSet(tags []string) []string {
	tags = slices.Clone(tags)
	slices.Sort(tags)
	return slices.Compact(tags)
}

// checks is what reading and compiling ask about the world: the sources and fields there are, and where warnings go.
type checks struct {
	checker Checker
	sources []string
	res     *Result
}

func (c *checks) known(source string) bool { return slices.Contains(c.sources, source) }

// validField reports whether a field of an exception exists. Transformers may be around it.
func (c *checks) validField(source, field string) bool {
	e, err := filter.Parse(field + " exists")
	if err != nil {
		return false
	}
	if check, ok := e.(*filter.Check); !ok || check.Op != filter.Exists {
		return false
	}
	_, err = c.checker.Condition(source, e)
	return err == nil || (!isUnknown(err) && !strings.Contains(field, "("))
}
