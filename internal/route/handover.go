package route

import (
	"context"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// HandOver is Close for a router that another one takes the place of: what an output has not delivered when its time is over goes to
// the output of the same name there, behind what waits already. The error is about what no output takes over.
func (r *Router) HandOver(ctx context.Context, to *Router) error {
	r.stop(ctx)
	last, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	for _, o := range r.outputs {
		ended := o.hasEnded(last) // what it delivers at the last moment is not delivered again
		for _, next := range to.outputs {
			if next.name == o.name {
				if ended {
					o.bequeath(next)
				}
				to.takeOver(o.queue.left(), next)
			}
		}
	}
	return r.farewell()
}

// bequeath gives what the sink was closed with to that of another output.
func (o *output) bequeath(next *output) {
	was, ok := o.sink.(Heir)
	heir, is := next.sink.(Heir)
	if !ok || !is {
		return
	}
	if lines := was.Leave(); len(lines) > 0 && heir.Inherit(lines) {
		o.closeErr = nil // which says that they are lost
	}
}

// left is an alert that was not delivered.
type left struct {
	alert *alert.Alert
	at    time.Time // of Publish
	size  int
}

// takeOver queues for an output what another router had for it.
func (r *Router) takeOver(all []left, o *output) {
	for _, l := range all {
		m := r.pool.Get().(*message)
		m.alert, m.at, m.size = l.alert, l.at, l.size
		m.refs.Store(1)
		if o.queue.push(m) {
			r.tellDrops()
		}
	}
}

// left takes out what is not delivered, the oldest first. The one that is being delivered is among it: it may be delivered twice.
func (q *queue) left() (all []left) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if m := q.current; m != nil {
		all = append(all, left{m.alert, m.at, m.size})
		q.current = nil // not released: a sink that hangs may still have it
	}
	for n := q.first(); n != nil; n = q.first() {
		m := n.m
		q.unlink(n)
		all = append(all, left{m.alert, m.at, m.size})
		m.release()
	}
	return all
}
