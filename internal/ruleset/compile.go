package ruleset

import (
	"fmt"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/format"
	"github.com/saker-sec/saker/internal/match"
	"github.com/saker-sec/saker/internal/rule"
)

// Options are what compiling rules depends on.
type Options struct {
	// Sources are the names of the event sources, by the index that events carry; the first is SyscallSource.
	Sources []string
	// Fields returns the catalogue of an event source.
	Fields func(source string) *field.Catalogue
	// Services resolves names of ports (match.ReadServices); nil knows none.
	Services func(name string) (port uint16, ok bool)
	// AsyncNames are the names of events that plugins inject.
	AsyncNames []string
	// First makes Match stop at the first rule (rule_matching: first).
	First bool
	// Output is how alerts look.
	Output Output
}

// Rule is a compiled rule.
type Rule struct {
	*rule.Rule
	Format *format.Format // of its output
	Extra  []Extra

	late bool // a part of what it reports may come to be known after the event
}

// Extra is a compiled output field that the configuration adds to a rule.
type Extra struct {
	Key    string
	Raw    bool
	Format *format.Format
}

// New compiles the enabled ones of rules, which are in the order of their definition. The error names the rule and, for a
// condition, the place in it.
func New(rules []*rule.Rule, o Options) (*Ruleset, error) {
	r := &Ruleset{
		sources: make([]*compiled, len(o.Sources)),
		matcher: matcher{first: o.First},
		needs:   match.NewBits(event.NumSC),
		output:  o.Output,
	}
	programs := make(map[string]*program)
	outputs := make(map[string]tokens)
	for _, ru := range rules {
		if !ru.Enabled {
			continue
		}
		p := programs[ru.Source]
		if p == nil {
			fields := o.Fields(ru.Source)
			p = newProgram(match.NewCompiler(fields, o.Services, o.AsyncNames))
			programs[ru.Source] = p
			outputs[ru.Source] = tokens{fields: fields, compile: p.match}
		}
		if err := p.add(int32(len(r.rules)), ru); err != nil {
			return nil, err
		}
		c, err := compileOutput(ru, outputs[ru.Source])
		if err != nil {
			return nil, err
		}
		r.rules = append(r.rules, c)
		if ru.Source == SyscallSource {
			sc, err := match.PossibleSyscalls(ru.Expr)
			if err != nil {
				return nil, conditionError(ru, err)
			}
			r.needs.Merge(sc)
		}
	}
	for i, source := range o.Sources {
		p := programs[source]
		if p == nil {
			continue
		}
		c, err := p.build()
		if err != nil {
			return nil, fmt.Errorf("compiling the rules of source %s: %w", source, err)
		}
		r.sources[i] = c
	}
	r.matcher.hits = make([]int32, 0, len(r.rules))
	r.found = make([]*Rule, 0, len(r.rules))
	return r, nil
}

func compileOutput(r *rule.Rule, t tokens) (*Rule, error) {
	f, err := format.Compile(r.Output, t)
	if err != nil {
		return nil, fmt.Errorf("compiling the output of rule %q: %w", r.Name, err)
	}
	c := &Rule{Rule: r, Format: f, late: f.Late()}
	for _, x := range r.Extra {
		f, err := format.Compile(x.Format, t)
		if err != nil {
			return nil, fmt.Errorf("compiling the output field %s of rule %q: %w", x.Key, r.Name, err)
		}
		c.late = c.late || f.Late()
		c.Extra = append(c.Extra, Extra{Key: x.Key, Raw: x.Raw, Format: f})
	}
	return c, nil
}
