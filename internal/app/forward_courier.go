package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/ingest"
	"github.com/saker-sec/saker/internal/queue"
	"github.com/saker-sec/saker/internal/route"
)

// forwardDrain is how long the end waits for requests and deliveries.
const forwardDrain = 5 * time.Second

// courier is the durable queue with the delivery from it: what saker forward and the engine have in common.
type courier struct {
	log       *logger
	conf      *forwardConfig
	transform *ingest.Transform
	queue     *queue.Queue
	keeper    *route.Keeper // what the outputs of the engine write to the queue with; it outlives them
	delivery  *route.Delivery
	control   *control
	inputs    func() map[[2]string]uint64 // what was taken since the start, by source and status
	running   atomic.Pointer[route.Delivery]
}

// watcher is a destination that passes the counters of the program on: what was taken, by source and status, and what was
// delivered, by destination and status.
type watcher interface {
	Watch(counts func() (inputs, outputs map[[2]string]uint64))
}

// counts returns the counters of the program.
func (f *courier) counts() (inputs, outputs map[[2]string]uint64) {
	outputs = map[[2]string]uint64{}
	if d := f.running.Load(); d != nil {
		for name, c := range d.Counts() {
			name = sidekickLabel(name) // which another one may have, too
			outputs[[2]string{name, "ok"}] += c.OK
			outputs[[2]string{name, "error"}] += c.Failed
		}
	}
	return f.inputs(), outputs
}

// watched returns what opens the sinks of a destination; the first one that wants to gets the counters.
func (f *courier) watched(open func() (route.Sink, error)) func() (route.Sink, error) {
	var once sync.Once
	return func() (route.Sink, error) {
		s, err := open()
		if w, ok := s.(watcher); ok && err == nil {
			once.Do(func() { w.Watch(f.counts) })
		}
		return s, err
	}
}

func (f *courier) line(p alert.Priority, text string) { f.log.printf("%s: %s", p, text) }

// start opens the queue and begins to deliver. After an error close is to be called, too.
func (f *courier) start(ctx context.Context) (err error) {
	c := f.conf
	if f.transform, err = ingest.NewTransform(c.transform); err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	c.queue.Log = f.line
	var destinations []route.Destination
	for _, d := range c.destinations {
		c.queue.Destinations = append(c.queue.Destinations, queue.Destination{Name: d.Name, Minimum: d.least, Concurrency: d.Concurrency, Ahead: d.ahead})
		d.Open = f.watched(d.Open)
		destinations = append(destinations, d.Destination)
	}
	if f.queue, err = queue.Open(ctx, c.queue); err != nil {
		return err
	}
	f.keeper = route.NewKeeper(f.queue, f.line)
	if f.delivery, err = route.Deliver(f.queue, destinations, f.line); err != nil {
		return err
	}
	f.running.Store(f.delivery)
	if c.queue.Bus.URL == "" {
		if f.control, err = listenControl(c.queue.Dir, f.queue); err != nil { // the path may be too long for a socket, of 108 bytes at most
			f.line(alert.Warning, fmt.Sprintf("%v; saker dead-letters works only while this process does not run", err))
		}
	}
	return nil
}

// close ends the delivery, and then what keeps the alerts.
func (f *courier) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), forwardDrain)
	defer cancel()
	var errs []error
	if f.control != nil {
		f.control.close()
	}
	if f.delivery != nil {
		errs = append(errs, f.delivery.Close(ctx))
	}
	if f.queue != nil {
		errs = append(errs, f.queue.Close())
	}
	return errors.Join(errs...)
}

// healthTime bounds how long who asks for the health waits for the queue: the probes of Kubernetes give up after a second and then
// have the process started anew, which would not help.
const healthTime = 500 * time.Millisecond

// health returns what is said about the destinations beside the health of the process.
func (f *courier) health() []ingest.Destination { return f.healthWithin(healthTime) }

func (f *courier) healthWithin(limit time.Duration) []ingest.Destination {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	_, all, err := f.delivery.Stats(ctx)
	out := []ingest.Destination{}
	if err != nil {
		out = append(out, ingest.Destination{Name: "queue", Failing: true, Error: err.Error()})
	}
	for _, s := range all {
		d := ingest.Destination{Name: s.Name, Queued: s.Queued, Failing: s.Failing > 0 || s.Down, Error: s.Trouble}
		if d.Failing {
			d.UUID, d.Waited = s.UUID, int(s.Oldest.Seconds())
		}
		out = append(out, d)
	}
	return out
}

// closeNow closes a sink that was not used.
func closeNow(c route.Closer) {
	ctx, cancel := context.WithTimeout(context.Background(), forwardDrain)
	defer cancel()
	_ = c.Close(ctx) // it has sent nothing that could be lost
}
