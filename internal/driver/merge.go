package driver

import "encoding/binary"

// prefixSize is the length of what stands before each event in a ring (bpf/saker.h, struct prefix): the CPU, flags,
// and four reserved bytes.
const prefixSize = 8

// prefixTruncated is the flag of a record of which a string was cut at its limit.
const prefixTruncated = 1

// minRecord is the shortest record there can be: a prefix and an event header.
const minRecord = prefixSize + 26

// head is the first record of a ring that has not been delivered.
type head struct {
	time uint64
	rec  []byte
	ring *ring
}

// spins is how often a record that is not committed yet is looked at again before the batch ends; patience how many batches
// end so before the other rings go on without it.
const (
	spins    = 200
	patience = 50
)

// merger delivers the records of several rings by time. It works in batches: look takes over all producer positions at
// once; the batch holds what was there then. Records of one batch come in order of time. heap is a binary heap of the
// rings that have a record in the batch; with one ring every step is a single comparison.
//
// A record made before another, on another CPU, may be committed after it. So that it is not delivered after it, a batch ends
// at the time limit that the caller gives, a little before the positions were read: what is older than that has been
// reserved by then. A reserved record that is not committed ends the batch too, unless that goes on for long.
type merger struct {
	rings  []*ring
	heap   []head
	limit  uint64 // no record after this time is delivered in this batch
	broken uint64 // records that could not be
	quota  uint64 // bytes read from a ring before they are given back, though the batch is not over
	waits  int    // batches in a row that a busy record ended
	ended  bool   // a busy record ended this batch
}

func newMerger(rings []*ring) *merger {
	m := &merger{rings: rings, heap: make([]head, 0, len(rings))}
	for _, r := range rings {
		if q := (r.mask + 1) / 8; m.quota == 0 || q < m.quota {
			m.quota = q
		}
	}
	return m
}

// look starts a batch; limit is the time up to which records are delivered. It reports whether any ring has something,
// delivered in this batch or not.
func (m *merger) look(limit uint64) bool {
	any := false
	m.limit = limit
	if !m.ended {
		m.waits = 0
	}
	m.ended = false
	for _, r := range m.rings {
		if r.look() {
			any = true
			if !r.queued {
				m.push(r)
			}
		}
	}
	return any
}

// next delivers the oldest record of the batch and passes it. It is valid until the next call of look or next. It returns nil at
// the end of the batch.
func (m *merger) next() []byte {
	if len(m.heap) == 0 || m.heap[0].time > m.limit {
		return nil
	}
	h := &m.heap[0]
	rec, r := h.rec, h.ring
	if r.held() > m.quota {
		r.release() // rec and what follows are not passed yet, so they stay
	}
	r.advance(len(rec))
	if m.load(h) {
		m.down(0)
	} else {
		r.queued = false
		last := len(m.heap) - 1
		m.heap[0] = m.heap[last]
		m.heap[last] = head{}
		m.heap = m.heap[:last]
		m.down(0)
	}
	return rec
}

// load fills h with the next record of its ring and reports whether there is one.
func (m *merger) load(h *head) bool {
	for {
		rec, state := h.ring.peek()
		switch {
		case state == ringRecord && len(rec) >= minRecord:
			h.rec, h.time = rec, binary.LittleEndian.Uint64(rec[prefixSize:])
			return true
		case state == ringBusy:
			if m.settle(h.ring) {
				continue
			}
			return false
		case state == ringRecord:
			m.broken++
			h.ring.advance(len(rec))
		case state == ringBroken:
			m.broken++
			return false
		default:
			return false
		}
	}
}

// ready reports whether next has a record to deliver.
func (m *merger) ready() bool { return len(m.heap) > 0 && m.heap[0].time <= m.limit }

// settle waits a moment for the busy record of r, and reports whether it was committed. If not, it ends the batch.
func (m *merger) settle(r *ring) bool {
	if len(m.rings) == 1 {
		return false
	}
	for range spins {
		if _, state := r.peek(); state != ringBusy {
			return true
		}
	}
	m.ended = true
	if m.waits < patience {
		m.waits++
		m.limit = 0
	}
	return false
}

// push adds a ring to the heap if it has a record.
func (m *merger) push(r *ring) {
	h := head{ring: r}
	if !m.load(&h) {
		return
	}
	r.queued = true
	m.heap = append(m.heap, h)
	for i := len(m.heap) - 1; i > 0; {
		p := (i - 1) / 2
		if m.heap[p].time <= m.heap[i].time {
			break
		}
		m.heap[p], m.heap[i] = m.heap[i], m.heap[p]
		i = p
	}
}

// down restores the heap below i after its head became younger.
func (m *merger) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(m.heap) {
			return
		}
		if c+1 < len(m.heap) && m.heap[c+1].time < m.heap[c].time {
			c++
		}
		if m.heap[i].time <= m.heap[c].time {
			return
		}
		m.heap[i], m.heap[c] = m.heap[c], m.heap[i]
		i = c
	}
}

// release gives everything delivered back to the kernel. Records delivered before are no longer valid.
func (m *merger) release() {
	for _, r := range m.rings {
		r.release()
	}
}
