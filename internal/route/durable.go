package route

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	durable "github.com/saker-sec/saker/internal/queue"
)

// DefaultTimeout bounds one attempt of a Destination that names no other bound.
const DefaultTimeout = 30 * time.Second

// Destination is where alerts are delivered to from the durable queue, and how.
type Destination struct {
	Name string // that of its subscription
	// Open makes the sink, one for each of Concurrency goroutines. While it fails, the alerts wait and it is tried again; but a
	// permanent error ends it, and the alerts wait for the next start.
	Open func() (Sink, error)

	JSON  bool // the line is JSON, not text
	Style alert.Style
	// Filter says which alerts the destination gets, beside the minimum that the queue knows; nil is all.
	Filter *Filter
	Group  Group // how repeats are held back

	Concurrency int           // attempts that are made at once; 0 is 1, which keeps the order of alerts
	Timeout     time.Duration // of an attempt; 0 is DefaultTimeout
	Rate        float64       // most alerts a second, over all goroutines; 0 is without limit
	Burst       int           // alerts that may be sent at once in spite of Rate; 0 is 1
	// Attempts is after how many failed ones an alert becomes a dead letter; 0 is never: it is tried until the queue gives it up.
	Attempts int
	// BatchSize is the most alerts that a sink which is a Batcher is sent at once; 0 is what the sink says, or else DefaultBatchSize. BatchAge is
	// how long one may wait for others; 0 is what the sink says, or else not at all: a batch is then what waits anyway.
	BatchSize int
	BatchAge  time.Duration

	MinBackoff, MaxBackoff time.Duration // pause after the first and after many failed attempts; 0 are the defaults
}

// Ahead returns how many alerts the queue should give out for the destination at once: enough for what is under way and what is
// collected meanwhile. The sink is one of the destination's; 0 is the queue's own number.
func (d Destination) Ahead(s Sink) int {
	n := 0
	if b, ok := s.(Batcher); ok {
		if size := d.batch(b).size; size > 1 {
			n = 2 * size * max(d.Concurrency, 1)
		}
	}
	if d.Group.on() {
		n = max(n, 2*groupHeld)
	}
	return n
}

// Delivery is the running delivery from the durable queue: every destination has goroutines of its own and slows no other. An alert is
// acknowledged when its sink has taken it; what a sink refuses for good becomes a dead letter.
type Delivery struct {
	destinations []*destination
	queue        *durable.Queue
	stop, kill   context.CancelFunc
	done         sync.WaitGroup
}

// Deliver starts the delivery. Close must be called, before the queue is closed.
func Deliver(q *durable.Queue, destinations []Destination, log func(alert.Priority, string)) (*Delivery, error) {
	if log == nil {
		log = func(alert.Priority, string) {}
	}
	taking, stop := context.WithCancel(context.Background())
	sending, kill := context.WithCancel(context.Background())
	d := &Delivery{queue: q, stop: stop, kill: kill}
	for _, c := range destinations {
		sub := q.Subscription(c.Name)
		err := fmt.Errorf("delivering to %s: the queue has no such destination", c.Name)
		if sub != nil {
			t := newDestination(c, sub, taking, sending, log)
			t.groups, err = newGrouper(taking, c.Group, sub, func(ctx context.Context, a *alert.Alert) error { return q.PublishTo(ctx, c.Name, a) })
			d.destinations = append(d.destinations, t)
		}
		if err != nil {
			stop()
			kill()
			return nil, err
		}
	}
	for _, t := range d.destinations {
		if t.Group.on() {
			d.done.Go(t.tendGroups)
		}
		for range max(t.Concurrency, 1) {
			d.done.Go(t.work)
		}
	}
	return d, nil
}

// Close takes no more alerts, lets the attempts in progress end until ctx is done, and closes the sinks. What is not delivered
// stays in the queue.
func (d *Delivery) Close(ctx context.Context) error {
	d.stop()
	over := context.AfterFunc(ctx, d.kill)
	defer over()
	ended := make(chan struct{})
	go func() { d.done.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		last := time.NewTimer(grace)
		defer last.Stop()
		select {
		case <-ended:
		case <-last.C:
			d.kill()
			return errors.New("closing the destinations: not all of them end; what they were sending is sent again at the next start")
		}
	}
	d.kill()
	return nil
}

// Drain waits until everything is delivered, or ctx is done.
func (d *Delivery) Drain(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if idle, err := d.queue.Idle(ctx); idle && err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// destination serves one Destination.
type destination struct {
	Destination
	sub      *durable.Subscription
	encoding encoding
	log      func(alert.Priority, string)
	taking   context.Context // done when no more alerts are taken
	sending  context.Context // done when attempts are given up
	gate     *gate
	limit    limiter
	groups   *grouper
	turn     chan struct{} // held by the goroutine that takes an alert, so that groups see them in order
	trouble  trouble
	latency  histogram

	sent, dead, retried, filtered, grouped atomic.Uint64
	unusable                               atomic.Bool
}

func newDestination(c Destination, sub *durable.Subscription, taking, sending context.Context, log func(alert.Priority, string)) *destination {
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	return &destination{
		Destination: c, sub: sub, encoding: encoding{json: c.JSON, style: c.Style}, log: log, taking: taking, sending: sending,
		gate: newGate(newBackoff(c.MinBackoff, c.MaxBackoff)), limit: limiter{rate: c.Rate, burst: float64(max(c.Burst, 1))},
		turn: make(chan struct{}, 1),
	}
}

// next returns the next alert that is to be sent. Without wait it is nil when none is there. What was written for this destination
// alone passes its filter and its groups: it is what they have let pass before.
func (d *destination) next(ctx context.Context, wait bool) (*durable.Message, error) {
	for {
		m, verdict, err := d.sift(ctx, wait)
		switch {
		case err != nil || m == nil:
			return nil, err
		case verdict == skip:
			d.acknowledge(m)
		case verdict == pass && m.Err == nil:
			return m, nil
		case verdict == pass:
			if !d.bury(m, m.Err) {
				return nil, errStopped
			}
		}
	}
}

// verdict is what becomes of an alert.
type verdict int

const (
	pass verdict = iota // it is sent
	skip                // the destination has no use for it
	held                // it is counted as a repeat, and is acknowledged later
)

// sift takes one alert and says what becomes of it.
func (d *destination) sift(ctx context.Context, wait bool) (m *durable.Message, v verdict, err error) {
	select {
	case d.turn <- struct{}{}:
	default:
		if !wait { // another goroutine takes one, or waits for the next: none is there
			return nil, pass, nil
		}
		select {
		case d.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, pass, ctx.Err()
		}
	}
	defer func() { <-d.turn }()
	if !wait {
		m = d.sub.Take()
	} else if m, err = d.sub.Next(ctx); err != nil {
		return nil, pass, err
	}
	if m == nil || m.Err != nil || m.Only {
		return m, pass, nil
	}
	if d.Filter != nil && !d.Filter.Match(m.Alert) {
		d.filtered.Add(1)
		return m, skip, nil
	}
	if !d.Group.on() {
		return m, pass, nil
	}
	v, err = d.groups.take(d.sending, entry{m, m.Seq, m.Again, m.Raw, m.Alert}, time.Now())
	if err != nil {
		d.say(err, "the repeats are held and it is tried again")
	}
	if v == held {
		d.grouped.Add(1)
	}
	return m, v, nil
}

// tendGroups ends the windows of groups until no more alerts are taken, and then writes down what is held.
func (d *destination) tendGroups() {
	tick := time.NewTicker(min(max(d.Group.Window/4, 10*time.Millisecond), time.Second))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := d.groups.tend(d.sending, time.Now()); err != nil {
				d.say(err, "the repeats are held and it is tried again")
			}
		case <-d.taking.Done():
			if err := d.groups.save(d.sending); err != nil {
				d.say(err, "the repeats are counted again at the next start")
			}
			return
		}
	}
}

func (d *destination) acknowledge(m *durable.Message) {
	if err := m.Ack(); err != nil {
		d.log(alert.Warning, fmt.Sprintf("%v; it is delivered again", err))
	}
}

// bury makes a dead letter. While that fails it is tried again: the alert must not be lost, and no other may overtake it.
func (d *destination) bury(m *durable.Message, why error) bool {
	d.say(why, "the alert is kept as a dead letter (saker dead-letters list)")
	for attempt := 0; ; attempt++ {
		err := m.Bury(d.sending, why.Error())
		if err == nil {
			d.dead.Add(1)
			return true
		}
		d.say(err, "trying again")
		if !sleep(d.taking, d.gate.backoff.pause(attempt, nil)) {
			return false
		}
	}
}

func (d *destination) say(err error, consequence string) {
	if d.trouble.begin(err, time.Now()) {
		d.log(alert.Error, fmt.Sprintf("%s: %v; %s", d.Name, err, consequence))
	}
}

// sayFailed logs that an attempt failed, and from time to time that it still does: for which alert, so that one that a destination cannot take,
// and that holds up the others, is found.
func (d *destination) sayFailed(err error, m *durable.Message) {
	now := time.Now()
	if !d.trouble.begin(err, now) {
		return
	}
	consequence := "its alerts are kept and tried again"
	if failures, lasted := d.trouble.lasting(now); lasted >= remindEvery {
		consequence = fmt.Sprintf("that is so for %v and %d attempts, the alert %s of rule %q is kept and tried again before others (maxattempts would bound that)",
			lasted.Round(time.Minute), failures, m.Alert.UUID, m.Alert.Rule)
	}
	d.log(alert.Error, fmt.Sprintf("%s: %v; %s", d.Name, err, consequence))
}

func (d *destination) recover() {
	if failures, lasted := d.trouble.end(time.Now()); failures > 0 {
		d.log(alert.Notice, fmt.Sprintf("%s works again after %v and %d failed attempts", d.Name, lasted.Round(time.Millisecond), failures))
	}
}

// sleep waits; it returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
