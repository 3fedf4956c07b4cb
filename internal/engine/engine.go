// Package engine is the loop that everything else is for: take the next event, apply it to the state, match it against the
// rules, and, rarely, report. It runs in one goroutine, which owns the source, the state and the rules; the only thing
// that another goroutine may do is to hand in a new ruleset (Swap), which takes effect between two events.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/internal/state"
)

// Source gives events. The event that Next fills is valid until the next call.
type Source interface {
	// Next returns event.ErrIdle when no event came for a while, io.EOF when there will be none any more, and any other
	// error when the source broke.
	Next(*event.Event) error
}

// Restarter is implemented by sources that can begin anew in the middle, as concatenated captures do.
type Restarter interface {
	// Restart reports whether err, which Next returned, means that, and returns the state to go on with.
	Restart(err error) (*state.State, bool)
}

// Recorder sees the events that the engine sees, to record those around matches.
type Recorder interface {
	// Event is called for every event before it changes the state.
	Event(*event.Event)
	// Match is called for each rule that the event matched; wants says that the rule asks to be recorded, for so long (0 is
	// as long as configured).
	Match(e *event.Event, wants bool, duration time.Duration)
	// Idle is called while no events come, with the time in ns since the epoch.
	Idle(now uint64)
}

// Config sets up an Engine.
type Config struct {
	Source Source
	State  *state.State
	Rules  *ruleset.Ruleset
	// Report takes the alerts, in order. It may block; events wait meanwhile.
	Report func(*alert.Alert)
	// Duration ends the run after so many ns of event time; 0 is without end. While no events come, Now goes on.
	Duration uint64
	// Hostname goes into internal alerts.
	Hostname string

	// Losses returns what the source lost so far; nil for sources that lose nothing.
	Losses func() Losses
	Drops  DropPolicy
	// Recorder is nil when nothing is recorded.
	Recorder Recorder
	// Log takes what an operator should read, a line at a time.
	Log func(string)
	// Tick is called in the loop about once a second of event time, and while no events come; nil for nothing.
	Tick func(*Engine)
	// Hold is how long (ns) an alert waits for what a container runtime says of the container of its event; 0 is not at all.
	Hold uint64
	// Now is the time in ns since the epoch by the clock of the events, used while no events come.
	Now func() uint64
}

// Stats is what a run did.
type Stats struct {
	Events     uint64 // read, state-only ones among them
	Alerts     uint64
	ByPriority [alert.Debug + 1]uint64
	ByRule     map[string]uint64
	// DropsDetected counts the seconds in which more was lost than the threshold allows, DropActions those in which
	// something was done about it.
	DropsDetected, DropActions uint64
	// Held counts the events that waited for a container runtime, HeldShed those that did not because too many did, HeldUnmet
	// those that waited in vain.
	Held, HeldShed, HeldUnmet uint64
}

// Engine runs the loop.
type Engine struct {
	cfg     Config
	rules   *ruleset.Ruleset
	pending atomic.Pointer[ruleset.Ruleset]
	drops   *drops
	held    held
	stats   Stats
	sheds   sheds
	next    uint64 // event time of the next look at losses
	start   uint64 // event time of the first event, or of when none came at first
}

// New returns an engine that has not run yet.
func New(cfg Config) *Engine {
	if cfg.Now == nil {
		cfg.Now = func() uint64 { return uint64(time.Now().UnixNano()) }
	}
	if cfg.Log == nil {
		cfg.Log = func(string) {}
	}
	return &Engine{cfg: cfg, rules: cfg.Rules, drops: newDrops(cfg.Drops, cfg.Losses != nil), stats: Stats{ByRule: map[string]uint64{}}}
}

// Rules returns the rules that are in use. While Run runs it may be called from Tick only.
func (e *Engine) Rules() *ruleset.Ruleset { return e.rules }

// Swap replaces the rules between two events. It may be called from any goroutine.
func (e *Engine) Swap(r *ruleset.Ruleset) { e.pending.Store(r) }

// ErrDrops ends a run whose drop policy is to exit when events are lost.
var ErrDrops = errors.New("system calls dropped, and syscall_event_drops.actions is exit")

// Run reads events until the source ends, the duration is over, or ctx is done; none of these is an error.
func (e *Engine) Run(ctx context.Context) error {
	var stop atomic.Bool
	defer context.AfterFunc(ctx, func() { stop.Store(true) })()
	defer e.release(0, true)
	var ev event.Event
	for !stop.Load() {
		if err := e.cfg.Source.Next(&ev); err != nil {
			if err := e.noEvent(err); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			continue
		}
		if e.next == 0 {
			e.next = ev.Time + second
		}
		if e.over(ev.Time) {
			return nil
		}
		if e.pending.Load() != nil {
			e.rules = e.pending.Swap(nil)
		}
		e.stats.Events++
		if e.cfg.Recorder != nil {
			e.cfg.Recorder.Event(&ev)
		}
		c := e.cfg.State.Apply(&ev)
		if e.start == 0 {
			e.start = c.PrevTime // not before: captures begin with events that describe what was there, perhaps long ago
		}
		if e.held.ripe(c.State, ev.Time) {
			e.release(ev.Time, false) // before the event, so that the alerts of a container keep their order
		}
		if ev.Dump&event.StateOnly == 0 {
			e.match(c)
		}
		if e.due(ev.Time) {
			if err := e.everySecond(ev.Time); err != nil {
				return err
			}
		}
	}
	return nil
}

// match reports the rules that an event matches.
func (e *Engine) match(c *state.Ctx) {
	if k := c.Container(); k != nil && k.Pending && e.waits(k, c.Event.Time) {
		e.hold(c)
		return
	}
	for _, m := range e.rules.Match(c) {
		e.report(e.rules.Alert(m, c))
		e.record(c.Event, m)
	}
}

// record has what surrounds a match recorded.
func (e *Engine) record(ev *event.Event, m *ruleset.Rule) {
	if e.cfg.Recorder != nil {
		e.cfg.Recorder.Match(ev, m.Capture, time.Duration(m.CaptureDuration)*time.Millisecond)
	}
}

// noEvent looks into why the source gave no event. It returns nil when the run goes on, io.EOF when it is over.
func (e *Engine) noEvent(err error) error {
	if errors.Is(err, event.ErrIdle) {
		now := e.cfg.Now()
		if e.held.ripe(e.cfg.State, now) {
			e.release(now, false)
		}
		if e.cfg.Recorder != nil {
			e.cfg.Recorder.Idle(now)
		}
		if e.start == 0 {
			e.start = now
		}
		if e.over(now) {
			return io.EOF
		}
		return e.everySecond(now)
	}
	if errors.Is(err, io.EOF) {
		return io.EOF
	}
	if r, ok := e.cfg.Source.(Restarter); ok {
		if s, ok := r.Restart(err); ok {
			e.release(0, true)
			e.cfg.State = s
			return nil
		}
	}
	return fmt.Errorf("reading events: %w", err)
}

// over reports whether the run has lasted as long as it should.
func (e *Engine) over(now uint64) bool {
	return e.cfg.Duration > 0 && e.start > 0 && now > e.start && now-e.start >= e.cfg.Duration
}

// State returns the state. While Run runs it may be called from Tick only.
func (e *Engine) State() *state.State { return e.cfg.State }

// due reports whether it is time for everySecond: next is over, or so far away that the clock must have been set back since.
func (e *Engine) due(now uint64) bool { return e.next-now > 2*second } // below 0 it is far above, too

// everySecond does what needs doing about once a second of event time.
func (e *Engine) everySecond(now uint64) error {
	if !e.due(now) {
		return nil
	}
	e.next = now + second
	if e.cfg.Tick != nil {
		e.cfg.Tick(e)
	}
	if a := e.sheds.check(e.cfg.State.Stats()); a != nil {
		e.internal(a, now)
	}
	if e.cfg.Losses == nil && !e.drops.policy.Simulate {
		return nil
	}
	var l Losses
	if e.cfg.Losses != nil {
		l = e.cfg.Losses()
	}
	action, a := e.drops.check(now, l)
	if action&(DropLog|DropExit) != 0 {
		e.cfg.Log(a.Message)
	}
	if action&DropAlert != 0 {
		e.internal(a, now)
	}
	if action&DropExit != 0 {
		e.cfg.Log("Exiting.")
		return ErrDrops
	}
	return nil
}

// internal reports an alert of the engine's own. It counts among no rule's.
func (e *Engine) internal(a *alert.Alert, now uint64) {
	a.Time = time.Unix(0, int64(now))
	a.Hostname = e.cfg.Hostname
	e.cfg.Report(a)
}

func (e *Engine) report(a *alert.Alert) {
	e.stats.Alerts++
	e.stats.ByPriority[a.Priority]++
	e.stats.ByRule[a.Rule]++
	e.cfg.Report(a)
}

// Stats returns what the run did so far. While Run runs it may be called from Tick only; ByRule goes on changing.
func (e *Engine) Stats() Stats {
	s := e.stats
	s.DropsDetected, s.DropActions = e.drops.detected, e.drops.acted
	s.Held, s.HeldShed, s.HeldUnmet = e.held.events, e.held.shed, e.held.unmet
	return s
}
