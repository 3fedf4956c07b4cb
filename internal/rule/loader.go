package rule

import (
	"slices"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
)

// Config says how rules are loaded.
type Config struct {
	Checker Checker
	// MinPriority is the least serious priority of the rules that are enabled; others are loaded and stay disabled. The
	// zero value, Emergency, disables nearly all: the configuration's default is Debug.
	MinPriority alert.Priority
	Append      []Append    // append_output
	Selection   []Selection // rules
}

// Append adds to the outputs of rules: one entry of append_output.
type Append struct {
	// Source, Rule and Tags say which rules are meant: those of the source, of the name, with all of the tags. What is
	// empty means all.
	Source string
	Rule   string
	Tags   []string

	Format string // appended to the output with a blank before it; "" for nothing
	Fields []ExtraField
}

func (a *Append) applies(r *ruleItem) bool {
	if (a.Source != "" && a.Source != r.source) || (a.Rule != "" && a.Rule != r.name) {
		return false
	}
	for _, t := range a.Tags {
		if _, ok := slices.BinarySearch(r.tags, t); !ok {
			return false
		}
	}
	return true
}

// Loader loads rule files, one after the other.
type Loader struct {
	config Config
	items  items
	out    compiled
	loaded bool // out is of a successful compilation
}

// NewLoader returns a loader without rules.
func NewLoader(config Config) *Loader { return &Loader{config: config} }

// Load adds a file to what was loaded before and compiles all of it. The name is what results call the file. When the
// file has an error, the rules stay as they were before; what stands before the error is kept for the next file, as in
// Falco, so that the caller does best not to go on.
func (l *Loader) Load(name string, content []byte) *Result {
	res := &Result{Name: name}
	s := strings.TrimPrefix(string(content), "\ufeff")
	file := fileContext(name, s)
	docs, yerr := parseYAML(s)
	if yerr != nil {
		res.fail(ErrYAMLParse, yerr.message, file.in(kindValue, "", yerr.at))
		return res
	}
	var err error
	if res.schema, err = checkSchema(docs); err != nil {
		res.fail(ErrYAMLParse, err.Error(), file)
		return res
	}
	checks := &checks{checker: l.config.Checker, sources: l.config.Checker.Sources(), res: res}
	r := reader{items: &l.items, checks: checks, res: res, file: file}
	if err := r.read(docs); err != nil {
		res.failWith(err, file)
		return res
	}
	c := compiler{items: &l.items, checks: checks, res: res, config: &l.config}
	if err := c.compile(); err != nil {
		res.failWith(err, file)
		return res
	}
	l.out, l.loaded = c.out, true
	return res
}

// Rules returns the rules of all files that were loaded successfully, in the order of their evaluation, with the selection
// of the configuration applied. The caller may change them.
func (l *Loader) Rules() []*Rule {
	rules := make([]*Rule, len(l.out.rules))
	for i, r := range l.out.rules {
		c := *r
		rules[i] = &c
	}
	for _, s := range l.config.Selection {
		s.apply(rules, l.config.MinPriority)
	}
	return rules
}
