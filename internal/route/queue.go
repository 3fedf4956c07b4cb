package route

import (
	"sync"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// lanes is the number of priorities.
const lanes = int(alert.Debug) + 1

// node is a message's place in one queue.
type node struct {
	m          *message
	seq        uint64 // order of arrival
	prev, next *node
}

// lane holds the waiting messages of one priority, oldest first.
type lane struct {
	head, tail *node
	bytes      int
}

// queue holds what waits for one output: one lane for each priority, so that both the oldest message and the newest of the
// least severe ones are found at once.
type queue struct {
	output             int // index of the output, and of its nodes
	maxCount, maxBytes int
	wait               bool
	wake               chan struct{} // holds a value when there may be something to do

	mu           sync.Mutex
	room         sync.Cond // for push with wait
	lanes        [lanes]lane
	count, bytes int
	seq          uint64
	current      *message // being delivered: not in a lane any more, but not done with either
	closed       bool
	dropped      uint64
	said         uint64 // of dropped, those that were logged
}

func newQueue(output int, o Output) *queue {
	q := &queue{output: output, maxCount: o.Capacity, maxBytes: o.Bytes, wait: o.Wait, wake: make(chan struct{}, 1)}
	if q.maxCount <= 0 {
		q.maxCount = DefaultCapacity
	}
	if q.maxBytes <= 0 {
		q.maxBytes = DefaultBytes
	}
	q.room.L = &q.mu
	return q
}

// laneOf returns the lane of a priority; what is out of range counts as least severe.
func laneOf(m *message) int { return min(int(m.alert.Priority), lanes-1) }

// push queues a message, or drops what has to be dropped, and says whether it did.
func (q *queue) push(m *message) (lost bool) {
	n := &m.nodes[q.output]
	n.m, n.prev, n.next = m, nil, nil
	q.mu.Lock()
	for q.wait && !q.closed && !q.fits(m.size) {
		q.room.Wait()
	}
	before := q.dropped
	if q.closed || !q.makeRoom(laneOf(m), m.size) {
		q.dropped++
		q.mu.Unlock()
		m.release()
		return true
	}
	lost = q.dropped != before
	q.seq++
	n.seq = q.seq
	l := &q.lanes[laneOf(m)]
	if n.prev = l.tail; n.prev != nil {
		n.prev.next = n
	} else {
		l.head = n
	}
	l.tail = n
	l.bytes += m.size
	q.bytes += m.size
	q.count++
	q.mu.Unlock()
	q.signal()
	return lost
}

// fits says whether a message of n bytes has room. An empty queue takes a message of any size.
func (q *queue) fits(n int) bool {
	return q.count == 0 || q.count < q.maxCount && q.bytes+n <= q.maxBytes
}

// makeRoom drops less severe messages, the newest of the least severe first, until a message of n bytes fits. When that
// would not be enough it drops none and says so.
func (q *queue) makeRoom(severity, n int) bool {
	if q.fits(n) {
		return true
	}
	count, bytes := q.count, q.bytes
	for i := severity + 1; i < lanes; i++ {
		if q.lanes[i].head != nil {
			count-- // at least one
		}
		bytes -= q.lanes[i].bytes
	}
	if bytes > 0 && (count >= q.maxCount || bytes+n > q.maxBytes) {
		return false
	}
	for i := lanes - 1; i > severity && !q.fits(n); i-- {
		for q.lanes[i].tail != nil && !q.fits(n) {
			m := q.lanes[i].tail.m
			q.unlink(q.lanes[i].tail)
			q.dropped++
			m.release()
		}
	}
	return q.fits(n)
}

func (q *queue) unlink(n *node) {
	l := &q.lanes[laneOf(n.m)]
	if n.prev != nil {
		n.prev.next = n.next
	} else {
		l.head = n.next
	}
	if n.next != nil {
		n.next.prev = n.prev
	} else {
		l.tail = n.prev
	}
	n.prev, n.next = nil, nil
	l.bytes -= n.m.size
	q.bytes -= n.m.size
	q.count--
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// pop takes the oldest message, which is the current one until done is called, or returns nil when none waits. It says
// whether more can come.
func (q *queue) pop() (m *message, open bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	first := q.first()
	if first == nil {
		return nil, !q.closed
	}
	q.unlink(first)
	q.current = first.m
	if q.wait {
		q.room.Broadcast()
	}
	return first.m, !q.closed
}

// first returns the place of the oldest message, nil when none waits.
func (q *queue) first() (first *node) {
	for i := range q.lanes {
		if h := q.lanes[i].head; h != nil && (first == nil || h.seq < first.seq) {
			first = h
		}
	}
	return first
}

// done lets go of the current message, unless another queue has taken it over.
func (q *queue) done() {
	q.mu.Lock()
	m := q.current
	q.current = nil
	q.mu.Unlock()
	if m != nil {
		m.release()
	}
}

// stopWaiting lets push return at once.
func (q *queue) stopWaiting() {
	q.mu.Lock()
	q.wait = false
	q.room.Broadcast()
	q.mu.Unlock()
}

// close lets nothing more in.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.room.Broadcast()
	q.mu.Unlock()
	q.signal()
}

// dropsToSay returns how many messages were dropped since it was last called, and since the start.
func (q *queue) dropsToSay() (now, total uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now, total = q.dropped-q.said, q.dropped
	q.said = q.dropped
	return now, total
}

// backlog describes what is not delivered yet.
func (q *queue) backlog(now time.Time) (count, bytes int, oldest time.Duration, dropped uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	count, bytes = q.count, q.bytes
	var at time.Time
	older := func(m *message) {
		if at.IsZero() || m.at.Before(at) {
			at = m.at
		}
	}
	if q.current != nil {
		count++
		bytes += q.current.size
		older(q.current)
	}
	for i := range q.lanes {
		if q.lanes[i].head != nil {
			older(q.lanes[i].head.m)
		}
	}
	if count > 0 {
		oldest = now.Sub(at)
	}
	return count, bytes, oldest, q.dropped
}
