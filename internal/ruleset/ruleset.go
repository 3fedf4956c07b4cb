// Package ruleset compiles rules into what the event path runs: for each event type the conditions that are left when
// the type is known, as a graph in which the rules share their comparisons. It also says which system calls the rules
// need, and implements the checks that package rule asks for when it loads files.
//
// A Ruleset is made once and replaced as a whole when rules change. Only the scratch memory of Match changes in it, so one
// goroutine uses it.
//
// How a condition is compiled: package match compiles its comparisons, and decides which texts are looked at once for all that
// is asked of them (Compiler.Index); reduce (expr.go) decides those that the event type decides and pushes negation down; graph
// (node.go) makes equal parts one node, takes common conjuncts out of disjunctions and orders the rest by cost and selectivity;
// newPlan (plan.go) arranges the rules of an event type into a tree of tests; coder (code.go) makes all of it flat, with guards
// that pass over what an index rules out.
package ruleset

import (
	"errors"
	"fmt"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/match"
	"github.com/saker-sec/saker/internal/rule"
	"github.com/saker-sec/saker/internal/state"
)

// SyscallSource is the name of the event source of the system calls.
const SyscallSource = "syscall"

// compiled is the rules of one event source.
type compiled struct {
	frame  *match.Frame
	plans  [event.NumCodes]plan // nil where no rule can match
	code   []instr              // of all plans
	starts []int32              // where the code of an event type's plan begins
	memo   []uint64             // epoch<<1 | result, by node.slot
	late   []lateRule           // rules with comparisons that may be decided after the event
}

// program compiles the conditions of one event source.
type program struct {
	match *match.Compiler
	rules []int32 // indices into Ruleset.rules
	exprs []expr
	codes []match.Bits // event types each rule is tried for
}

func newProgram(c *match.Compiler) *program { return &program{match: c} }

// add compiles the condition of rule i. syscall says that the source is that of the system calls.
func (p *program) add(i int32, r *rule.Rule) error {
	e, err := compileExpr(p.match, r.Expr)
	if err != nil {
		return conditionError(r, err)
	}
	codes, err := codesOf(r)
	if err != nil {
		return conditionError(r, err)
	}
	p.rules = append(p.rules, i)
	p.exprs = append(p.exprs, e)
	p.codes = append(p.codes, codes)
	return nil
}

func conditionError(r *rule.Rule, err error) error {
	var at *match.Error
	if errors.As(err, &at) {
		return fmt.Errorf("compiling the condition of rule %q at line %d, column %d: %w", r.Name, at.At.Line, at.At.Col, err)
	}
	return fmt.Errorf("compiling the condition of rule %q: %w", r.Name, err)
}

// codesOf returns the event types that a rule is tried for. Injected events are tried against every rule, and a source
// other than the system calls has one event type.
func codesOf(r *rule.Rule) (match.Bits, error) {
	if r.Source != SyscallSource {
		codes := match.NewBits(event.NumCodes)
		codes.Add(int(event.PlugineventE))
		codes.Add(int(event.AsynceventE))
		return codes, nil
	}
	codes, err := match.EventCodes(r.Expr)
	if err == nil {
		codes.Add(int(event.AsynceventE))
	}
	return codes, err
}

// build makes the plans. Event types for which the same is left share one.
func (p *program) build() (*compiled, error) {
	out := &compiled{late: p.lateRules()}
	if err := p.match.Index(); err != nil {
		return nil, fmt.Errorf("indexing the texts that are compared: %w", err)
	}
	g := newGraph()
	shared := make(map[string]plan)
	for code := range event.NumCodes {
		if !visible(&event.Types()[code]) {
			continue
		}
		d, err := p.match.NewDecider(event.Code(code))
		if err != nil {
			return nil, fmt.Errorf("deciding conditions for event type %d: %w", code, err)
		}
		var cands []candidate
		for i := range p.exprs {
			if !p.codes[i].Has(code) {
				continue
			}
			if n := g.reduce(&p.exprs[i], d, false); n != g.no {
				cands = append(cands, candidate{p.rules[i], n.conjuncts()})
			}
		}
		if len(cands) == 0 {
			continue
		}
		key := signature(cands)
		if shared[key] == nil {
			shared[key] = newPlan(cands, nil)
		}
		out.plans[code] = shared[key]
	}
	out.memo = make([]uint64, g.remember())
	out.encode(p.match)
	out.frame = p.match.NewFrame()
	return out, nil
}

// encode makes the code of the plans. Event types that share a plan share its code.
func (p *compiled) encode(c *match.Compiler) {
	w := newCoder(c)
	shared := make(map[*step]int32)
	p.starts = make([]int32, len(p.plans))
	for code, steps := range p.plans {
		if len(steps) == 0 {
			p.starts[code] = failed
			continue
		}
		at, ok := shared[&steps[0]]
		if !ok {
			at = w.plan(steps, failed)
			shared[&steps[0]] = at
		}
		p.starts[code] = at
	}
	p.code = w.finish(p.starts)
}

// cheapCheck is the cost in ns below which repeating a check is not dearer than remembering it.
const cheapCheck = 4

// remember gives a memo slot to every node whose result is used more than once and dear enough, and returns how many
// there are. A check and its negation share one.
func (g *graph) remember() int {
	uses := make(map[*match.Check]int)
	for _, n := range g.nodes {
		if n.check != nil {
			uses[n.check] += n.uses
		}
	}
	slots := make(map[*match.Check]int)
	count := 0
	for _, n := range g.nodes {
		switch {
		case n.check != nil:
			if uses[n.check] < 2 || n.check.Cost < cheapCheck {
				continue
			}
			s, ok := slots[n.check]
			if !ok {
				s = count
				count++
				slots[n.check] = s
			}
			n.slot = s
		case n.uses > 1:
			n.slot = count
			count++
		}
	}
	return count
}

// matcher collects the rules that match one event.
type matcher struct {
	hits  []int32
	first bool // only the first rule counts
}

// hit records a rule, keeping the order of rules.
func (m *matcher) hit(r int32) {
	if m.first {
		if len(m.hits) == 0 || r < m.hits[0] {
			m.hits = append(m.hits[:0], r)
		}
		return
	}
	i := len(m.hits)
	m.hits = append(m.hits, r)
	for ; i > 0 && m.hits[i-1] > r; i-- {
		m.hits[i] = m.hits[i-1]
	}
	m.hits[i] = r
}

// Ruleset is the compiled rules of all event sources.
type Ruleset struct {
	rules   []*Rule
	sources []*compiled // by event.Event.Source; nil for a source without rules
	matcher matcher
	found   []*Rule
	needs   match.Bits // system calls
	started bool       // an event was seen that does not describe what was there before
	output  Output
	message []byte // scratch of Alert
}

// Rules returns the enabled rules in the order in which they are tried.
func (r *Ruleset) Rules() []*Rule { return r.rules }

// source returns the rules that the event is for, nil for none.
func (r *Ruleset) source(c *state.Ctx) *compiled {
	if !r.started {
		if initial(c.Event.Code) {
			return nil
		}
		r.started = true
	}
	if int(c.Event.Source) >= len(r.sources) {
		return nil
	}
	return r.sources[c.Event.Source]
}

// Match returns the rules that the event matches, in the order of their definition: all of them, or the first. The slice
// is valid until the next call. An event that matches nothing allocates nothing.
func (r *Ruleset) Match(c *state.Ctx) []*Rule {
	p := r.source(c)
	if p == nil || p.plans[c.Event.Code] == nil {
		return nil
	}
	r.run(p, c, r.matcher.first)
	if len(r.matcher.hits) == 0 {
		return nil
	}
	r.found = r.found[:0]
	for _, i := range r.matcher.hits {
		r.found = append(r.found, r.rules[i])
	}
	return r.found
}

// run collects the rules that an event matches.
func (r *Ruleset) run(p *compiled, c *state.Ctx, first bool) {
	m := &r.matcher
	was := m.first
	m.hits, m.first = m.hits[:0], first
	p.frame.Begin(c)
	p.run(p.starts[c.Event.Code], m)
	m.first = was
}
