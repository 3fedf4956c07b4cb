// Package match checks the comparisons of a condition against the catalogue of fields and compiles each into a function
// of one event. What Falco refuses is refused here with Falco's message; what the text of a comparison decides is decided
// when it is compiled, so that an evaluation extracts a value, compares it, and allocates nothing.
//
// A Compiler belongs to one event source. Check turns one filter.Check into a Check; comparisons with the same meaning
// become the same Check. A Frame holds what is computed while one event is matched. One file holds one family of
// operators (equal.go, in.go, glob.go, …): adding an operator adds a file and a line to predicates.
//
// Semantics (reference: falco-core.md §3.8): a comparison is false when its field has no value, whatever the operator,
// so that "not f = x" and "f != x" differ; given the comparisons' results the rest is ordinary two-valued logic, which is
// what makes rewriting conditions safe. Text is compared as bytes.
package match

import (
	"fmt"
	"strings"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/filter"
)

// Fields is the catalogue of an event source.
type Fields interface {
	// Bind returns the extractor of a field with its argument, for use in a condition or in an output. The error is the
	// text that Falco prints for such a field.
	Bind(name, arg string, hasArg, filtering bool) (*field.Extractor, error)
	// Resolve looks up hosts that a condition names, so that the event path can compare with their names.
	Resolve(hosts []string)
}

// Error says which part of a condition is wrong and why.
type Error struct {
	At      filter.Pos // of the comparison
	Message string     // Falco's text
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Warning says what is doubtful in a condition.
type Warning struct {
	At      filter.Pos
	Message string
}

// Check is a compiled comparison. It is immutable; what it remembers within an event lies in the Frame.
type Check struct {
	// Key is the canonical text: two checks of one Compiler with the same key are the same Check.
	Key string
	// Eval reports whether the comparison holds for the frame's event.
	Eval func(*Frame) bool
	// Cost is about the nanoseconds of an evaluation, without Reads.
	Cost int
	// Reads are the values that are dear to extract and that the frame remembers: the first check that reads one pays.
	Reads []Read
	// Late says that all it reads may come to be known after the event. Eval of a frame with what state.(*Ctx).Keep returned
	// tells what it is then.
	Late bool
	// Pass is a guess at how often the comparison holds, between 0 and 1.
	Pass float64

	needs []affix // see predicate
	index int     // 1 + place in Compiler.indexes; 0 is none

	left, right *term // right is nil unless the right-hand side is a field
	op          filter.Op
	mod         filter.Modifier
	values      []string
}

// Read is a value that a frame remembers.
type Read struct {
	Slot int // the same for all checks of a Compiler that read the value
	Cost int // about the nanoseconds of extracting it
}

// Compiler compiles the comparisons of one event source.
type Compiler struct {
	fields   Fields
	services func(name string) (port uint16, ok bool)
	events   map[string]bool // names that evt.type may be compared with
	checks   map[string]*Check
	terms    map[string]*term
	warnings []Warning
	frame    frameSize
	reads    int // values that frames remember
	indexes  []*index
	output   bool // fields are bound for outputs, where some mean something else
}

// NewCompiler returns a compiler for the source that has these fields. services resolves names of ports, as ReadServices
// does; nil knows none. asyncNames are names of events that plugins inject and that evt.type may be compared with.
func NewCompiler(fields Fields, services func(string) (uint16, bool), asyncNames []string) *Compiler {
	c := &Compiler{
		fields:   fields,
		services: services,
		events:   make(map[string]bool),
		checks:   make(map[string]*Check),
		terms:    make(map[string]*term),
	}
	if c.services == nil {
		c.services = func(string) (uint16, bool) { return 0, false }
	}
	for i := range event.Types() {
		c.events[event.Types()[i].Name] = true
	}
	for _, s := range event.Syscalls() {
		if s.Name != "" {
			c.events[s.Name] = true
		}
	}
	for _, name := range asyncNames {
		c.events[name] = true
	}
	return c
}

// Check compiles one comparison. The error is an *Error at the comparison's position.
func (c *Compiler) Check(e *filter.Check) (*Check, error) {
	k, err := c.check(e)
	if err != nil {
		return nil, &Error{At: e.At, Message: err.Error()}
	}
	return k, nil
}

// Warnings returns what was doubtful in the comparisons compiled since the last call.
func (c *Compiler) Warnings() []Warning {
	w := c.warnings
	c.warnings = nil
	return w
}

func (c *Compiler) check(e *filter.Check) (*Check, error) {
	left, err := c.operand(&e.Left)
	if err != nil {
		return nil, err
	}
	op := e.Op
	if op == filter.EqEq {
		op = filter.Eq
	}
	if err := operatorFits(op, e.Mod, left); err != nil {
		return nil, fmt.Errorf("filter error: %w", err)
	}
	k := &Check{left: left, op: op, mod: e.Mod}
	switch {
	case op == filter.Exists:
	case e.Right.Kind == filter.OperandRight:
		if k.right, err = c.operand(e.Right.Operand); err != nil {
			return nil, err
		}
		if err := rightFits(op, left, k.right); err != nil {
			return nil, err
		}
	default:
		k.values = e.Right.Values
		c.warn(k, e.Right.At)
	}
	k.Key = k.key()
	if known, ok := c.checks[k.Key]; ok {
		return known, nil
	}
	if err := c.compile(k); err != nil {
		return nil, err
	}
	c.checks[k.Key] = k
	return k, nil
}

// compile builds the function of a check whose parts fit.
func (c *Compiler) compile(k *Check) error {
	k.Late = k.left.late && !k.left.fixed && (k.right == nil || !k.right.fixed)
	k.Cost, k.Pass, k.Reads = k.left.cost+operatorCost(k), passes(k), k.left.reads
	if k.op == filter.Exists {
		k.Eval = exists(k.left)
		return nil
	}
	if k.right != nil {
		k.Cost += k.right.cost
		k.Reads = append(append([]Read(nil), k.left.reads...), k.right.reads...)
		return c.compileFields(k)
	}
	if err := c.checkEventNames(k); err != nil {
		return err
	}
	if k.left.name == "evt.around" {
		return compileAround(k)
	}
	if k.left.hostName {
		c.fields.Resolve(k.values)
	}
	vals, err := c.parse(k)
	if err != nil {
		return err
	}
	p, err := predicateOf(k, vals)
	if err != nil {
		return err
	}
	k.Eval, k.needs = evaluate(k, p), p.needs
	return nil
}

// checkEventNames refuses comparisons of evt.type with a name that no event has.
func (c *Compiler) checkEventNames(k *Check) error {
	if k.left.name != "evt.type" {
		return nil
	}
	for _, v := range k.values {
		if !c.events[v] {
			return fmt.Errorf("unknown event type %s", v)
		}
	}
	return nil
}

// key returns the canonical text of a check.
func (k *Check) key() string {
	var b strings.Builder
	b.WriteString(k.left.key)
	fmt.Fprintf(&b, " %d.%d", k.op, k.mod)
	if k.right != nil {
		b.WriteString(" val ")
		b.WriteString(k.right.key)
		return b.String()
	}
	for _, v := range k.values {
		fmt.Fprintf(&b, " %q", v)
	}
	return b.String()
}

// NewFrame returns a frame that fits every check compiled so far.
func (c *Compiler) NewFrame() *Frame {
	f := newFrame(c.frame)
	for _, x := range c.indexes {
		if x.known == nil {
			x.build()
		}
		f.looked = append(f.looked, lookedAt{index: x, bits: make(Bits, len(x.paths))})
	}
	return f
}
