package route

import "time"

// Stats is the state of one output. The counters are since the start and count alerts, not attempts, unless said otherwise.
type Stats struct {
	Name    string
	Queued  int           // not delivered yet, with the one being delivered
	Bytes   int           // memory of the queued ones, as estimated
	Oldest  time.Duration // age of the oldest queued one
	Sent    uint64
	Dropped uint64 // because the queue was full or closed
	Failed  uint64 // refused for good by the destination
	Retried uint64 // further attempts
	Blocked bool   // the delivery in progress takes longer than the timeout
	Trouble string // why the last attempt failed; "" when it succeeded
}

// Stats returns the state of each output, in the order of the configuration.
func (r *Router) Stats() []Stats {
	now := time.Now()
	out := make([]Stats, 0, len(r.outputs))
	for _, o := range r.outputs {
		s := Stats{
			Name: o.name, Sent: o.sent.Load(), Failed: o.failed.Load(), Retried: o.retried.Load(),
			Blocked: o.state.Load() == overdue, Trouble: o.trouble.text(),
		}
		s.Queued, s.Bytes, s.Oldest, s.Dropped = o.queue.backlog(now)
		out = append(out, s)
	}
	return out
}
