package queue

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/saker-sec/saker/internal/alert"
)

// The bounds of what is written with one fsync.
const (
	batchCount = 512
	batchBytes = 4 << 20
)

// overhead is about what a message takes on disk beside its text.
const overhead = 160

// headerInternal marks alerts of the engine itself.
const headerInternal = "Saker-Internal"

// item is an alert that is to be written.
type item struct {
	subject  string
	priority alert.Priority
	data     []byte
	header   nats.Header
	done     chan error // gets the result; never blocks
}

func (it *item) size() int64 { return int64(len(it.data) + len(it.subject) + overhead) }

// Publish writes an alert for all destinations and returns when it is on disk. It may be called by several goroutines, and is
// meant to be: those that wait at the same time share a write. When ctx ends first, the alert may or may not be kept.
func (q *Queue) Publish(ctx context.Context, a *alert.Alert) error {
	return q.publish(ctx, q.subject(a.Priority), a)
}

// PublishAll is Publish for an alert that every destination gets, whatever its minimum is.
func (q *Queue) PublishAll(ctx context.Context, a *alert.Alert) error {
	return q.publish(ctx, q.subject(alert.Emergency), a)
}

// PublishTo writes an alert for one destination only, whatever that one's minimum is.
func (q *Queue) PublishTo(ctx context.Context, name string, a *alert.Alert) error {
	return q.publish(ctx, q.subjectTo(name), a)
}

// PublishEach writes alerts in their order, for all destinations, as far as they can be written. It returns nil when all are on disk, or
// else an error or nil for each.
func (q *Queue) PublishEach(ctx context.Context, alerts []*alert.Alert) []error {
	errs := make([]error, len(alerts))
	items := make([]*item, len(alerts))
	for i, a := range alerts {
		if items[i], errs[i] = newItem(q.subject(a.Priority), a); errs[i] == nil {
			errs[i] = q.begin(ctx, items[i])
		}
	}
	failed := false
	for i, it := range items {
		if errs[i] == nil {
			errs[i] = q.wait(ctx, it)
		}
		failed = failed || errs[i] != nil
	}
	if !failed {
		return nil
	}
	return errs
}

func (q *Queue) publish(ctx context.Context, subject string, a *alert.Alert) error {
	it, err := newItem(subject, a)
	if err != nil {
		return err
	}
	return q.write(ctx, it)
}

func newItem(subject string, a *alert.Alert) (*item, error) {
	it := &item{subject: subject, priority: a.Priority, data: a.AppendSidekick(nil), done: make(chan error, 1)}
	if len(it.data) > Largest {
		return nil, ErrLarge
	}
	if a.Internal {
		it.header = nats.Header{headerInternal: {"1"}}
	}
	return it, nil
}

func (q *Queue) write(ctx context.Context, it *item) error {
	if err := q.begin(ctx, it); err != nil {
		return err
	}
	return q.wait(ctx, it)
}

// begin hands an item over to commitAll. After success wait is to be called.
func (q *Queue) begin(ctx context.Context, it *item) error {
	q.closing.RLock()
	if q.closed {
		q.closing.RUnlock()
		return ErrClosed
	}
	q.publishers.Add(1)
	q.closing.RUnlock()
	select {
	case q.in <- it:
		return nil
	case <-ctx.Done():
		q.publishers.Done()
		return ctx.Err()
	}
}

// wait waits until an item is written.
func (q *Queue) wait(ctx context.Context, it *item) error {
	defer q.publishers.Done()
	select {
	case err := <-it.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// commitAll writes what is published, everything that waits at once. It ends after the last publisher.
func (q *Queue) commitAll(ctx context.Context) {
	batch := make([]*item, 0, batchCount)
	for {
		select {
		case it := <-q.in:
			batch = q.collect(append(batch[:0], it))
			q.commit(batch)
		case <-ctx.Done():
			return
		}
	}
}

// collect adds what waits, within the bounds.
func (q *Queue) collect(batch []*item) []*item {
	bytes := batch[0].size()
	for len(batch) < batchCount && bytes < batchBytes {
		select {
		case it := <-q.in:
			batch = append(batch, it)
			bytes += it.size()
		default:
			return batch
		}
	}
	return batch
}

// commit writes a batch and tells the publishers.
func (q *Queue) commit(batch []*item) {
	batch = q.admit(batch)
	if len(batch) == 0 {
		return
	}
	var err error
	if q.atomic || len(batch) == 1 {
		err = q.writeBatch(batch)
	} else {
		err = q.writeEach(batch)
	}
	if err != nil {
		q.failed.Store(true)
		err = fmt.Errorf("writing to the queue: %w", err)
		q.refused.Add(uint64(len(batch)))
	} else {
		q.syncs.Add(1)
		q.accepted.Add(uint64(len(batch)))
	}
	for _, it := range batch {
		it.done <- err
	}
}

// writeBatch writes all or nothing, with one sync (JetStream's atomic batch publish, ADR-50).
func (q *Queue) writeBatch(batch []*item) error {
	id, last := nuid.Next(), len(batch)-1
	for i, it := range batch {
		m := &nats.Msg{Subject: it.subject, Header: it.header, Data: it.data}
		if last > 0 {
			if m.Header == nil {
				m.Header = nats.Header{}
			}
			m.Header["Nats-Batch-Id"] = []string{id}
			m.Header["Nats-Batch-Sequence"] = []string{strconv.Itoa(i + 1)}
		}
		if i == last {
			if last > 0 {
				m.Header["Nats-Batch-Commit"] = []string{"1"}
			}
			answer, err := q.conn.RequestMsg(m, requestTimeout)
			if err != nil {
				return err
			}
			return readAck(answer)
		}
		if err := q.conn.PublishMsg(m); err != nil {
			return err
		}
	}
	return nil
}

// writeEach writes to a server that does not know batches.
func (q *Queue) writeEach(batch []*item) error {
	inbox := q.conn.NewInbox()
	sub, err := q.conn.SubscribeSync(inbox)
	if err != nil {
		return err
	}
	defer func() { _ = sub.Unsubscribe() }() // the connection ends it in any case
	for _, it := range batch {
		if err := q.conn.PublishMsg(&nats.Msg{Subject: it.subject, Reply: inbox, Header: it.header, Data: it.data}); err != nil {
			return err
		}
	}
	var errs []error
	for range batch {
		answer, err := sub.NextMsg(requestTimeout)
		if err != nil {
			return err
		}
		errs = append(errs, readAck(answer))
	}
	return errors.Join(errs...)
}

// readAck returns what went wrong, if anything did.
func readAck(m *nats.Msg) error {
	var ack struct {
		Seq   uint64 `json:"seq"`
		Error *struct {
			Description string `json:"description"`
		} `json:"error"`
	}
	if m.Header.Get("Status") == "503" {
		return errors.New("JetStream does not answer")
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		return fmt.Errorf("reading JetStream's answer: %w", err)
	}
	if ack.Error != nil {
		return errors.New(ack.Error.Description)
	}
	if ack.Seq == 0 {
		return errors.New("JetStream's answer has no sequence number")
	}
	return nil
}
