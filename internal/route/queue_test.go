package route

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
)

// waiting messages of the model, oldest first.
type model struct {
	maxCount, maxBytes, dropped int
	waiting                     []*message
}

func (o *model) bytes() (n int) {
	for _, m := range o.waiting {
		n += m.size
	}
	return n
}

// push does what the package comment says: while the message does not fit, the least severe goes, of equals the newest, and
// the message itself is one of them; but when dropping all that is less severe does not make room, only the message goes.
func (o *model) push(m *message) {
	before := slices.Clone(o.waiting)
	o.waiting = append(o.waiting, m)
	for len(o.waiting) > 1 && (len(o.waiting) > o.maxCount || o.bytes() > o.maxBytes) {
		victim := 0
		for i, w := range o.waiting {
			if w.alert.Priority >= o.waiting[victim].alert.Priority {
				victim = i
			}
		}
		if o.waiting[victim] == m {
			o.waiting = before
			o.dropped++
			return
		}
		o.waiting = slices.Delete(o.waiting, victim, victim+1)
	}
	o.dropped += len(before) + 1 - len(o.waiting)
}

// TestQueueAgainstModel pushes and pops at random and compares the queue with a slice that is searched.
func TestQueueAgainstModel(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 0))
		o := model{maxCount: 1 + r.IntN(8), maxBytes: 50 + r.IntN(400)}
		q := newQueue(0, Output{Capacity: o.maxCount, Bytes: o.maxBytes})
		pool := new(sync.Pool)
		for step := range 300 {
			if r.IntN(3) > 0 {
				m := &message{alert: &alert.Alert{Priority: alert.Priority(r.IntN(lanes))}, size: 1 + r.IntN(100), nodes: make([]node, 1), pool: pool}
				m.refs.Store(1)
				o.push(m)
				q.push(m)
			} else if m, open := q.pop(); !open {
				t.Fatal("the queue is closed")
			} else if m == nil {
				if len(o.waiting) > 0 {
					t.Fatalf("seed %d, step %d: the queue is empty, %d should wait", seed, step, len(o.waiting))
				}
			} else {
				if len(o.waiting) == 0 || o.waiting[0] != m {
					t.Fatalf("seed %d, step %d: a message comes out that should not", seed, step)
				}
				o.waiting = o.waiting[1:]
				q.done()
			}
			if q.count != len(o.waiting) || q.bytes != o.bytes() || int(q.dropped) != o.dropped {
				t.Fatalf("seed %d, step %d: %d waiting, %d bytes, %d dropped; want %d, %d, %d", seed, step,
					q.count, q.bytes, q.dropped, len(o.waiting), o.bytes(), o.dropped)
			}
		}
	}
}
