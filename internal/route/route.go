// Package route brings each alert to every output. Each output has a bounded queue and a goroutine of its own, so a slow or
// dead one never delays another; the order of alerts is kept within an output. An output is a Sink: one method, which
// delivers one alert or says why not. Everything else is written here, once: queueing, dropping, retrying with back-off, the
// watchdog, draining at the end, counting.
//
// Nothing is lost silently. A delivery that fails is tried again until it succeeds, unless the sink says that trying again
// is of no use. When a queue is full, the least severe alert goes (of equally severe ones the newest), it is counted, and a
// line is logged.
//
// Publish is called by the event loop. It does not encode, log, or wait (unless Output.Wait asks for it): it takes a message
// from a pool, links it into the queue of each output, and wakes the goroutines. The first output that needs the encoded line
// makes it, in its own goroutine; outputs with the same encoding share it. BenchmarkPublish measures it with five outputs:
// 0.3 µs, and while they keep up no allocation but the encoder's.
package route

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// Sink delivers alerts to one destination. Its methods, and those of the optional interfaces below, are never called by two
// goroutines at once.
type Sink interface {
	// Send delivers an alert. The line is its encoded form without a line feed; it may be kept only until Send returns. After
	// an error the same alert is sent again, until it succeeds, unless the error is permanent (see Permanent). Send returns
	// soon after ctx is done, which happens when the time for draining is over, or when Reopen is called while Send hangs.
	Send(ctx context.Context, a *alert.Alert, line []byte) error
}

// Flusher is a sink that may keep back what it was sent, before a Router. Flush is called whenever no alert waits, and after an error again.
type Flusher interface {
	Flush(ctx context.Context) error
}

// Waker is a Flusher that wants to be flushed also when nothing was sent: whenever the channel yields a value.
type Waker interface {
	Wake() <-chan struct{}
}

// Reopener is a sink that can take hold of its destination anew: what SIGUSR1 asks for after log files were rotated.
type Reopener interface {
	Reopen(ctx context.Context) error
}

// Heir is a sink whose destination may leave lines unread that it was sent. Leave returns what is left after Close. Inherit gives another one of
// the kind, which may be in use, what that has left, to be sent before anything else; false is that it has no use for it.
type Heir interface {
	Leave() []byte
	Inherit(lines []byte) bool
}

// Closer is a sink that has something to let go of. Close is called once, after the last Send, and returns soon after ctx is
// done.
type Closer interface {
	Close(ctx context.Context) error
}

// Bounds of a queue that has no others, and of the pause between attempts.
const (
	DefaultCapacity   = 65536    // alerts
	DefaultBytes      = 64 << 20 // of memory, as estimated
	DefaultMinBackoff = 250 * time.Millisecond
	DefaultMaxBackoff = 30 * time.Second
)

// grace is how long Close waits for the sinks after it has cancelled them.
const grace = time.Second

// Output is a sink and how it is served.
type Output struct {
	Name string // in log lines and statistics; Falco's are stdout, file, syslog, program, http
	Sink Sink

	JSON  bool // the line is JSON, not text
	Style alert.Style

	Capacity int // alerts that may wait; 0 is DefaultCapacity
	Bytes    int // bytes that may wait; 0 is DefaultBytes
	// Wait makes Publish wait while the queue is full, and Close until everything is delivered or nothing can be. It is for sources that
	// can wait, like a capture that is replayed, and outputs that nothing but the user holds up.
	Wait bool

	MinBackoff, MaxBackoff time.Duration // pause after the first and after many failed attempts; 0 are the defaults
}

// Config says where alerts go.
type Config struct {
	Outputs []Output
	// Timeout is how long a delivery may take before a line is logged (output_timeout); 0 is for ever. The delivery goes on.
	Timeout time.Duration
	// Drain is how long Close goes on delivering to outputs without Wait; 0 is as long as its context allows.
	Drain time.Duration
	// Log takes the lines for the operator. It is called by several goroutines, never by that of Publish. Nil drops them.
	Log func(alert.Priority, string)
}

// Router is a running set of outputs.
type Router struct {
	outputs   []*output
	encodings []encoding
	pool      sync.Pool // of *message
	dropped   chan struct{}
	drain     time.Duration
	cancel    context.CancelFunc
	reporter  sync.WaitGroup
	log       func(alert.Priority, string)
}

// New starts the outputs. Close must be called.
func New(cfg Config) *Router {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Router{dropped: make(chan struct{}, 1), drain: cfg.Drain, cancel: cancel, log: cfg.Log}
	if r.log == nil {
		r.log = func(alert.Priority, string) {}
	}
	for i, c := range cfg.Outputs {
		o := newOutput(ctx, c, i, r.encoding(c), r.log)
		if cfg.Timeout > 0 {
			o.watch(cfg.Timeout)
		}
		r.outputs = append(r.outputs, o)
	}
	r.pool.New = func() any {
		return &message{lines: make([]line, len(r.encodings)), nodes: make([]node, len(r.outputs)), pool: &r.pool}
	}
	for _, o := range r.outputs {
		go o.run()
	}
	r.reporter.Go(func() { r.reportDrops(ctx) })
	return r
}

// encoding returns the index of an output's encoding among those in use.
func (r *Router) encoding(c Output) int {
	e := encoding{json: c.JSON, style: c.Style}
	for i := range r.encodings {
		if r.encodings[i] == e {
			return i
		}
	}
	r.encodings = append(r.encodings, e)
	return len(r.encodings) - 1
}

// Publish queues an alert for every output. The alert belongs to the router from then on. What is published after Close is
// counted as dropped. It may be called by several goroutines.
func (r *Router) Publish(a *alert.Alert) {
	if len(r.outputs) == 0 {
		return
	}
	m := r.pool.Get().(*message)
	m.alert, m.at, m.size = a, time.Now(), size(a)
	m.refs.Store(int32(len(r.outputs)))
	lost := false
	for _, o := range r.outputs {
		lost = o.queue.push(m) || lost
	}
	if lost {
		r.tellDrops()
	}
}

// tellDrops has what was dropped logged.
func (r *Router) tellDrops() {
	select {
	case r.dropped <- struct{}{}:
	default:
	}
}

// Reopen asks every sink that can to reopen its destination before its next delivery. It does not wait for that. A delivery
// that hangs (takes longer than Config.Timeout) to a sink that can be reopened is given up, and repeated afterwards.
func (r *Router) Reopen() {
	for _, o := range r.outputs {
		o.askReopen()
	}
}

// StopWaiting lets Publish return at once from now on, even for outputs with Wait: the program was interrupted.
func (r *Router) StopWaiting() {
	for _, o := range r.outputs {
		o.queue.stopWaiting()
	}
}

// Close delivers what waits and ends the outputs. Outputs with Wait have until ctx is done, or until they have failed for as long as
// Config.Drain, the others until Config.Drain is over, if that is sooner. The error names the outputs that have not delivered everything, with the number of alerts left,
// and those that could not be closed.
func (r *Router) Close(ctx context.Context) error {
	r.stop(ctx)
	return r.farewell()
}

// stop delivers what waits, as long as there is time.
func (r *Router) stop(ctx context.Context) {
	bounded := ctx
	if r.drain > 0 {
		over := time.AfterFunc(r.drain, func() {
			for _, o := range r.outputs {
				if !o.patient {
					o.cancel()
				}
			}
		})
		defer over.Stop()
		var cancel context.CancelFunc
		bounded, cancel = context.WithTimeout(ctx, r.drain+grace)
		defer cancel()
	}
	for _, o := range r.outputs {
		o.queue.close()
	}
	began := time.Now()
	for _, o := range r.outputs {
		if o.patient {
			r.stopPatient(ctx, o, began)
			continue
		}
		select {
		case <-o.done:
		case <-bounded.Done():
		}
	}
	r.cancel()
	r.reporter.Wait()
}

// stopPatient waits until an output with Wait has delivered everything, or has failed all the time since began, for as long as Config.Drain.
func (r *Router) stopPatient(ctx context.Context, o *output, began time.Time) {
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case <-o.done:
			return
		case <-ctx.Done():
			return
		case now := <-look.C:
			_, failing := o.trouble.lasting(now)
			if failing = min(failing, now.Sub(began)); r.drain > 0 && failing >= r.drain {
				o.cancel()
			}
		}
	}
}

// farewell says what was not delivered.
func (r *Router) farewell() error {
	last, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	var errs []error
	for _, o := range r.outputs {
		errs = append(errs, o.farewell(o.hasEnded(last)))
	}
	return errors.Join(errs...)
}

// reportDrops logs what was dropped: at once, then at most once a second, and ever less often, down to once a minute, while
// it goes on.
func (r *Router) reportDrops(ctx context.Context) {
	const least, most = time.Second, time.Minute
	pause := least
	timer := time.NewTimer(0)
	<-timer.C
	defer r.sayDrops()
	for {
		select {
		case <-r.dropped:
		case <-ctx.Done():
			return
		}
		for more := true; more; {
			r.sayDrops()
			timer.Reset(pause)
			select {
			case <-timer.C:
			case <-ctx.Done():
				timer.Stop()
				return
			}
			select {
			case <-r.dropped:
				pause = min(2*pause, most)
			default:
				pause, more = least, false
			}
		}
	}
}

func (r *Router) sayDrops() {
	for _, o := range r.outputs {
		now, total := o.queue.dropsToSay()
		if now > 0 {
			r.log(alert.Error, fmt.Sprintf("%q output queue is full (%s, %d MiB): %s dropped, the least severe first; %d since the start",
				o.name, alerts(o.queue.maxCount), o.queue.maxBytes>>20, alerts(now), total))
		}
	}
}

// alerts prints a number of alerts.
func alerts[N int | uint64](n N) string {
	if n == 1 {
		return "1 alert"
	}
	return fmt.Sprintf("%d alerts", n)
}
