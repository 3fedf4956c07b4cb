package engine

import (
	"slices"

	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/internal/state"
)

// held are the events that wait for what a container runtime says of their container, in the order in which they came. An
// event waits until the answer is there or Config.Hold is over, counted from the first event of the container that was
// looked at. Alerts of other containers and of the host go past it; those of one container keep their order.
type held struct {
	list []*ruleset.Held

	events uint64 // that waited
	shed   uint64 // that did not because too many did
	unmet  uint64 // that waited in vain
}

// maxHeld bounds the events that wait.
const maxHeld = 1024

// waits reports whether an event of a container is to wait.
func (e *Engine) waits(k *state.Container) bool {
	if e.cfg.Hold == 0 {
		return false
	}
	now := e.cfg.Now()
	if k.Waited == 0 {
		k.Waited = max(now, 1)
	}
	if now < k.Waited+e.cfg.Hold {
		return true
	}
	k.Pending = false
	return false
}

// hold matches an event whose container is pending.
func (e *Engine) hold(c *state.Ctx) {
	matched, h := e.rules.Hold(c)
	for _, m := range matched {
		e.report(e.rules.Alert(m, c))
		e.record(c.Event, m)
	}
	if h == nil {
		return
	}
	h.Each(func(m *ruleset.Rule, certain bool) {
		// What may match is recorded where a rule asks for it: the event will be gone when it is decided.
		if certain || m.Capture {
			e.record(c.Event, m)
		}
	})
	e.held.events++
	if len(e.held.list) >= maxHeld {
		e.held.shed++
		e.send(h)
		return
	}
	e.held.list = append(e.held.list, h)
}

// release sends what has been answered or has waited long enough; all of it with every.
func (e *Engine) release(every bool) {
	now := e.cfg.Now()
	e.held.list = slices.DeleteFunc(e.held.list, func(h *ruleset.Held) bool {
		k := h.Container
		switch {
		case !k.Pending:
		case every || now >= k.Waited+e.cfg.Hold:
			e.held.unmet++
		default:
			return false
		}
		e.send(h)
		return true
	})
}

func (e *Engine) send(h *ruleset.Held) {
	for _, a := range h.Alerts() {
		e.report(a)
	}
}
