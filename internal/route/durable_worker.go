package route

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	durable "github.com/saker-sec/saker/internal/queue"
)

// Batcher is a sink that can deliver several alerts at once, from the durable queue.
type Batcher interface {
	// SendBatch returns nil when all alerts are delivered, or an error or nil for each of them. Those with an error are sent again,
	// unless it is permanent.
	SendBatch(ctx context.Context, alerts []*alert.Alert) []error
}

// Measurer is a Batcher that says how large a batch may be, in bytes of Falcosidekick's JSON, and how long an alert may wait for others; ok is
// false when alerts are to be sent one by one.
type Measurer interface {
	Batch() (bytes int, wait time.Duration, ok bool)
}

// Bounds of a batch when neither the configuration nor the sink has others.
const (
	DefaultBatchSize  = 64
	DefaultBatchBytes = 1 << 20
)

// measuredSize is the most alerts in a batch of a sink that bounds it by bytes.
const measuredSize = 1000

// measure bounds a batch.
type measure struct {
	size, bytes int
	age         time.Duration
}

// batch returns the bounds of a batch for a sink of the destination.
func (d Destination) batch(b Batcher) measure {
	m := measure{size: DefaultBatchSize, bytes: DefaultBatchBytes}
	if s, ok := b.(Measurer); ok {
		bytes, wait, wanted := s.Batch()
		switch {
		case wanted:
			m.size, m.bytes, m.age = measuredSize, bytes, wait
		case d.BatchSize == 0:
			m.size = 1
		}
	}
	if d.BatchSize > 0 {
		m.size = d.BatchSize
	}
	if d.BatchAge > 0 {
		m.age = d.BatchAge
	}
	return m
}

// worker is one goroutine of a destination with its sink.
type worker struct {
	*destination
	sink    Sink
	batcher Batcher // nil when alerts are sent one by one
	measure measure
}

// work delivers until no more alerts are to be taken.
func (d *destination) work() {
	w := &worker{destination: d, measure: measure{size: 1}}
	if !w.open() {
		return
	}
	if b, ok := w.sink.(Batcher); ok {
		if w.measure = d.batch(b); w.measure.size > 1 {
			w.batcher = b
		}
	}
	for {
		batch, err := w.collect()
		if err != nil || !w.deliver(batch) {
			break
		}
	}
	if c, ok := w.sink.(Closer); ok {
		if err := c.Close(d.sending); err != nil {
			d.log(alert.Warning, fmt.Sprintf("closing %s: %v", d.Name, err))
		}
	}
}

// open makes the sink.
func (w *worker) open() bool {
	for attempt := 0; ; attempt++ {
		var err error
		if w.sink, err = w.Open(); err == nil {
			return true
		}
		if Permanent(err) {
			w.unusable.Store(true)
			w.say(fmt.Errorf("opening: %w", err), "its alerts wait for the next start")
			return false
		}
		w.say(fmt.Errorf("opening: %w", err), "its alerts wait and it is tried again")
		if !sleep(w.taking, w.gate.backoff.pause(attempt, err)) {
			return false
		}
	}
}

// collect waits for an alert, and for those that are sent with it.
func (w *worker) collect() ([]*durable.Message, error) {
	first, err := w.next(w.taking, true)
	if err != nil {
		return nil, err
	}
	if !w.limit.wait(w.taking) {
		return nil, errStopped
	}
	batch := []*durable.Message{first}
	if w.batcher == nil {
		return batch, nil
	}
	until := w.taking
	if w.measure.age > 0 {
		var cancel context.CancelFunc
		until, cancel = context.WithTimeout(until, w.measure.age)
		defer cancel()
	}
	for bytes := len(first.Raw); len(batch) < w.measure.size && bytes < w.measure.bytes; {
		if !w.limit.allow() {
			break
		}
		m, err := w.next(until, w.measure.age > 0)
		if m == nil {
			w.limit.give()
			if w.taking.Err() != nil && err != nil {
				return nil, err // what was collected comes again
			}
			break
		}
		batch = append(batch, m)
		bytes += len(m.Raw)
	}
	return batch, nil
}

// deliver sends messages until the sink has taken each or will never take it. It returns false when there is to be no other
// attempt.
func (w *worker) deliver(batch []*durable.Message) bool {
	attempts := w.Attempts
	if len(batch) > 1 {
		var ok bool
		if batch, ok = w.deliverTogether(batch); !ok {
			return false
		}
		attempts = min(attempts, 1)
	}
	for _, m := range batch {
		line := w.encoding.append(nil, m.Alert)
		next := func() *durable.Message {
			if m.Shed() {
				return nil
			}
			return m
		}
		err := w.try(attempts, next, func(ctx context.Context) error { return w.sink.Send(ctx, m.Alert, line) })
		switch {
		case errors.Is(err, errShed):
		case errors.Is(err, errStopped) || !w.settle(m, err):
			return false
		}
	}
	return true
}

// deliverTogether sends a batch. It returns what still is to be sent after all attempts but one: each alert has the last one for itself, so
// that one that makes the destination fail does not take the others with it.
func (w *worker) deliverTogether(batch []*durable.Message) (left []*durable.Message, ok bool) {
	attempts := w.Attempts
	if attempts > 0 {
		if attempts--; attempts == 0 {
			return batch, true
		}
	}
	stuck := false
	next := func() *durable.Message {
		if batch = slices.DeleteFunc(batch, (*durable.Message).Shed); len(batch) == 0 {
			return nil
		}
		return batch[0]
	}
	err := w.try(attempts, next, func(ctx context.Context) error {
		alerts := make([]*alert.Alert, len(batch))
		for i, m := range batch {
			alerts[i] = m.Alert
		}
		errs := w.batcher.SendBatch(ctx, alerts)
		var first error
		var again []*durable.Message
		for i, m := range batch {
			var err error
			if i < len(errs) {
				err = errs[i]
			}
			if err != nil && !Permanent(err) {
				again = append(again, m)
				if first == nil {
					first = err
				}
				continue
			}
			if !w.settle(m, err) {
				stuck = true
				return first
			}
		}
		batch = again
		return first
	})
	if stuck || errors.Is(err, errStopped) {
		return nil, false
	}
	if len(batch) > 0 {
		w.say(errors.Unwrap(err), "its alerts are tried one by one")
		w.retried.Add(1)
	}
	return batch, true
}

// settle ends the delivery of a message: it is delivered, or refused for good.
func (w *worker) settle(m *durable.Message, err error) bool {
	if err != nil {
		return w.bury(m, err)
	}
	w.sent.Add(1)
	w.acknowledge(m)
	return true
}

// errStopped is the end of the attempts because the program ends.
var errStopped = errors.New("stopped")

// errShed is the end of the attempts because the queue has given up what they were for. It has counted that.
var errShed = errors.New("shed")

// givenUp is the failure of the last attempt that is made.
type givenUp struct {
	error
	attempts int
}

// Error says why, and after how many attempts.
func (e givenUp) Error() string { return fmt.Sprintf("%v (after %d attempts)", e.error, e.attempts) }

// Unwrap returns the failure.
func (e givenUp) Unwrap() error { return e.error }

// try makes attempts until one succeeds (nil), none is to be made any more (errStopped, errShed), or none will succeed. 0 attempts are any
// number. Next returns the first alert that they are for; nil is that there is none any more.
func (w *worker) try(attempts int, next func() *durable.Message, send func(context.Context) error) error {
	for attempt := 1; ; attempt++ {
		m := next()
		if m == nil {
			return errShed
		}
		if !w.gate.enter(w.taking) {
			return errStopped
		}
		ctx, cancel := context.WithTimeout(w.sending, w.Timeout)
		start := time.Now()
		err := send(ctx)
		w.latency.observe(time.Since(start))
		if err != nil && ctx.Err() == context.DeadlineExceeded && !Permanent(err) {
			err = fmt.Errorf("no success within %v: %w", w.Timeout, err)
		}
		cancel()
		w.gate.leave(err)
		if err == nil {
			w.recover()
			return nil
		}
		if Permanent(err) {
			return err
		}
		if w.sending.Err() != nil {
			return errStopped
		}
		if attempts > 0 && attempt >= attempts {
			return givenUp{err, w.Attempts}
		}
		w.sayFailed(err, m)
		if !w.gate.pause(w.taking, attempt-1, err) {
			return errStopped
		}
		w.retried.Add(1)
	}
}
