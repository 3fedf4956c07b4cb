package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/saker-sec/saker/internal/alert"
)

// headerReason says why a dead letter is one.
const headerReason = "Saker-Reason"

// Dead is a dead letter: an alert that a destination has refused for good.
type Dead struct {
	Seq         uint64 // names it
	Destination string
	Reason      string
	At          time.Time    // when it was given up
	Alert       *alert.Alert // nil when it cannot be decoded
	Raw         []byte
}

// Bury makes a dead letter of the message: it is kept with the reason, and the destination gets it no more. After an error it
// is still to be delivered.
func (m *Message) Bury(ctx context.Context, reason string) error {
	q := m.sub.q
	letter := &nats.Msg{Subject: q.subjectDead(m.sub.name), Data: m.Raw, Header: nats.Header{headerReason: {headerText(reason)}}}
	if m.Alert != nil && m.Alert.Internal {
		letter.Header[headerInternal] = []string{"1"}
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := q.keepDead(ctx, letter); err != nil {
		return fmt.Errorf("keeping a dead letter of %s: %w", m.sub.name, err)
	}
	return m.Ack()
}

// keepDead writes a dead letter, for which it makes room.
func (q *Queue) keepDead(ctx context.Context, letter *nats.Msg) error {
	q.graves.Lock()
	defer q.graves.Unlock()
	if err := q.makeRoomForDead(ctx, int64(letter.Size()+overhead)); err != nil {
		return err
	}
	answer, err := q.conn.RequestMsgWithContext(ctx, letter)
	if err != nil {
		return err
	}
	return readAck(answer)
}

// headerText makes one line of a text, as headers need.
func headerText(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return s[:min(len(s), 1000)]
}

// DeadLetters calls yield for the dead letters of a destination, oldest first, until it returns false; "" is all destinations.
func (q *Queue) DeadLetters(ctx context.Context, destination string, yield func(Dead) bool) error {
	subject := q.cfg.Name + ".dead.*"
	if destination != "" {
		subject = q.subjectDead(destination)
	}
	for seq := uint64(1); ; seq++ {
		m, err := q.dead.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(subject))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading dead letters: %w", err)
		}
		seq = m.Sequence
		d := Dead{
			Seq: seq, Destination: unescape(strings.TrimPrefix(m.Subject, q.cfg.Name+".dead.")), Reason: m.Header.Get(headerReason),
			At: m.Time, Raw: m.Data,
		}
		if d.Alert, err = alert.Decode(m.Data); err != nil {
			d.Alert = nil
		} else {
			d.Alert.Internal = m.Header.Get(headerInternal) != ""
		}
		if !yield(d) {
			return nil
		}
	}
}

// Replay delivers dead letters once more: each is written to the queue for its destination, and then removed from the dead
// letters. With a sequence number it is that letter only; 0 is all of the destination, and "" all destinations. It returns
// how many there were. Those of a destination that is not configured any more stay, and the error names it: in the queue nobody would
// take them.
func (q *Queue) Replay(ctx context.Context, destination string, seq uint64) (n int, err error) {
	last, err := q.dead.Info(ctx) // what comes back dead meanwhile is not replayed again
	if err != nil {
		return 0, fmt.Errorf("asking for the dead letters: %w", err)
	}
	var failed, gone error
	served := map[string]bool{}
	err = q.DeadLetters(ctx, destination, func(d Dead) bool {
		if d.Seq > last.State.LastSeq {
			return false
		}
		if seq != 0 && d.Seq != seq {
			return d.Seq < seq
		}
		there, asked := served[d.Destination]
		if !asked {
			if there, failed = q.serves(ctx, d.Destination); failed != nil {
				return false
			}
			served[d.Destination] = there
			if !there {
				gone = errors.Join(gone, fmt.Errorf("the destination %s is not configured: its dead letters stay", d.Destination))
			}
		}
		if !there {
			return true
		}
		it := &item{subject: q.subjectTo(d.Destination), priority: alert.Emergency, data: d.Raw, done: make(chan error, 1)}
		if d.Alert != nil && d.Alert.Internal {
			it.header = nats.Header{headerInternal: {"1"}}
		}
		if failed = q.write(ctx, it); failed == nil {
			failed = q.removeDead(ctx, d.Seq)
		}
		if failed != nil {
			failed = fmt.Errorf("replaying dead letter %d of %s: %w", d.Seq, d.Destination, failed)
			return false
		}
		n++
		return true
	})
	return n, errors.Join(err, failed, gone)
}

// removeDead removes a dead letter that is in the queue again.
func (q *Queue) removeDead(ctx context.Context, seq uint64) error {
	q.graves.Lock()
	defer q.graves.Unlock()
	return q.dead.DeleteMsg(ctx, seq)
}

// serves says whether the queue keeps alerts for a destination: whether it has a consumer.
func (q *Queue) serves(ctx context.Context, name string) (bool, error) {
	_, err := q.alerts.Consumer(ctx, escape(name))
	if errors.Is(err, jetstream.ErrConsumerNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("asking for the consumer of %s: %w", name, err)
	}
	return true, nil
}
