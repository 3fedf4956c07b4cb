package queue

import (
	"context"
	"fmt"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// Stats is the state of the queue.
type Stats struct {
	Alerts       uint64 // kept
	Bytes        uint64 // of them on disk
	Limit        int64  // of Bytes
	Accepted     uint64 // alerts written since the start
	Refused      uint64 // alerts that could not be
	Syncs        uint64 // writes that the accepted ones took
	Destinations []DestinationStats
}

// DestinationStats is what waits for a destination.
type DestinationStats struct {
	Name   string
	Queued uint64        // not acknowledged
	Oldest time.Duration // age of the oldest that is being delivered
	UUID   string        // of that one
	Dead   uint64        // dead letters kept
	Shed   Shed          // since the start
}

// Accepted returns how many alerts were written since the start, and how many could not be.
func (q *Queue) Accepted() (accepted, refused uint64) { return q.accepted.Load(), q.refused.Load() }

// Idle says whether every destination of the configuration has acknowledged all that is kept for it.
func (q *Queue) Idle(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	info, err := q.alerts.Info(ctx)
	if err != nil {
		return false, fmt.Errorf("asking for the state of the queue: %w", err)
	}
	consumers, err := q.consumers(ctx)
	if err != nil {
		return false, err
	}
	limit := info.State.LastSeq + 1
	for _, c := range consumers {
		if q.subs[unescape(c.Name)] == nil {
			continue // in a cluster, somebody else's
		}
		if needed, err := q.needs(ctx, c, limit); err != nil || needed < limit {
			return false, err
		}
	}
	return true, nil
}

// Stats asks the server for the state of the queue. The destinations are those of the configuration, in its order.
func (q *Queue) Stats(ctx context.Context) (Stats, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	s := Stats{Limit: q.cfg.Bytes, Accepted: q.accepted.Load(), Refused: q.refused.Load(), Syncs: q.syncs.Load()}
	info, err := q.alerts.Info(ctx)
	if err != nil {
		return s, fmt.Errorf("asking for the state of the queue: %w", err)
	}
	s.Alerts, s.Bytes = info.State.Msgs, info.State.Bytes
	queued := map[string]uint64{}
	list := q.alerts.ListConsumers(ctx)
	for c := range list.Info() {
		queued[unescape(c.Name)] = c.NumPending + uint64(c.NumAckPending)
	}
	if err := list.Err(); err != nil {
		return s, fmt.Errorf("asking for the state of the queue: %w", err)
	}
	dead, err := q.countDead(ctx)
	if err != nil {
		return s, err
	}
	q.bounds.counts.Lock()
	defer q.bounds.counts.Unlock()
	for _, d := range q.cfg.Destinations {
		out := DestinationStats{Name: d.Name, Queued: queued[d.Name], Dead: dead[d.Name], Shed: q.bounds.shed[d.Name]}
		if m := q.subs[d.Name].oldest(); m != nil {
			out.Oldest = q.now().Sub(m.At)
			if a, err := alert.Decode(m.Raw); err == nil {
				out.UUID = a.UUID
			}
		}
		s.Destinations = append(s.Destinations, out)
	}
	return s, nil
}
