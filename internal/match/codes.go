package match

import (
	"errors"
	"math/bits"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/filter"
)

// Bits is a set of small numbers: event codes or system calls.
type Bits []uint64

// Has reports whether i is in the set.
func (b Bits) Has(i int) bool { return i>>6 < len(b) && b[i>>6]>>(i&63)&1 == 1 }

// Add puts i, which must be below the size the set was made with, into the set.
func (b Bits) Add(i int) { b[i>>6] |= 1 << (i & 63) }

// Len returns the number of elements.
func (b Bits) Len() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

func (b Bits) intersect(o Bits) {
	for i := range b {
		b[i] &= o[i]
	}
}

// Merge adds the elements of o, a set of the same size.
func (b Bits) Merge(o Bits) {
	for i := range b {
		b[i] |= o[i]
	}
}

// Remove takes the elements of o, a set of the same size, away.
func (b Bits) Remove(o Bits) {
	for i := range b {
		b[i] &^= o[i]
	}
}

// NewBits returns an empty set for numbers below n.
func NewBits(n int) Bits { return make(Bits, (n+63)/64) }

// EventCodes returns the event codes for which a condition of system-call rules may hold, as Falco computes them: the
// comparisons of evt.type and syscall.type bound them, other comparisons do not. It fails on comparisons of evt.type that
// Falco's search refuses.
func EventCodes(e filter.Expr) (Bits, error) {
	s := search{all: allCodes(), named: namedCodes}
	return s.expr(e, false)
}

// Syscalls returns the system calls that a condition of system-call rules names, by the same search as EventCodes.
func Syscalls(e filter.Expr) (Bits, error) {
	s := search{all: allSyscalls(), named: NamedSyscalls}
	return s.expr(e, false)
}

// PossibleSyscalls returns those of Syscalls that are left when idioms on evt.num, such as evt.num = 0, make them none or
// all: the calls that the rule needs from the kernel.
func PossibleSyscalls(e filter.Expr) (Bits, error) {
	s := search{all: allSyscalls(), named: NamedSyscalls, numbering: true}
	return s.expr(e, false)
}

func allCodes() Bits {
	all := NewBits(event.NumCodes)
	for i := range event.NumCodes {
		all.Add(i)
	}
	return all
}

func allSyscalls() Bits {
	all := NewBits(event.NumSC)
	for i, sc := range event.Syscalls() {
		if i > 0 && sc.Name != "" {
			all.Add(i)
		}
	}
	return all
}

// search walks a condition with negation pushed down to the comparisons.
type search struct {
	all       Bits
	named     func(names []string) Bits
	numbering bool // comparisons of evt.num that hold always or never bound the set
}

func (s *search) expr(e filter.Expr, negated bool) (Bits, error) {
	switch e := e.(type) {
	case *filter.And:
		return s.combine(e.Kids, negated, !negated)
	case *filter.Or:
		return s.combine(e.Kids, negated, negated)
	case *filter.Not:
		return s.expr(e.Kid, !negated)
	case *filter.Check:
		return s.check(e, negated)
	}
	return append(Bits(nil), s.all...), nil
}

func (s *search) combine(kids []filter.Expr, negated, intersect bool) (Bits, error) {
	out := make(Bits, len(s.all))
	if intersect {
		copy(out, s.all)
	}
	for _, k := range kids {
		b, err := s.expr(k, negated)
		if err != nil {
			return nil, err
		}
		if intersect {
			out.intersect(b)
		} else {
			out.Merge(b)
		}
	}
	return out, nil
}

func (s *search) check(e *filter.Check, negated bool) (Bits, error) {
	none := make(Bits, len(s.all))
	all := append(Bits(nil), s.all...)
	if e.Op == filter.Exists {
		if err := transformedType(e.Left); err != nil {
			return nil, err
		}
		if isEventType(e.Left) && negated {
			return none, nil
		}
		return all, nil
	}
	constants := e.Mod == filter.ModNone && (e.Right.Kind == filter.ValueRight || e.Right.Kind == filter.ValuesRight)
	if s.numbering && constants && e.Left.Kind == filter.FieldOperand && e.Left.Name == "evt.num" && !e.Left.HasArg {
		if holds, known := numberingOf(e.Op, e.Right.Values); known {
			if holds != negated {
				return all, nil
			}
			return none, nil
		}
	}
	equality := e.Op == filter.Eq || e.Op == filter.EqEq || e.Op == filter.Ne || e.Op == filter.In
	if !equality || e.Mod != filter.ModNone {
		return all, nil
	}
	if err := transformedType(e.Left); err != nil {
		return nil, err
	}
	if !isEventType(e.Left) {
		return all, nil
	}
	if !constants {
		return nil, errors.New("right-hand field comparisons on `evt.type`/`syscall.type` checks are not supported " +
			"by event code search")
	}
	named := s.named(e.Right.Values)
	if negated != (e.Op == filter.Ne) {
		all.Remove(named)
		return all, nil
	}
	return named, nil
}

func isEventType(o filter.Operand) bool {
	return o.Kind == filter.FieldOperand && (o.Name == "evt.type" || o.Name == "syscall.type") && !o.HasArg
}

// transformedType refuses evt.type as an argument of a transformer.
func transformedType(o filter.Operand) error {
	if o.Kind != filter.TransformOperand {
		return nil
	}
	for _, a := range o.Args {
		if isEventType(a) {
			return errors.New("event code search does not support `evt.type` checks with transformers")
		}
		if err := transformedType(a); err != nil {
			return err
		}
	}
	return nil
}

// namedCodes returns the codes of the events with these names. A system call without event type of its own gives the
// generic ones.
func namedCodes(names []string) Bits {
	out := NewBits(event.NumCodes)
	for _, name := range names {
		found := false
		for i, t := range event.Types() {
			if i >= 2 && t.Name == name {
				out.Add(i)
				found = true
			}
		}
		if found {
			continue
		}
		for _, sc := range event.Syscalls() {
			if sc.Name == name {
				out.Add(int(event.GenericE))
				out.Add(int(event.GenericX))
			}
		}
	}
	return out
}

// NamedSyscalls returns the system calls whose events have these names. Calls that share an event type, as fcntl and
// fcntl64 do, come together.
func NamedSyscalls(names []string) Bits {
	out := NewBits(event.NumSC)
	types := event.Types()
	for _, name := range names {
		for i, sc := range event.Syscalls() {
			switch {
			case sc.Name == "":
			case sc.Event == event.GenericX:
				if sc.Name == name {
					out.Add(i)
				}
			case types[sc.Event].Name == name:
				out.Add(i)
			}
		}
	}
	return out
}
