// Package queue keeps alerts on disk until every destination has them: embedded NATS JetStream with a file store, in process
// and without a port, or an external NATS cluster.
//
// There is one stream of alerts, in the order in which they came, and one durable consumer for each destination, which knows how far that
// destination is. An alert stays until every consumer that wants it has acknowledged it. So a destination that is away
// costs room and nothing else: it slows no other one.
//
// Publish returns when the alert is on disk. Alerts that are published while others are being written share one write and one
// fsync (an atomic batch of JetStream, which since NATS 2.15 is synced once), so thousands of alerts a second need tens of syncs.
//
// What the queue holds is bounded by bytes and age. When it is full, the least severe alerts go first, of equally severe ones
// the oldest, because the destinations that work have had them. A new alert that is less severe than all that wait is refused (ErrFull). When the disk is nearly full, all are refused (ErrDisk),
// before JetStream would have to stop. What is shed is counted for each destination that had not had it, logged, and reported as an alert of its own;
// so are dead letters, which have bounds of their own.
//
// Delivery is at least once. After kill -9, what a consumer had not acknowledged is delivered again, in the old order and before
// anything newer; what it had acknowledged in the last moments may be.
package queue

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/saker-sec/saker/internal/alert"
)

// Defaults of Config.
const (
	DefaultName  = "saker"
	DefaultBytes = 1 << 30
	DefaultAge   = 7 * 24 * time.Hour
)

// The bounds of dead letters.
const (
	mostDeadBytes = 256 << 20
	deadAge       = 30 * 24 * time.Hour
)

// Largest is the size in bytes of the largest alert that the queue takes, encoded.
const Largest = 2 << 20

// Reserve is how many bytes of the disk stay free: the room that JetStream needs to go on working.
const Reserve = 64 << 20

// Errors of Publish that a caller may want to tell apart.
var (
	ErrFull   = errors.New("the queue is full of more severe alerts")
	ErrDisk   = errors.New("the disk is full")
	ErrClosed = errors.New("the queue is closed")
	ErrLarge  = error(tooLarge{})
)

// tooLarge is an error that trying again does not mend.
type tooLarge struct{}

// Error says what would be right.
func (tooLarge) Error() string { return fmt.Sprintf("the alert is larger than %d bytes", Largest) }

// Permanent says that trying again is of no use.
func (tooLarge) Permanent() bool { return true }

// Destination is what the queue knows of a destination.
type Destination struct {
	Name    string         // any text; it names the consumer, so alerts wait under it across restarts
	Minimum alert.Priority // less severe alerts are not kept for it; Debug is all of them
	// Concurrency is how many alerts are delivered at once; 0 is 1, which keeps their order.
	Concurrency int
	// Ahead is how many alerts it may hold unacknowledged; 0 is DefaultAhead, or in an external cluster, where another process may take
	// over, Concurrency: then what a process held when it ended comes before anything newer. With more, alerts that were held may
	// come after newer ones there. In a directory of our own the old ones come first in any case.
	Ahead int
}

// Config says where the queue is and what it may hold.
type Config struct {
	Dir string // of the embedded server's files; only one process may use it
	Bus Bus    // an external cluster, in place of Dir
	// Name is that of the stream and the beginning of its subjects; "" is DefaultName.
	Name string

	Bytes int64         // of alerts on disk; 0 is DefaultBytes
	Age   time.Duration // after which an alert is given up; 0 is DefaultAge

	Destinations []Destination
	// Inspect opens the queue for reading and replaying dead letters: destinations that are not named stay as they are, and
	// nothing expires.
	Inspect bool
	// Log takes the lines for the operator; nil drops them. Several goroutines call it.
	Log func(alert.Priority, string)
}

// Queue is an open queue.
type Queue struct {
	cfg    Config
	server *server.Server // nil with an external cluster
	unlock func()
	conn   *nats.Conn
	js     jetstream.JetStream
	alerts jetstream.Stream
	dead   jetstream.Stream
	notes  jetstream.Stream // nil until there is one
	noted  sync.Mutex       // of notes
	graves sync.Mutex       // held while dead letters are written or removed, so that those that are given up can be counted
	subs   map[string]*Subscription
	atomic bool // the server knows atomic batches

	in         chan *item
	done       chan struct{} // closed when nothing more is given out
	once       sync.Once
	closing    sync.RWMutex // of closed
	closed     bool         // nothing more is taken
	publishers sync.WaitGroup
	cancel     context.CancelFunc
	workers    sync.WaitGroup
	deadBytes  int64                 // bound of dead letters; less in tests
	free       func() (int64, error) // bytes of the disk; replaced in tests
	now        func() time.Time
	syncs      atomic.Uint64 // batches written
	accepted   atomic.Uint64
	refused    atomic.Uint64
	failed     atomic.Bool // the last write; JetStream may need mending

	bounds bounds
}

// Open opens the queue and makes what does not exist yet. An external cluster must be reachable.
func Open(ctx context.Context, cfg Config) (*Queue, error) {
	if cfg.Name == "" {
		cfg.Name = DefaultName
	}
	if cfg.Bytes <= 0 {
		cfg.Bytes = DefaultBytes
	}
	if cfg.Age <= 0 {
		cfg.Age = DefaultAge
	}
	if cfg.Log == nil {
		cfg.Log = func(alert.Priority, string) {}
	}
	if strings.ContainsAny(cfg.Name, ".*> \t/\\") {
		return nil, fmt.Errorf("opening the queue: its name is %q, it must be one word without dots, slashes and wildcards", cfg.Name)
	}
	q := &Queue{cfg: cfg, in: make(chan *item, batchCount), done: make(chan struct{}), subs: map[string]*Subscription{}, now: time.Now, deadBytes: mostDeadBytes}
	q.free = func() (int64, error) { return freeBytes(cfg.Dir) }
	err := q.connect()
	if err == nil {
		err = q.setUp(ctx)
	}
	if err != nil {
		q.disconnect()
		return nil, fmt.Errorf("opening the queue: %w", err)
	}
	run, cancel := context.WithCancel(context.Background())
	q.cancel = cancel
	q.workers.Go(func() { q.commitAll(run) })
	if !cfg.Inspect {
		q.workers.Go(func() { q.tend(run) })
		for _, s := range q.subs {
			q.workers.Go(func() { s.fetch(run) })
		}
	}
	return q, nil
}

// setUp makes the streams and consumers, and lets go of the consumers of destinations that are no more.
func (q *Queue) setUp(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if q.js, err = jetstream.New(q.conn); err != nil {
		return err
	}
	c := jetstream.StreamConfig{
		Name: q.cfg.Name, Subjects: []string{q.cfg.Name + ".alert.*", q.cfg.Name + ".to.*"}, Storage: jetstream.FileStorage,
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, MaxBytes: -1, Replicas: q.cfg.Bus.replicas(),
		AllowAtomicPublish: true, MaxMsgSize: Largest + 4096,
	}
	if q.alerts, err = q.js.CreateOrUpdateStream(ctx, c); err != nil {
		return fmt.Errorf("making the stream %s: %w", c.Name, err)
	}
	q.atomic = q.alerts.CachedInfo().Config.AllowAtomicPublish
	d := jetstream.StreamConfig{ // without bounds, which JetStream would keep without a word
		Name: q.cfg.Name + "-dead", Subjects: []string{q.cfg.Name + ".dead.*"}, Storage: jetstream.FileStorage, Replicas: q.cfg.Bus.replicas(),
		Retention: jetstream.LimitsPolicy, Discard: jetstream.DiscardNew, MaxBytes: -1, MaxMsgSize: Largest + 8192,
	}
	if q.dead, err = q.js.CreateOrUpdateStream(ctx, d); err != nil {
		return fmt.Errorf("making the stream %s: %w", d.Name, err)
	}
	for _, d := range q.cfg.Destinations {
		s, err := q.subscribe(ctx, d)
		if err != nil {
			return fmt.Errorf("making the consumer of %s: %w", d.Name, err)
		}
		q.subs[d.Name] = s
	}
	if q.server != nil && !q.cfg.Inspect {
		return q.forget(ctx)
	}
	return nil
}

// forget deletes the consumers and the notes of destinations that are not configured any more; an external cluster may have them for others.
func (q *Queue) forget(ctx context.Context) error {
	list := q.alerts.ListConsumers(ctx)
	for info := range list.Info() {
		name := unescape(info.Name)
		if _, ok := q.subs[name]; ok {
			continue
		}
		if n := info.NumPending + uint64(info.NumAckPending); n > 0 {
			q.cfg.Log(alert.Warning, fmt.Sprintf("destination %s is not configured any more: %d alerts that waited for it are given up", name, n))
		}
		if err := q.alerts.DeleteConsumer(ctx, info.Name); err != nil {
			return fmt.Errorf("deleting the consumer of %s: %w", name, err)
		}
	}
	if err := list.Err(); err != nil {
		return fmt.Errorf("asking for the consumers: %w", err)
	}
	return q.forgetNotes(ctx)
}

// Subscription returns that of a destination of the configuration, or nil.
func (q *Queue) Subscription(name string) *Subscription { return q.subs[name] }

// Close writes what Publish has taken and closes the queue. What is not acknowledged is delivered after the next Open.
func (q *Queue) Close() error {
	q.once.Do(func() {
		q.closing.Lock()
		q.closed = true
		q.closing.Unlock()
		close(q.done)
		q.publishers.Wait()
		q.cancel()
		q.workers.Wait()
		q.report(0)
		q.disconnect()
	})
	return nil
}

// The subjects of the alerts, of those for one destination only, and of dead letters.
func (q *Queue) subject(p alert.Priority) string {
	return fmt.Sprintf("%s.alert.%d", q.cfg.Name, min(p, alert.Debug))
}
func (q *Queue) subjectTo(name string) string   { return q.cfg.Name + ".to." + escape(name) }
func (q *Queue) subjectDead(name string) string { return q.cfg.Name + ".dead." + escape(name) }

// escape makes a word of a name: NATS gives a meaning to dots, blanks and wildcards, and files to slashes. Other bytes than
// letters, digits, - and _ become = and two hexadecimal digits.
func escape(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "=%02x", c)
		}
	}
	return b.String()
}

func unescape(word string) string {
	var b strings.Builder
	for i := 0; i < len(word); i++ {
		var c byte
		if word[i] == '=' && i+2 < len(word) {
			if _, err := fmt.Sscanf(word[i+1:i+3], "%02x", &c); err == nil {
				b.WriteByte(c)
				i += 2
				continue
			}
		}
		b.WriteByte(word[i])
	}
	return b.String()
}
