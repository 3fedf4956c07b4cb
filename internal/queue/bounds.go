package queue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/saker-sec/saker/internal/alert"
)

const (
	tendEvery = time.Second
	// shedPart is the part of the bound that is made free at once, so that a full queue is not shed for every alert.
	shedPart = 20
	// reportEvery is the least time between two alerts about what was shed.
	reportEvery = time.Minute
	// lookEvery is the least time between two looks at the free room of the disk.
	lookEvery = 100 * time.Millisecond
)

// bounds is what keeps the queue within its bounds. The goroutine of commit and that of tend use it in turns.
type bounds struct {
	mu      sync.Mutex
	bytes   int64  // of the stream: as it was last asked for, and what was written since
	written uint64 // messages since the start
	seen    uint64 // of written, when the stream was last looked after
	idle    bool   // nothing is kept
	looked  time.Time
	full    bool // the disk

	counts   sync.Mutex // of what follows
	shed     map[string]Shed
	fresh    map[string]Shed // not reported yet
	reported time.Time
}

// Shed counts the alerts that a destination does not get because of the bounds.
type Shed struct {
	Full    uint64 // the queue was full
	Expired uint64 // they were too old

	DeadFull    uint64 // dead letters of it that had to make room for others
	DeadExpired uint64 // dead letters of it that were too old
}

// admit returns the part of the batch that may be written, makes room for it, and refuses the rest.
func (q *Queue) admit(batch []*item) []*item {
	b := &q.bounds
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := q.checkDisk(); err != nil {
		for _, it := range batch {
			q.refuse(it, err)
		}
		return nil
	}
	var need int64
	for _, it := range batch {
		need += it.size()
	}
	if b.bytes+need > q.cfg.Bytes {
		batch, need = q.makeRoom(batch, need)
	}
	b.bytes += need
	b.written += uint64(len(batch))
	return batch
}

func (q *Queue) refuse(it *item, err error) {
	q.refused.Add(1)
	it.done <- err
}

// checkDisk refuses everything while too little of the disk is free, and mends what a full disk has broken when it is not.
func (q *Queue) checkDisk() error {
	b := &q.bounds
	if q.server == nil {
		return nil
	}
	if now := q.now(); now.Sub(b.looked) >= lookEvery {
		b.looked = now
		free, err := q.free()
		was := b.full
		b.full = err == nil && free < Reserve
		switch {
		case b.full && !was:
			q.cfg.Log(alert.Critical, fmt.Sprintf("queue: %s is full (%d MiB free, %d MiB are needed): alerts are refused until there is room", q.cfg.Dir, free>>20, Reserve>>20))
		case was && !b.full:
			q.cfg.Log(alert.Notice, fmt.Sprintf("queue: %s has room again, alerts are taken", q.cfg.Dir))
		}
	}
	if b.full {
		return ErrDisk
	}
	if q.failed.Load() {
		if err := q.mend(); err != nil {
			return err
		}
		q.failed.Store(false)
	}
	return nil
}

// makeRoom sheds what is less severe, first what everybody has. It refuses the part of the batch that is less severe than
// all that waits.
func (q *Queue) makeRoom(batch []*item, need int64) ([]*item, int64) {
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	b := &q.bounds
	info, err := q.reap(ctx)
	if err == nil && b.bytes+need > q.cfg.Bytes {
		err = q.reapUnwanted(ctx, info.State.LastSeq)
	}
	if err != nil {
		q.cfg.Log(alert.Error, fmt.Sprintf("queue: %v", err))
	}
	for b.bytes+need > q.cfg.Bytes {
		least, count, err := q.leastSevere(ctx)
		if err != nil {
			for _, it := range batch { // not with ErrFull: nobody knows yet whether they are the least severe
				q.refuse(it, fmt.Errorf("the queue is full; looking for what to shed: %w", err))
			}
			return nil, 0
		}
		at := -1 // newest of the least severe in the batch
		for i, it := range batch {
			if at < 0 || it.priority >= batch[at].priority {
				at = i
			}
		}
		if count == 0 || batch[at].priority > least {
			it := batch[at]
			batch = append(batch[:at:at], batch[at+1:]...)
			need -= it.size()
			q.refuse(it, ErrFull)
			if len(batch) == 0 {
				return nil, 0
			}
			continue
		}
		if err := q.shedOldest(ctx, least, count, max(need, q.cfg.Bytes/shedPart)); err != nil {
			for _, it := range batch {
				q.refuse(it, fmt.Errorf("the queue is full; shedding: %w", err))
			}
			return nil, 0
		}
	}
	return batch, need
}

// leastSevere returns the least severe priority of what is kept, and how many alerts have it.
func (q *Queue) leastSevere(ctx context.Context) (alert.Priority, uint64, error) {
	info, err := q.alerts.Info(ctx, jetstream.WithSubjectFilter(q.cfg.Name+".alert.*"))
	if err != nil {
		return 0, 0, err
	}
	q.bounds.bytes = int64(info.State.Bytes)
	for p := int(alert.Debug); p >= 0; p-- {
		if n := info.State.Subjects[q.subject(alert.Priority(p))]; n > 0 {
			return alert.Priority(p), n, nil
		}
	}
	return 0, 0, nil
}

// shedOldest removes the oldest alerts of a priority, about as many as have the given number of bytes.
func (q *Queue) shedOldest(ctx context.Context, p alert.Priority, count uint64, bytes int64) error {
	info := q.alerts.CachedInfo()
	size := max(1, info.State.Bytes/max(1, info.State.Msgs))
	n := min(count, (uint64(bytes)+size-1)/size)
	options := []jetstream.StreamPurgeOpt{jetstream.WithPurgeSubject(q.subject(p))}
	if n < count {
		options = append(options, jetstream.WithPurgeKeep(count-n))
	}
	full := func(s *Shed) *uint64 { return &s.Full }
	if err := q.counting(ctx, full, options...); err != nil {
		return err
	}
	left, err := following(ctx, q.alerts, 1, q.subject(p))
	if err != nil {
		return fmt.Errorf("looking for what is left: %w", err)
	}
	if info, err = q.alerts.Info(ctx); err != nil {
		return err
	}
	first := info.State.LastSeq + 1
	if left != nil {
		first = left.Sequence
	}
	q.dropHeld(q.subject(p), floor{first, full})
	q.bounds.bytes = int64(info.State.Bytes)
	return nil
}

// counting removes alerts and counts for each destination those that it had not been given.
func (q *Queue) counting(ctx context.Context, which func(*Shed) *uint64, options ...jetstream.StreamPurgeOpt) error {
	before, err := q.ahead(ctx)
	if err != nil {
		return err
	}
	if err := q.alerts.Purge(ctx, options...); err != nil {
		return err
	}
	after, err := q.ahead(ctx)
	if err != nil {
		return err
	}
	for name, n := range before {
		if left, ok := after[name]; ok && left < n {
			q.countShed(name, which, n-left)
		}
	}
	return nil
}

// countShed counts what a destination does not get.
func (q *Queue) countShed(name string, which func(*Shed) *uint64, n uint64) {
	b := &q.bounds
	b.counts.Lock()
	defer b.counts.Unlock()
	if b.shed == nil {
		b.shed, b.fresh = map[string]Shed{}, map[string]Shed{}
	}
	for _, m := range []map[string]Shed{b.shed, b.fresh} {
		s := m[name]
		*which(&s) += n
		m[name] = s
	}
}

// dropHeld counts for each destination what it had been given and not acknowledged, and that is not kept any more. Without that it would be
// lost without a word when the process ends before the destination takes it.
func (q *Queue) dropHeld(subject string, f floor) {
	for name, s := range q.subs {
		if n := s.drop(subject, f); n > 0 {
			q.countShed(name, f.which, n)
		}
	}
}

// ahead returns for each destination how many alerts it has been given and will be given: a number that only shedding makes
// smaller.
func (q *Queue) ahead(ctx context.Context) (map[string]uint64, error) {
	out := map[string]uint64{}
	list := q.alerts.ListConsumers(ctx)
	for info := range list.Info() {
		out[unescape(info.Name)] = info.Delivered.Consumer + info.NumPending
	}
	return out, list.Err()
}

// tend removes what everybody has and what is too old, and reports what was shed.
func (q *Queue) tend(ctx context.Context) {
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if n%int(prolongEvery/tendEvery) == 0 {
			for _, s := range q.subs {
				s.prolong()
			}
		}
		if err := q.tendOnce(ctx); err != nil && ctx.Err() == nil {
			q.cfg.Log(alert.Error, fmt.Sprintf("queue: %v", err))
		}
		if n%int(expireDeadEvery/tendEvery) == 0 {
			if err := q.expireDead(ctx); err != nil && ctx.Err() == nil {
				q.cfg.Log(alert.Error, fmt.Sprintf("queue: %v", err))
			}
		}
		q.report(reportEvery)
	}
}

func (q *Queue) tendOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	b := &q.bounds
	b.mu.Lock()
	defer b.mu.Unlock()
	if q.server != nil {
		q.failed.Store(true) // a store that only dead letters or notes are written to can fail, too
		if err := q.checkDisk(); err != nil && !errors.Is(err, ErrDisk) {
			return err
		}
	}
	if b.idle && b.written == b.seen && q.server != nil {
		return nil
	}
	b.seen = b.written
	info, err := q.reap(ctx)
	if err != nil {
		return err
	}
	b.idle = info.State.Msgs == 0
	if b.idle || q.now().Sub(info.State.FirstTime) < q.cfg.Age {
		return nil
	}
	return q.expire(ctx, info.State)
}

// reap removes the alerts that every consumer has acknowledged. It waits while one takes over from an earlier process: of what is to be
// delivered again first, JetStream forgets that it is when something is removed (nats-server, consumer.go, purge).
func (q *Queue) reap(ctx context.Context) (*jetstream.StreamInfo, error) {
	info, err := q.alerts.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking for the state of the stream: %w", err)
	}
	q.bounds.bytes = int64(info.State.Bytes)
	if info.State.Msgs == 0 {
		return info, nil
	}
	for _, s := range q.subs {
		if s.restoring(q.now()) {
			return info, nil
		}
	}
	consumers, err := q.consumers(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(consumers, func(a, b *jetstream.ConsumerInfo) int { return cmp.Compare(pending(b), pending(a)) }) // those who lack most mostly decide
	first := info.State.LastSeq + 1
	for _, c := range consumers {
		if first, err = q.needs(ctx, c, first); err != nil {
			return nil, err
		}
		if first <= info.State.FirstSeq {
			return info, nil
		}
	}
	if err := q.alerts.Purge(ctx, jetstream.WithPurgeSequence(first)); err != nil {
		return nil, fmt.Errorf("removing what is delivered: %w", err)
	}
	if info, err = q.alerts.Info(ctx); err != nil {
		return nil, fmt.Errorf("asking for the state of the stream: %w", err)
	}
	q.bounds.bytes = int64(info.State.Bytes)
	return info, nil
}

// consumers returns the states of all consumers.
func (q *Queue) consumers(ctx context.Context) (all []*jetstream.ConsumerInfo, err error) {
	list := q.alerts.ListConsumers(ctx)
	for c := range list.Info() {
		all = append(all, c)
	}
	if err := list.Err(); err != nil {
		return nil, fmt.Errorf("asking for the state of the consumers: %w", err)
	}
	return all, nil
}

// needs returns the sequence number of the first alert before a limit that a consumer has not acknowledged, or one before it; the limit, if there
// is none. A consumer is told of an alert only after its publisher (nats-server, stream.go, signalConsumersLoop): until then it says that
// nothing is pending. So what it has not been given yet is looked for among what is kept.
func (q *Queue) needs(ctx context.Context, c *jetstream.ConsumerInfo, limit uint64) (uint64, error) {
	if pending(c) > 0 {
		return min(limit, c.AckFloor.Stream+1), nil
	}
	for _, subject := range subjects(c) {
		if c.Delivered.Stream+1 >= limit {
			break
		}
		m, err := following(ctx, q.alerts, c.Delivered.Stream+1, subject)
		if err != nil {
			return 0, fmt.Errorf("looking for what %s has not been given: %w", unescape(c.Name), err)
		}
		if m != nil {
			limit = min(limit, m.Sequence)
		}
	}
	return limit, nil
}

// pending returns how many alerts a consumer knows of that it has not acknowledged.
func pending(c *jetstream.ConsumerInfo) uint64 { return c.NumPending + uint64(c.NumAckPending) }

// subjects returns what a consumer gets. In a cluster it may be somebody else's, with one filter or none.
func subjects(c *jetstream.ConsumerInfo) []string {
	switch {
	case len(c.Config.FilterSubjects) > 0:
		return c.Config.FilterSubjects
	case c.Config.FilterSubject != "":
		return []string{c.Config.FilterSubject}
	}
	return []string{">"}
}

// wants says whether a consumer may get alerts with the subject.
func wants(c *jetstream.ConsumerInfo, subject string) bool {
	return slices.ContainsFunc(subjects(c), func(s string) bool { return s == subject || strings.ContainsAny(s, "*>") })
}

// reapUnwanted removes, up to the sequence number that was the last one before, the alerts of each priority that every destination has which
// wants that priority. One that is away and wants severe alerts only would else have others kept, which nobody waits for, and what somebody
// waits for would be shed or refused for them. It costs more than reap, and is for a queue that is full.
func (q *Queue) reapUnwanted(ctx context.Context, last uint64) error {
	consumers, err := q.consumers(ctx)
	if err != nil {
		return err
	}
	needed := make([]uint64, len(consumers))
	for i, c := range consumers {
		if needed[i], err = q.needs(ctx, c, last+1); err != nil {
			return err
		}
	}
	for p := alert.Emergency; p <= alert.Debug; p++ {
		subject, first := q.subject(p), last+1
		for i, c := range consumers {
			if wants(c, subject) {
				first = min(first, needed[i])
			}
		}
		if err := q.alerts.Purge(ctx, jetstream.WithPurgeSubject(subject), jetstream.WithPurgeSequence(first)); err != nil {
			return fmt.Errorf("removing what nobody waits for: %w", err)
		}
	}
	info, err := q.alerts.Info(ctx)
	if err != nil {
		return fmt.Errorf("asking for the state of the stream: %w", err)
	}
	q.bounds.bytes = int64(info.State.Bytes)
	return nil
}

// expire removes the alerts that are too old.
func (q *Queue) expire(ctx context.Context, s jetstream.StreamState) error {
	first, err := firstSince(ctx, q.alerts, s, q.now().Add(-q.cfg.Age))
	if err != nil {
		return fmt.Errorf("looking for what is too old: %w", err)
	}
	expired := func(s *Shed) *uint64 { return &s.Expired }
	if err := q.counting(ctx, expired, jetstream.WithPurgeSequence(first)); err != nil {
		return fmt.Errorf("removing what is too old: %w", err)
	}
	q.dropHeld("", floor{first, expired})
	return nil
}

// firstSince returns the sequence number from which on a stream, whose first message is older than the limit, has what is not: messages are
// in the order of their times.
func firstSince(ctx context.Context, stream jetstream.Stream, s jetstream.StreamState, limit time.Time) (uint64, error) {
	low, high := s.FirstSeq+1, s.LastSeq+1 // the first that stays is in low..high
	for low < high {
		middle := low + (high-low)/2
		m, err := following(ctx, stream, middle, ">")
		if err != nil {
			return 0, err
		}
		if m == nil || !m.Time.Before(limit) {
			high = middle
		} else {
			low = m.Sequence + 1
		}
	}
	return low, nil
}

// following returns the first message from a sequence number on with the subject, or nil.
func following(ctx context.Context, stream jetstream.Stream, seq uint64, subject string) (*jetstream.RawStreamMsg, error) {
	m, err := stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(subject))
	if err != nil && strings.Contains(err.Error(), "not found") {
		return nil, nil
	}
	return m, err
}

// report logs what was shed and makes an alert of it, unless that was done not so long ago. What is shed before the end is logged at the end.
func (q *Queue) report(after time.Duration) {
	b := &q.bounds
	now := q.now()
	b.counts.Lock()
	fresh := b.fresh
	if now.Sub(b.reported) < after {
		fresh = nil
	}
	if len(fresh) > 0 {
		b.fresh = map[string]Shed{}
		b.reported = now
	}
	b.counts.Unlock()
	for name, s := range fresh {
		if s.Full+s.Expired > 0 {
			q.reportShed("Saker internal: alerts shed", name, s.Full, s.Expired, fmt.Sprintf("alerts for %s were shed: %d because the queue is full (%d MiB), %d because they were older than %v",
				name, s.Full, q.cfg.Bytes>>20, s.Expired, q.cfg.Age))
		}
		if s.DeadFull+s.DeadExpired > 0 {
			q.reportShed("Saker internal: dead letters given up", name, s.DeadFull, s.DeadExpired, fmt.Sprintf("dead letters of %s were given up: %d because there are too many (%d MiB), %d because they were older than %d days",
				name, s.DeadFull, q.deadBytes>>20, s.DeadExpired, deadAge/(24*time.Hour)))
		}
	}
}

func (q *Queue) reportShed(rule, name string, full, expired uint64, text string) {
	q.cfg.Log(alert.Critical, "queue: "+text)
	a := &alert.Alert{
		UUID: alert.NewUUID(), Time: q.now().UTC(), Rule: rule, Priority: alert.Critical, Source: "internal", Internal: true, Message: text,
		Fields: []alert.Field{
			{Key: "destination", Value: alert.Value{Kind: alert.Text, Text: name}},
			{Key: "full", Value: alert.Value{Kind: alert.Uint, Num: full}},
			{Key: "expired", Value: alert.Value{Kind: alert.Uint, Num: expired}},
		},
	}
	ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
	defer cancel()
	if err := q.Publish(ctx, a); err != nil && !errors.Is(err, ErrClosed) {
		q.cfg.Log(alert.Error, fmt.Sprintf("queue: reporting what was shed: %v", err))
	}
}
