package route

import (
	"context"
	"sync/atomic"
	"time"

	durable "github.com/saker-sec/saker/internal/queue"
)

// DestinationStats is the state of a destination. The counters are since the start and count alerts, unless said otherwise.
type DestinationStats struct {
	durable.DestinationStats
	Sent     uint64
	Buried   uint64 // became dead letters
	Retried  uint64 // further attempts
	Filtered uint64 // not wanted by the destination's filter
	Grouped  uint64 // held back as repeats
	Failing  int    // attempts that failed in a row
	Down     bool   // the circuit breaker is open, or the destination could not be set up
	Trouble  string // why the last attempt failed; "" when it succeeded
	Latency  Latency
}

// Latency is a histogram of the attempts' durations.
type Latency struct {
	Counts [len(latencyBounds) + 1]uint64 // of attempts up to each bound, and of the rest; not cumulative
	Sum    time.Duration
}

// latencyBounds are the upper bounds of the histogram.
var latencyBounds = [...]time.Duration{
	5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond,
	250 * time.Millisecond, 500 * time.Millisecond, time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second,
}

// LatencyBounds returns the upper bounds of the histogram; the last part has none.
func LatencyBounds() []time.Duration { return latencyBounds[:] }

type histogram struct {
	counts [len(latencyBounds) + 1]atomic.Uint64
	sum    atomic.Int64
}

func (h *histogram) observe(d time.Duration) {
	i := 0
	for i < len(latencyBounds) && d > latencyBounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.sum.Add(int64(d))
}

// Count is how many alerts were delivered, and how many attempts failed, since the start.
type Count struct{ OK, Failed uint64 }

// Counts returns the counts by the names of the destinations.
func (d *Delivery) Counts() map[string]Count {
	out := map[string]Count{}
	for _, t := range d.destinations {
		out[t.Name] = Count{t.sent.Load(), t.retried.Load() + t.dead.Load()}
	}
	return out
}

// Stats returns the state of the queue and of each destination, in the order of the configuration.
func (d *Delivery) Stats(ctx context.Context) (durable.Stats, []DestinationStats, error) {
	all, err := d.queue.Stats(ctx)
	waiting := map[string]durable.DestinationStats{}
	for _, w := range all.Destinations {
		waiting[w.Name] = w
	}
	var out []DestinationStats
	for _, t := range d.destinations {
		s := DestinationStats{
			DestinationStats: waiting[t.Name], Sent: t.sent.Load(), Buried: t.dead.Load(), Retried: t.retried.Load(),
			Filtered: t.filtered.Load(), Grouped: t.grouped.Load(), Trouble: t.trouble.text(),
		}
		s.Name = t.Name
		s.Failing, s.Down = t.gate.state()
		s.Down = s.Down || t.unusable.Load()
		for i := range s.Latency.Counts {
			s.Latency.Counts[i] = t.latency.counts[i].Load()
		}
		s.Latency.Sum = time.Duration(t.latency.sum.Load())
		out = append(out, s)
	}
	return all, out, err
}
