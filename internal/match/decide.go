package match

import (
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/filter"
	"github.com/saker-sec/saker/internal/state"
)

// Decider decides, for one event type, the checks that the type alone decides.
type Decider struct {
	event event.Event
	ctx   state.Ctx
	frame *Frame
	fixed bool // all events of the type have the same name
}

// NewDecider returns the decider for an event type. It fits the checks compiled so far.
func (c *Compiler) NewDecider(code event.Code) (*Decider, error) {
	d := &Decider{frame: c.NewFrame()}
	var enc event.Encoder
	enc.Begin(code, 0, 0)
	if err := d.event.Decode(enc.Bytes()); err != nil {
		return nil, err
	}
	d.ctx = state.Ctx{Event: &d.event, FDNum: -1}
	d.frame.Begin(&d.ctx)
	switch code {
	case event.GenericE, event.GenericX, event.PlugineventE, event.PlugineventX, event.AsynceventE, event.AsynceventX:
	default:
		d.fixed = true
	}
	return d, nil
}

// Decide returns what a check is for every event of the type, and whether that is known.
func (d *Decider) Decide(k *Check) (holds, known bool) {
	if holds, known = numbering(k); known {
		return holds, true
	}
	if !k.left.constant || k.right != nil && !k.right.constant {
		return false, false
	}
	if d.fixed {
		return k.Eval(d.frame), true
	}
	return false, false
}

// numbering decides comparisons of evt.num, which begins at 1: rules write evt.num=0 for "never" and evt.num>=0 for
// "always".
func numbering(k *Check) (holds, known bool) {
	if k.left.key != "evt.num" || k.right != nil || k.mod != filter.ModNone {
		return false, false
	}
	return numberingOf(k.op, k.values)
}

func numberingOf(op filter.Op, values []string) (holds, known bool) {
	if op == filter.In {
		for _, v := range values {
			if n, err := scanUint(v, 64); err != nil || n != 0 {
				return false, false
			}
		}
		return false, true
	}
	if len(values) != 1 {
		return false, false
	}
	n, err := scanUint(values[0], 64)
	if err != nil {
		return false, false
	}
	switch op {
	case filter.Eq, filter.EqEq, filter.Le:
		return false, n == 0
	case filter.Lt:
		return false, n <= 1
	case filter.Ne, filter.Gt:
		return true, n == 0
	case filter.Ge:
		return true, n <= 1
	}
	return false, false
}
