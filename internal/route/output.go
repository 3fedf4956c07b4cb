package route

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// output serves one sink in a goroutine of its own (run).
type output struct {
	name     string
	sink     Sink
	encoding encoding
	line     int // index of the encoding
	backoff  backoff
	queue    *queue
	log      func(alert.Priority, string)
	patient  bool            // the output has Wait
	ctx      context.Context // done when the time for draining is over
	cancel   context.CancelFunc

	flusher  Flusher // the sink, when it can do more
	reopener Reopener
	closer   Closer
	woken    <-chan struct{}

	reopen  chan struct{} // holds a value when the sink is to be reopened
	attempt atomic.Pointer[attempt]
	done    chan struct{}
	timeout time.Duration
	dog     *time.Timer // nil without a timeout
	state   atomic.Int32

	sent, failed, retried atomic.Uint64
	trouble               trouble
	flushTries            int   // failed since a flush last succeeded
	unflushed             bool  // the last flush failed
	flushErr              error // why the last one failed that did
	closeErr              error // read after done
}

func newOutput(ctx context.Context, c Output, index, encodingIndex int, log func(alert.Priority, string)) *output {
	ctx, cancel := context.WithCancel(ctx)
	o := &output{
		name: c.Name, sink: c.Sink, encoding: encoding{json: c.JSON, style: c.Style}, line: encodingIndex,
		backoff: newBackoff(c.MinBackoff, c.MaxBackoff), queue: newQueue(index, c), log: log, ctx: ctx, cancel: cancel, patient: c.Wait,
		reopen: make(chan struct{}, 1), done: make(chan struct{}),
	}
	o.attempt.Store(newAttempt(ctx))
	o.flusher, _ = c.Sink.(Flusher)
	o.reopener, _ = c.Sink.(Reopener)
	o.closer, _ = c.Sink.(Closer)
	if w, ok := c.Sink.(Waker); ok {
		o.woken = w.Wake()
	}
	return o
}

// The states of the watchdog.
const (
	resting int32 = iota
	working
	overdue
)

// watch makes deliveries that take longer than timeout known.
func (o *output) watch(timeout time.Duration) {
	o.timeout = timeout
	o.dog = time.AfterFunc(timeout, func() {
		if o.state.CompareAndSwap(working, overdue) {
			o.log(alert.Critical, fmt.Sprintf("%q output timeout, this output channel is blocked: its alerts wait, those of the others do not", o.name))
		}
	})
	o.dog.Stop()
}

// begin starts the watchdog before the sink is called.
func (o *output) begin() (start time.Time) {
	if o.dog == nil {
		return start
	}
	o.state.Store(working)
	o.dog.Reset(o.timeout)
	return time.Now()
}

// end stops the watchdog after the sink has returned.
func (o *output) end(start time.Time) {
	if o.dog == nil {
		return
	}
	o.dog.Stop()
	if o.state.Swap(resting) == overdue {
		o.log(alert.Notice, fmt.Sprintf("%q output is not blocked any more, after %v", o.name, time.Since(start).Round(time.Millisecond)))
	}
}

// attempt is what deliveries run under until it is cancelled.
type attempt struct {
	context.Context
	cancel context.CancelFunc
}

func newAttempt(parent context.Context) *attempt {
	ctx, cancel := context.WithCancel(parent)
	return &attempt{ctx, cancel}
}

// askReopen has the sink reopened. A delivery that takes longer than the timeout is given up for that, and repeated.
func (o *output) askReopen() {
	if o.reopener == nil {
		return
	}
	select {
	case o.reopen <- struct{}{}:
	default:
	}
	if o.state.Load() == overdue {
		o.attempt.Swap(newAttempt(o.ctx)).cancel()
	}
}

// run delivers until the queue is closed and empty, or the time for draining is over.
func (o *output) run() {
	defer close(o.done)
	for o.ctx.Err() == nil {
		select {
		case <-o.reopen:
			o.reopenNow()
		default:
		}
		m, open := o.queue.pop()
		if m != nil {
			if o.deliver(m) {
				o.queue.done()
			}
			continue
		}
		flushed := o.flush()
		if !open && flushed {
			break
		}
		o.idle(flushed)
	}
	if o.closer != nil {
		start := o.begin()
		o.closeErr = o.closer.Close(o.ctx)
		o.end(start)
	}
}

// idle waits until there may be something to do.
func (o *output) idle(flushed bool) {
	var again <-chan time.Time
	if !flushed {
		t := time.NewTimer(o.backoff.pause(o.flushTries-1, o.flushErr))
		defer t.Stop()
		again = t.C
	}
	select {
	case <-o.queue.wake:
	case <-o.woken:
	case <-again:
	case <-o.reopen:
		o.reopenNow()
	case <-o.ctx.Done():
	}
}

// flush makes the sink give up what it kept back and says whether nothing is left.
func (o *output) flush() bool {
	if o.flusher == nil {
		return true
	}
	start := o.begin()
	err := o.flusher.Flush(o.attempt.Load())
	o.end(start)
	if err == nil {
		o.flushTries = 0
		if o.unflushed {
			o.unflushed = false
			o.recover()
		}
		return true
	}
	o.say(err, "what it holds back is kept")
	o.unflushed = true
	if Permanent(err) {
		o.flushTries = 0
		return true
	}
	o.flushTries++
	o.flushErr = err
	return false
}

// deliver sends a message until the sink has taken it or will never take it. It returns false when the time for draining
// ended first.
func (o *output) deliver(m *message) bool {
	text := m.line(o.line, o.encoding)
	for attempt := 0; ; attempt++ {
		start := o.begin()
		err := o.sink.Send(o.attempt.Load(), m.alert, text)
		o.end(start)
		if err == nil {
			o.sent.Add(1)
			if !o.unflushed {
				o.recover()
			}
			return true
		}
		if Permanent(err) {
			o.failed.Add(1)
			o.say(err, "the alert is not delivered here")
			return true
		}
		if o.ctx.Err() != nil {
			o.trouble.note(err)
			return false
		}
		o.say(err, "its alerts are kept and tried again")
		if !o.pause(o.backoff.pause(attempt, err)) {
			return false
		}
		o.retried.Add(1)
	}
}

// pause waits before another attempt, which being reopened brings forward. It returns false when there is to be none.
func (o *output) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-o.reopen:
		o.reopenNow()
	case <-o.ctx.Done():
		return false
	}
	return true
}

func (o *output) reopenNow() {
	start := o.begin()
	err := o.reopener.Reopen(o.ctx)
	o.end(start)
	if err != nil {
		o.say(fmt.Errorf("reopening: %w", err), "the next alert is tried nevertheless")
	}
}

// say logs a failure unless it was logged before.
func (o *output) say(err error, consequence string) {
	if o.trouble.begin(err, time.Now()) {
		o.log(alert.Error, fmt.Sprintf("%q output: %v; %s", o.name, err, consequence))
	}
}

// recover logs that the sink works again.
func (o *output) recover() {
	if failures, lasted := o.trouble.end(time.Now()); failures > 0 {
		o.log(alert.Notice, fmt.Sprintf("%q output works again after %v and %d failed attempts", o.name, lasted.Round(time.Millisecond), failures))
	}
}

// hasEnded says whether the goroutine has ended, and waits for that until last is done.
func (o *output) hasEnded(last context.Context) bool {
	select {
	case <-o.done:
		return true
	default:
	}
	select {
	case <-o.done:
		return true
	case <-last.Done():
		return false
	}
}

// farewell says what the output has not delivered when the router is closed.
func (o *output) farewell(ended bool) error {
	left, _, _, _ := o.queue.backlog(time.Now())
	var why error
	if ended && o.closeErr != nil {
		why = fmt.Errorf("closing the %q output: %w", o.name, o.closeErr)
	}
	if left == 0 {
		if !ended {
			return fmt.Errorf("closing the %q output: it does not end", o.name)
		}
		return why
	}
	reason := "it is too slow"
	if text := o.trouble.text(); text != "" {
		reason = text
	} else if !ended {
		reason = "it is blocked"
	}
	return errors.Join(fmt.Errorf("closing the %q output: %s not delivered: %s", o.name, alerts(left), reason), why)
}
