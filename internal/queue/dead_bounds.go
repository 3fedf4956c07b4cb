package queue

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// expireDeadEvery is the time between two looks for dead letters that are too old.
const expireDeadEvery = time.Hour

// makeRoomForDead gives up the oldest dead letters where another one of so many bytes has no room. It is called with the lock of graves.
func (q *Queue) makeRoomForDead(ctx context.Context, bytes int64) error {
	info, err := q.dead.Info(ctx)
	if err != nil {
		return fmt.Errorf("asking for the dead letters: %w", err)
	}
	s := info.State
	if int64(s.Bytes)+bytes <= q.deadBytes || s.Msgs == 0 {
		return nil
	}
	size := max(1, s.Bytes/s.Msgs)
	n := min(s.Msgs, (uint64(max(bytes, q.deadBytes/shedPart))+size-1)/size)
	if n == s.Msgs {
		return q.giveUpDead(ctx, func(s *Shed) *uint64 { return &s.DeadFull })
	}
	return q.giveUpDead(ctx, func(s *Shed) *uint64 { return &s.DeadFull }, jetstream.WithPurgeKeep(s.Msgs-n))
}

// expireDead gives up the dead letters that are too old.
func (q *Queue) expireDead(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	q.graves.Lock()
	defer q.graves.Unlock()
	info, err := q.dead.Info(ctx)
	if err != nil {
		return fmt.Errorf("asking for the dead letters: %w", err)
	}
	limit := q.now().Add(-deadAge)
	if info.State.Msgs == 0 || !info.State.FirstTime.Before(limit) {
		return nil
	}
	first, err := firstSince(ctx, q.dead, info.State, limit)
	if err != nil {
		return fmt.Errorf("looking for dead letters that are too old: %w", err)
	}
	return q.giveUpDead(ctx, func(s *Shed) *uint64 { return &s.DeadExpired }, jetstream.WithPurgeSequence(first))
}

// giveUpDead removes dead letters and counts them for each destination.
func (q *Queue) giveUpDead(ctx context.Context, which func(*Shed) *uint64, options ...jetstream.StreamPurgeOpt) error {
	before, err := q.countDead(ctx)
	if err != nil {
		return err
	}
	if err := q.dead.Purge(ctx, options...); err != nil {
		return fmt.Errorf("giving up the oldest dead letters: %w", err)
	}
	after, err := q.countDead(ctx)
	if err != nil {
		return err
	}
	for name, n := range before {
		if left := after[name]; left < n {
			q.countShed(name, which, n-left)
		}
	}
	return nil
}

// countDead returns how many dead letters each destination has.
func (q *Queue) countDead(ctx context.Context) (map[string]uint64, error) {
	info, err := q.dead.Info(ctx, jetstream.WithSubjectFilter(q.cfg.Name+".dead.*"))
	if err != nil {
		return nil, fmt.Errorf("asking for the dead letters: %w", err)
	}
	out := map[string]uint64{}
	for subject, n := range info.State.Subjects {
		out[unescape(strings.TrimPrefix(subject, q.cfg.Name+".dead."))] = n
	}
	return out, nil
}
