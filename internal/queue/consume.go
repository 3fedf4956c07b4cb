package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/saker-sec/saker/internal/alert"
)

const (
	// DefaultAhead is how many alerts a destination may hold unacknowledged, so that one need not be asked for after the other.
	DefaultAhead = 64
	// holding is how long an alert may be held. It is prolonged while it is; what was lost on the way to us comes again after it.
	holding = 30 * time.Second
	// prolongEvery is the time between two such prolongations.
	prolongEvery = 10 * time.Second
)

// Subscription yields the alerts for one destination, oldest first.
type Subscription struct {
	q        *Queue
	name     string
	config   jetstream.ConsumerConfig
	consumer jetstream.Consumer
	ready    chan struct{} // closed when what was held by an earlier process can be delivered again
	since    time.Time     // that it is waited for, with the queue's clock
	due      atomic.Int64  // how many of it were not delivered yet
	buffer   chan *Message // has room for all that may be held

	mu    sync.Mutex
	held  map[uint64]*Message // by sequence number
	shed  map[string]floor    // by subject, "" for all: what was given up
	again func()              // makes fetch ask anew; nil before it runs
}

// floor is the place in the queue before which all was given up, and how that counts.
type floor struct {
	below uint64
	which func(*Shed) *uint64
}

// Message is an alert that was taken from the queue and not acknowledged yet.
type Message struct {
	Alert *alert.Alert // nil when it cannot be decoded, see Err
	Err   error
	Raw   []byte    // as it is kept
	At    time.Time // when it was written
	Again bool      // it was delivered before, by this process or an earlier one
	Seq   uint64    // its place in the queue
	Only  bool      // it was written for this destination alone (PublishTo, Replay)

	sub  *Subscription
	msg  jetstream.Msg
	gone atomic.Bool
}

// subscribe makes the durable consumer, or takes up an earlier one.
func (q *Queue) subscribe(ctx context.Context, d Destination) (*Subscription, error) {
	c := jetstream.ConsumerConfig{
		Durable: escape(d.Name), DeliverPolicy: jetstream.DeliverNewPolicy, AckPolicy: jetstream.AckExplicitPolicy,
		MaxDeliver: -1, MaxAckPending: max(d.Ahead, d.Concurrency, 1), AckWait: holding, FilterSubjects: []string{q.subjectTo(d.Name)},
	}
	if d.Ahead <= 0 && q.server != nil {
		c.MaxAckPending = max(c.MaxAckPending, DefaultAhead)
	}
	for p := alert.Emergency; p <= min(d.Minimum, alert.Debug); p++ {
		c.FilterSubjects = append(c.FilterSubjects, q.subject(p))
	}
	s := &Subscription{q: q, name: d.Name, config: c, ready: make(chan struct{}), held: map[uint64]*Message{}, shed: map[string]floor{}, buffer: make(chan *Message, DefaultAhead+c.MaxAckPending)}
	old, err := q.alerts.Consumer(ctx, c.Durable)
	switch {
	case errors.Is(err, jetstream.ErrConsumerNotFound):
		s.consumer, err = q.alerts.CreateConsumer(ctx, c)
		close(s.ready)
		return s, err
	case err != nil:
		return nil, err
	}
	was := old.CachedInfo()
	c.DeliverPolicy, c.OptStartSeq, c.OptStartTime = was.Config.DeliverPolicy, was.Config.OptStartSeq, was.Config.OptStartTime
	s.config = c
	if q.server == nil || was.NumAckPending == 0 {
		s.consumer, err = q.alerts.UpdateConsumer(ctx, c)
		close(s.ready)
		return s, err
	}
	s.since = q.now()
	s.due.Store(int64(was.NumAckPending))
	// What an earlier process held becomes due at once, and before what is newer, when the time for it is over.
	c.AckWait = time.Millisecond
	if s.consumer, err = q.alerts.UpdateConsumer(ctx, c); err != nil {
		return nil, err
	}
	go func() {
		tick := time.NewTicker(dueAfter / dueSteps)
		defer tick.Stop()
		for range dueSteps {
			select {
			case <-tick.C:
			case <-q.done:
				return
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), requestTimeout)
		defer cancel()
		if _, err := q.alerts.UpdateConsumer(ctx, s.config); err != nil && q.conn.IsConnected() {
			q.cfg.Log(alert.Error, fmt.Sprintf("queue: setting the consumer of %s: %v", s.name, err))
		}
		close(s.ready)
	}()
	return s, nil
}

// dueAfter is when JetStream has looked for what is due, after its time limit was changed: it does so after 100 ms
// (nats-server, consumer.go, updateConfig). It is waited for in steps: where the machine stalls, it does so for JetStream too, and what is left of
// the time is what JetStream has to look.
const (
	dueAfter = 250 * time.Millisecond
	dueSteps = 10
)

// Next returns the next alert; it waits for one. The error is that of ctx, or ErrClosed. It may be called by several
// goroutines.
func (s *Subscription) Next(ctx context.Context) (*Message, error) {
	select {
	case <-s.q.done:
		return nil, ErrClosed
	default:
	}
	for {
		select {
		case m := <-s.buffer:
			if !m.Shed() {
				return m.decode(), nil
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.q.done:
			return nil, ErrClosed
		}
	}
}

// Take returns the next alert if one is there already, else nil.
func (s *Subscription) Take() *Message {
	select {
	case <-s.q.done:
		return nil
	default:
	}
	for {
		select {
		case m := <-s.buffer:
			if !m.Shed() {
				return m.decode()
			}
		default:
			return nil
		}
	}
}

func (m *Message) decode() *Message {
	if m.Alert, m.Err = alert.Decode(m.Raw); m.Err == nil {
		m.Alert.Internal = m.msg.Headers().Get(headerInternal) != ""
	}
	return m
}

// restoring says whether what an earlier process held may still wait to be delivered again. It does not for ever: some of it may have been
// removed meanwhile.
func (s *Subscription) restoring(now time.Time) bool {
	return s.due.Load() > 0 && now.Sub(s.since) < holding
}

// fetch takes what the server has into the buffer, until ctx is done.
func (s *Subscription) fetch(ctx context.Context) {
	select {
	case <-s.ready:
	case <-ctx.Done():
		return
	}
	for ctx.Err() == nil {
		asking, cancel := context.WithCancel(ctx)
		s.mu.Lock()
		s.again = cancel
		s.mu.Unlock()
		err := s.fetchSome(ctx, asking)
		anew := asking.Err() != nil
		cancel()
		if anew {
			continue
		}
		s.q.cfg.Log(alert.Warning, fmt.Sprintf("queue: reading the alerts for %s: %v; trying again", s.name, err))
		pause := time.NewTimer(time.Second)
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
		pause.Stop()
	}
}

// fetchAnew drops the request that is with the server, for one that has forgotten it.
func (s *Subscription) fetchAnew() {
	s.mu.Lock()
	again := s.again
	s.mu.Unlock()
	if again != nil {
		again()
	}
}

// fetchSome takes messages until that fails or asking is done.
func (s *Subscription) fetchSome(ctx, asking context.Context) error {
	messages, err := s.consumer.Messages(jetstream.PullMaxMessages(s.config.MaxAckPending), jetstream.PullExpiry(30*time.Second))
	if err != nil {
		return err
	}
	defer messages.Stop()
	for {
		m, err := messages.Next(jetstream.NextContext(asking))
		switch {
		case err == nil:
			s.hold(ctx, m)
		case errors.Is(err, jetstream.ErrNoHeartbeat) && ctx.Err() == nil:
			// the iterator asks again by itself
		default:
			return err
		}
	}
}

// hold puts a message into the buffer, unless it is there already: it comes again when it was not prolonged in time.
func (s *Subscription) hold(ctx context.Context, m jetstream.Msg) {
	meta, err := m.Metadata()
	if err != nil {
		s.q.cfg.Log(alert.Error, fmt.Sprintf("queue: reading the alerts for %s: %v", s.name, err)) // comes again
		return
	}
	if meta.NumDelivered > 1 {
		s.due.Add(-1)
	}
	out := &Message{Raw: m.Data(), At: meta.Timestamp, Again: meta.NumDelivered > 1, sub: s, msg: m, Seq: meta.Sequence.Stream, Only: m.Subject() == s.q.subjectTo(s.name)}
	s.mu.Lock()
	_, twice := s.held[out.Seq]
	f, gone := s.gone(out)
	if !twice && !gone {
		s.held[out.Seq] = out
	}
	s.mu.Unlock()
	if gone { // while it was on its way
		s.q.countShed(s.name, f.which, 1)
		_ = m.Ack() // there is nothing that could come again
	}
	if twice || gone {
		return
	}
	select {
	case s.buffer <- out:
	case <-ctx.Done():
	}
}

// Ack says that the destination has the alert. When that does not get through, the alert is delivered again.
func (m *Message) Ack() error {
	m.release()
	if err := m.msg.Ack(); err != nil {
		return fmt.Errorf("acknowledging an alert of %s: %w", m.sub.name, err)
	}
	return nil
}

// Shed says whether the message has been given up because of the bounds of the queue since it was taken. It is counted as shed, and is not to
// be delivered any more.
func (m *Message) Shed() bool { return m.gone.Load() }

// gone returns the floor that a message is below, if there is one.
func (s *Subscription) gone(m *Message) (floor, bool) {
	for _, subject := range []string{"", m.msg.Subject()} {
		if f := s.shed[subject]; m.Seq < f.below {
			return f, true
		}
	}
	return floor{}, false
}

// drop gives up what is held of the subject, "" for all, and below the floor, and returns how much that is.
func (s *Subscription) drop(subject string, f floor) (n uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shed[subject] = f
	for seq, m := range s.held {
		if _, gone := s.gone(m); gone {
			m.gone.Store(true)
			delete(s.held, seq)
			n++
		}
	}
	return n
}

func (m *Message) release() {
	m.sub.mu.Lock()
	delete(m.sub.held, m.Seq)
	m.sub.mu.Unlock()
}

// prolong keeps what is held from being delivered again.
func (s *Subscription) prolong() {
	s.mu.Lock()
	held := make([]*Message, 0, len(s.held))
	for _, m := range s.held {
		held = append(held, m)
	}
	s.mu.Unlock()
	for _, m := range held {
		_ = m.msg.InProgress() // a failure makes a duplicate at most
	}
}

// oldest returns the oldest alert that is held, or nil.
func (s *Subscription) oldest() (first *Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.held {
		if first == nil || m.Seq < first.Seq {
			first = m
		}
	}
	return first
}
