package ruleset

import (
	"slices"

	"github.com/saker-sec/saker/internal/match"
)

// instr is a step of code: what is tried, and where to go on when it holds and when it does not. Instructions lie one after
// the other in the order in which they are usually tried, since waiting for memory is most of what matching costs.
type instr struct {
	eval  func(*match.Frame) bool // of test and once
	guard match.Guard             // of guard
	slot  int32                   // of the memo, of once and part
	at    int32                   // of part: where its code begins; of found: the rule
	yes   int32                   // index of the next instruction, or one of the ends
	no    int32
	op    op
}

// op says what an instruction does.
type op uint8

const (
	guard op = iota // tells that what follows cannot hold
	test            // evaluates a check
	once            // evaluates a check whose result is remembered
	part            // runs code whose result is remembered
	found           // records a rule and holds
)

// Where code ends: what it decided held, or it did not. A plan decides nothing and ends either way.
const (
	held   int32 = -1
	failed int32 = -2
)

// coder makes code out of plans and nodes, backwards: an instruction is written when those after it have been.
type coder struct {
	match *match.Compiler
	code  []instr
	parts map[*node]int32 // where the code of a remembered node begins
}

func newCoder(c *match.Compiler) *coder { return &coder{match: c, parts: make(map[*node]int32)} }

func (w *coder) write(in instr) int32 {
	w.code = append(w.code, in)
	return int32(len(w.code) - 1)
}

// plan writes a plan that is followed by next, and returns where it begins.
func (w *coder) plan(p plan, next int32) int32 {
	for i := len(p) - 1; i >= 0; i-- {
		s := &p[i]
		at := w.plan(s.next, next)
		for _, r := range slices.Backward(s.rules) {
			at = w.write(instr{op: found, at: r, yes: at})
		}
		if s.cond != nil {
			at = w.node(s.cond, at, next)
		}
		next = at
	}
	return next
}

// node writes a condition, with where to go on when it holds and when it does not, and returns where it begins.
func (w *coder) node(n *node, yes, no int32) int32 {
	switch n.kind {
	case always:
		return yes
	case never:
		return no
	case negate: // what is asked is the check itself
		return w.guard(n.asks, w.bare(n, no, yes), yes)
	}
	return w.guard(n.asks, w.bare(n, yes, no), no)
}

// guard writes a guard of code that begins at then, if there is one for the checks, and returns where it begins. no is where to
// go on when none of the checks can hold.
func (w *coder) guard(asks []*match.Check, then, no int32) int32 {
	if len(asks) == 0 {
		return then
	}
	return w.write(instr{op: guard, guard: w.match.Guard(asks), yes: then, no: no})
}

// bare writes a node that is no constant, without guard; a negated check as the check itself.
func (w *coder) bare(n *node, yes, no int32) int32 {
	if n.check != nil {
		in := instr{op: test, eval: n.check.Eval, yes: yes, no: no}
		if n.slot >= 0 { // the memo is of the check, which its negation shares
			in.op, in.slot = once, int32(n.slot)
		}
		return w.write(in)
	}
	if n.slot < 0 {
		return w.kids(n, yes, no)
	}
	at, ok := w.parts[n]
	if !ok {
		at = w.kids(n, held, failed)
		w.parts[n] = at
	}
	return w.write(instr{op: part, slot: int32(n.slot), at: at, yes: yes, no: no})
}

// kids writes a conjunction or disjunction. Kids of a disjunction that share an index have one guard, which lets through what
// most of them would not let through.
func (w *coder) kids(n *node, yes, no int32) int32 {
	if n.kind == and {
		at := yes
		for _, k := range slices.Backward(n.kids) {
			at = w.node(k, at, no)
		}
		return at
	}
	at := no
	for end := len(n.kids); end > 0; {
		begin := end - 1
		for begin > 0 && n.kids[begin].shares(n.kids[begin-1]) {
			begin--
		}
		after := at
		if end-begin == 1 {
			at = w.node(n.kids[begin], yes, at)
		} else {
			for _, k := range slices.Backward(n.kids[begin:end]) {
				at = w.bare(k, yes, at)
			}
			if n.asks == nil { // else there is one for all of it already
				var asks []*match.Check
				for _, k := range n.kids[begin:end] {
					asks = append(asks, k.asks...)
				}
				at = w.guard(asks, at, after)
			}
		}
		end = begin
	}
	return at
}

// finish returns the code in the order in which it runs; starts are places in it.
func (w *coder) finish(starts []int32) []instr {
	turn := func(at *int32) {
		if *at >= 0 {
			*at = int32(len(w.code)) - 1 - *at
		}
	}
	slices.Reverse(w.code)
	for i := range w.code {
		in := &w.code[i]
		turn(&in.yes)
		turn(&in.no)
		if in.op == part {
			turn(&in.at)
		}
	}
	for i := range starts {
		turn(&starts[i])
	}
	return w.code
}

// run runs code for the frame's event and reports whether it ended in held. m collects the rules found.
func (p *compiled) run(at int32, m *matcher) bool {
	frame, epoch := p.frame, p.frame.Epoch()
	for at >= 0 {
		in := &p.code[at]
		holds := true
		switch in.op {
		case guard:
			holds = frame.Up(in.guard)
		case test:
			holds = in.eval(frame)
		case found:
			m.hit(in.at)
		case once, part:
			memo := p.memo[in.slot]
			if memo>>1 != epoch {
				if in.op == once {
					holds = in.eval(frame)
				} else {
					holds = p.run(in.at, m)
				}
				memo = epoch << 1
				if holds {
					memo |= 1
				}
				p.memo[in.slot] = memo
			}
			holds = memo&1 == 1
		}
		at = in.no
		if holds {
			at = in.yes
		}
	}
	return at == held
}
