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
	due  uint64 // when the first of them has waited long enough
	news uint64 // State.ContainerNews at the last look at them

	events uint64 // that waited
	shed   uint64 // that did not because too many did
	unmet  uint64 // that waited in vain
}

// maxHeld bounds the events that wait.
const maxHeld = 1024

// ripe reports whether some of them may have waited long enough, or been answered. It is asked for every event, so it looks at none of them.
func (h *held) ripe(s *state.State, now uint64) bool {
	return len(h.list) > 0 && (now >= h.due || s.ContainerNews() != h.news)
}

// waits reports whether an event of a container is to wait. The waiting begins by the clock and ends by the time of an event: events may come
// late, so that it never ends too early, and no event pays for a look at the clock.
func (e *Engine) waits(k *state.Container, now uint64) bool {
	if e.cfg.Hold == 0 {
		return false
	}
	if k.Waited == 0 {
		k.Waited = max(e.cfg.Now(), 1)
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
	if until := h.Container.Waited + e.cfg.Hold; len(e.held.list) == 0 || until < e.held.due {
		e.held.due = until
	}
	e.held.list = append(e.held.list, h)
}

// release sends what has been answered or has waited long enough; all of it with every.
func (e *Engine) release(now uint64, every bool) {
	e.held.news, e.held.due = e.cfg.State.ContainerNews(), 1<<64-1
	e.held.list = slices.DeleteFunc(e.held.list, func(h *ruleset.Held) bool {
		k := h.Container
		switch {
		case !k.Pending:
		case every || now >= k.Waited+e.cfg.Hold:
			e.held.unmet++
		default:
			e.held.due = min(e.held.due, k.Waited+e.cfg.Hold)
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
