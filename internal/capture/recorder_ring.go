package capture

import (
	"encoding/binary"
	"errors"
	"io"
	"sync/atomic"

	"github.com/saker-sec/saker/internal/event"
)

// ring keeps the last events, encoded as in a file, in memory of fixed size. It has segments, each a snapshot with the
// events behind it; the current one takes events, and the one before is there so that never less is known than one
// segment. When the current one is old enough (PreTrigger) or full, the oldest one is used again, and begins with a new
// snapshot. So there is always a snapshot that is not newer than the oldest event.
//
// A snapshot may take 2 % of the time. Where the memory is full before the next one may be made, the ring has a gap, and is
// empty until then.
type ring struct {
	r      *Recorder
	segs   [3]segment
	cur    *segment // nil when the ring is empty
	prev   *segment
	span   uint64 // ns
	notYet uint64 // event time (ns) of the next snapshot, at the earliest
	freed  chan struct{}
}

// segment is a snapshot and the events behind it.
type segment struct {
	buf     []byte
	head    int          // length of the snapshot, which buf begins with
	found   []byte       // blocks of processes and descriptors found since the snapshot, which no event told of
	events  uint64       // behind it
	start   uint64       // time of the first event, ns
	readers atomic.Int32 // pieces of it that are not written yet
	freed   chan struct{}
}

// release says that a piece is written.
func (s *segment) release() {
	if s.readers.Add(-1) > 0 {
		return
	}
	select {
	case s.freed <- struct{}{}:
	default: // it is known already that one is free
	}
}

// snapshotShare is how many times longer than a snapshot takes the events between two snapshots last, at least.
const snapshotShare = 50

// newRing returns an empty ring. One of its three segments is spare, for while a file is written from the others.
func newRing(r *Recorder) *ring {
	size := r.cfg.PreTriggerBytes
	if limit := r.cfg.MaxFileSize; limit > 0 && int64(size) > 4*limit {
		size = int(4 * limit) // compressed, events have about a fifth of their size
	}
	g := &ring{r: r, span: uint64(r.cfg.PreTrigger), freed: make(chan struct{}, 1)}
	size /= len(g.segs)
	all := make([]byte, size*len(g.segs))
	for i := range g.segs {
		g.segs[i].buf, g.segs[i].freed = all[i*size:i*size:(i+1)*size], g.freed
	}
	return g
}

// add keeps an event that is not yet applied to the state.
func (g *ring) add(e *event.Event) {
	size := recordSize(e)
	if !fits(e, size) {
		g.r.stats.TooLarge++
		return
	}
	c := g.cur
	if c == nil || len(c.buf)+size > cap(c.buf) || e.Time > c.start && e.Time-c.start >= g.span && e.Time >= g.notYet {
		if !g.rotate(e, size) {
			return
		}
		c = g.cur
	}
	c.put(e)
}

// put appends an event, for which there is room.
func (s *segment) put(e *event.Event) {
	s.buf = appendRecord(s.buf, e.Raw(), uint16(e.CPU), e.Dump, isLarge(e))
	s.events++
}

// rotate makes room for an event of the given size, by a new segment where one is possible. It reports false when there is
// none: the ring is then empty.
func (g *ring) rotate(e *event.Event, size int) bool {
	next := g.free()
	for next == nil && g.r.cfg.Wait {
		<-g.freed
		next = g.free()
	}
	if e.Time >= g.notYet && next != nil && g.begin(next, e) && len(next.buf)+size <= cap(next.buf) {
		g.prev, g.cur = g.cur, next
		return true
	}
	if e.Time >= g.notYet && next == nil {
		g.notYet = e.Time + 100e6 // a file is written from it
	}
	if c := g.cur; c != nil && len(c.buf)+size <= cap(c.buf) {
		return true
	}
	if g.cur != nil {
		g.r.stats.Gaps++
		g.clear()
	}
	return false
}

// free returns a segment that is neither the current one nor written to a file, nil if there is none. The one of before the
// current one is as good as any: it is given up.
func (g *ring) free() *segment {
	for i := range g.segs {
		if s := &g.segs[i]; s != g.cur && s.readers.Load() == 0 {
			return s
		}
	}
	return nil
}

// begin starts a segment with a snapshot. It reports false when the snapshot is too large.
func (g *ring) begin(s *segment, e *event.Event) bool {
	if s == g.prev {
		g.prev = nil
	}
	from := g.r.cfg.Now()
	snap := g.r.cfg.Snapshot(true)
	var err error
	if snap != nil {
		s.buf, err = encodeHead(s.buf[:0], cap(s.buf)/2, snap)
	}
	took := g.r.cfg.Now().Sub(from)
	g.r.stats.Snapshots++
	g.r.stats.SnapshotTime = max(g.r.stats.SnapshotTime, took)
	g.notYet = e.Time + snapshotShare*uint64(max(took, 0))
	if snap == nil || err != nil {
		g.r.stats.NoRoom++
		g.notYet = max(g.notYet, e.Time+g.span)
		return false
	}
	s.head, s.events, s.start, s.found = len(s.buf), 0, e.Time, s.found[:0]
	if g.r.cfg.Entered != nil {
		g.r.cfg.Entered(true, func(enter *event.Event) {
			if size := recordSize(enter); fits(enter, size) && len(s.buf)+size <= cap(s.buf) {
				s.put(enter)
			}
		})
	}
	return true
}

// give hands everything to a recording.
func (g *ring) give(rec *recording) {
	first := g.cur
	if g.prev != nil {
		first = g.prev
	}
	first.hand(rec, first.buf[:first.head])
	if g.prev != nil {
		g.prev.hand(rec, g.prev.found)
	}
	g.cur.hand(rec, g.cur.found)
	g.r.known(rec, first.start)
	rec.pieces <- piece{data: rec.chunk, chunk: true, head: true}
	rec.chunk = nil
	if g.prev != nil {
		g.prev.hand(rec, g.prev.buf[g.prev.head:])
		rec.events += g.prev.events
	}
	g.cur.hand(rec, g.cur.buf[g.cur.head:])
	rec.events += g.cur.events
}

// hand gives a part of the segment to a recording, which reads it while more is added behind it.
func (s *segment) hand(rec *recording, part []byte) {
	s.readers.Add(1)
	rec.pieces <- piece{data: part, of: s, head: true}
}

// maxFound bounds what a segment keeps of processes that were found.
const maxFound = 1 << 20

// addProcess keeps a process that was found, with its descriptors. A file may have several lists of processes.
func (s *segment) addProcess(p *event.Process) {
	if len(s.found) > maxFound {
		return
	}
	start := len(s.found)
	s.found = endBlock(appendProcess(beginBlock(s.found, blockProcesses9), p), start)
	for i := range p.FDs {
		s.addDescriptor(p.TID, &p.FDs[i])
	}
}

// addDescriptor keeps a descriptor that was found.
func (s *segment) addDescriptor(pid int64, d *event.Descriptor) {
	if len(s.found) > 2*maxFound {
		return
	}
	start := len(s.found)
	b := binary.LittleEndian.AppendUint64(beginBlock(s.found, blockDescriptors2), uint64(pid))
	s.found = endBlock(appendDescriptor(b, d), start)
}

func (g *ring) clear() { g.cur, g.prev = nil, nil }

// errHeadTooLarge is why a ring has no segments: it needs more memory.
var errHeadTooLarge = errors.New("the snapshot does not fit")

// headWriter appends to b up to limit bytes; 0 is without limit.
type headWriter struct {
	b     []byte
	limit int
}

// Write implements io.Writer.
func (w *headWriter) Write(p []byte) (int, error) {
	if w.limit > 0 && len(w.b)+len(p) > w.limit {
		return 0, errHeadTooLarge
	}
	w.b = append(w.b, p...)
	return len(p), nil
}

// encodeHead appends what a file begins with, uncompressed.
func encodeHead(b []byte, limit int, snap *event.Snapshot) ([]byte, error) {
	w := headWriter{b, limit}
	if _, err := NewPlainWriter(io.Writer(&w), snap); err != nil {
		return b, err
	}
	return w.b, nil
}

func isLarge(e *event.Event) bool { return e.Type().Flags&event.FlagLargePayload != 0 }

// recordSize returns the size of the block that appendRecord makes of the event.
func recordSize(e *event.Event) int {
	n := recordEvent + len(e.Raw())
	if e.Dump != 0 {
		n += recordEventFlag - recordEvent
	}
	return (n+3)&^3 + 4
}

// fits says whether a capture file can hold a block of that size with the event (see Writer.Write).
func fits(e *event.Event, size int) bool {
	return len(e.Raw()) > 0 && (size <= maxRecord || isLarge(e) && size <= maxBlock)
}
