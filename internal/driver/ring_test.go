package driver

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
)

// fakeRing is a ring buffer in ordinary memory, written as the kernel writes one: the data area is there twice.
type fakeRing struct {
	consumer, producer uint64
	data               []byte
	size               uint64
}

func newFakeRing(size int, start uint64) *fakeRing {
	return &fakeRing{consumer: start, producer: start, data: make([]byte, 2*size), size: uint64(size)}
}

func (m *fakeRing) ring() *ring { return newRing(&m.consumer, &m.producer, m.data) }

// poke writes b at the ring position pos, in both copies of the data area.
func (m *fakeRing) poke(pos uint64, b []byte) {
	for i, c := range b {
		off := (pos + uint64(i)) & (m.size - 1)
		m.data[off], m.data[off+m.size] = c, c
	}
}

// put appends a record and returns its position. It reports false when the ring is full.
func (m *fakeRing) put(b []byte, flags uint32) (uint64, bool) {
	total := (uint64(len(b)) + recordHeader + 7) &^ 7
	if m.producer+total-m.consumer > m.size {
		return 0, false
	}
	pos := m.producer
	var h [recordHeader]byte
	binary.LittleEndian.PutUint32(h[:], uint32(len(b))|flags)
	m.poke(pos, h[:])
	m.poke(pos+recordHeader, b)
	m.producer += total
	return pos, true
}

// record is a record as the programs write it, of an event at the given time with n bytes after the header.
func record(time uint64, n int) []byte {
	b := make([]byte, minRecord+n)
	binary.LittleEndian.PutUint64(b[prefixSize:], time)
	binary.LittleEndian.PutUint32(b[prefixSize+16:], uint32(26+n))
	return b
}

func TestRingWraps(t *testing.T) {
	for _, start := range []uint64{0, 8, 4088, 1 << 40} {
		m := newFakeRing(4096, start)
		r := m.ring()
		for i := range 2000 {
			want := bytes.Repeat([]byte{byte(i)}, i%300)
			if _, ok := m.put(want, 0); !ok {
				t.Fatalf("start %d: the ring is full at record %d although everything was read", start, i)
			}
			r.look()
			got, state := r.peek()
			if state != ringRecord || !bytes.Equal(got, want) {
				t.Fatalf("start %d: record %d: state %d, %d bytes, want %d", start, i, state, len(got), len(want))
			}
			r.advance(len(got))
			if i%3 == 0 {
				r.release()
			}
		}
		if _, state := r.peek(); state != ringEmpty {
			t.Errorf("start %d: state %d at the end", start, state)
		}
	}
}

func TestRingStates(t *testing.T) {
	m := newFakeRing(4096, 0)
	r := m.ring()
	if r.look() {
		t.Error("an empty ring has something to read")
	}
	m.put([]byte("given up"), recordDiscard)
	pos, _ := m.put([]byte("slow"), recordBusy)
	m.put([]byte("later"), 0)
	if !r.look() {
		t.Error("nothing to read")
	}
	if _, state := r.peek(); state != ringBusy {
		t.Errorf("state %d before a busy record, want %d", state, ringBusy)
	}
	m.poke(pos, []byte{4, 0, 0, 0}) // committed now
	for _, want := range []string{"slow", "later"} {
		got, state := r.peek()
		if state != ringRecord || string(got) != want {
			t.Errorf("state %d, record %q, want %q", state, got, want)
		}
		r.advance(len(got))
	}
	if m.consumer != 0 {
		t.Errorf("consumer position %d before release", m.consumer)
	}
	r.release()
	if m.consumer != m.producer {
		t.Errorf("consumer position %d after release, want %d", m.consumer, m.producer)
	}
}

func TestRingTruncated(t *testing.T) {
	m := newFakeRing(4096, 0)
	pos, _ := m.put([]byte("12345678"), 0)
	m.poke(pos, []byte{200, 0, 0, 0}) // longer than what was written
	r := m.ring()
	r.look()
	if _, state := r.peek(); state != ringBroken {
		t.Fatalf("state %d, want %d", state, ringBroken)
	}
	m.put([]byte("next"), 0)
	r.look()
	if got, state := r.peek(); state != ringRecord || string(got) != "next" {
		t.Errorf("after the broken record: state %d, %q", state, got)
	}
}

func TestMergeOrder(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7} {
		t.Run(fmt.Sprint(n, " rings"), func(t *testing.T) {
			var mems []*fakeRing
			var rings []*ring
			for range n {
				m := newFakeRing(1<<16, 0)
				mems, rings = append(mems, m), append(rings, m.ring())
			}
			mg := newMerger(rings)
			time, last, got := uint64(1000), uint64(0), 0
			read := func() {
				for rec := mg.next(); rec != nil; rec = mg.next() {
					at := binary.LittleEndian.Uint64(rec[prefixSize:])
					if at < last {
						t.Fatalf("time %d after %d", at, last)
					}
					last = at
					got++
				}
			}
			put := 0
			for i := range 5000 {
				time += uint64(i * 7 % 5)
				if _, ok := mems[i*i%n].put(record(time, i%64), 0); ok {
					put++
				}
				if i%97 == 0 {
					mg.look(time - 3)
					read()
					mg.release()
				}
			}
			mg.look(1 << 63)
			read()
			if got != put {
				t.Errorf("%d events of %d", got, put)
			}
		})
	}
}

// TestMergeWaitsForBusy checks that a record that is being written keeps later ones of other rings back, but not forever.
func TestMergeWaitsForBusy(t *testing.T) {
	a, b := newFakeRing(4096, 0), newFakeRing(4096, 0)
	mg := newMerger([]*ring{a.ring(), b.ring()})
	busy := record(10, 0)
	pos, _ := a.put(busy, recordBusy)
	b.put(record(20, 0), 0)
	if !mg.look(1<<63) || mg.ready() {
		t.Error("a record is ready although an older one is being written")
	}
	a.poke(pos, []byte{byte(len(busy)), 0, 0, 0})
	mg.look(1 << 63)
	for _, want := range []uint64{10, 20} {
		if rec := mg.next(); rec == nil || binary.LittleEndian.Uint64(rec[prefixSize:]) != want {
			t.Errorf("got %v, want time %d", rec, want)
		}
	}
	a.put(busy, recordBusy)
	b.put(record(30, 0), 0)
	for range patience + 1 {
		mg.look(1 << 63)
	}
	if !mg.ready() {
		t.Error("a record that is never committed holds the other rings back for ever")
	}
}

// TestMergeWaitsEachTime checks that patience is for one record that is not committed, and not used up by many that are soon.
func TestMergeWaitsEachTime(t *testing.T) {
	a, b := newFakeRing(1<<16, 0), newFakeRing(1<<16, 0)
	mg := newMerger([]*ring{a.ring(), b.ring()})
	for i := range uint64(2 * patience) {
		busy := record(10*i+1, 0)
		pos, _ := a.put(busy, recordBusy)
		b.put(record(10*i+2, 0), 0)
		if mg.look(1 << 63); mg.ready() {
			t.Fatalf("record %d: a younger one is delivered before it", i)
		}
		a.poke(pos, []byte{byte(len(busy)), 0, 0, 0})
		mg.look(1 << 63)
		for want := 10*i + 1; want <= 10*i+2; want++ {
			if rec := mg.next(); rec == nil || binary.LittleEndian.Uint64(rec[prefixSize:]) != want {
				t.Fatalf("got %v, want time %d", rec, want)
			}
		}
		mg.release()
	}
}

func TestMergeAllocatesNothing(t *testing.T) {
	a, b := newFakeRing(1<<16, 0), newFakeRing(1<<16, 0)
	mg := newMerger([]*ring{a.ring(), b.ring()})
	rec := record(10, 20)
	if n := testing.AllocsPerRun(1000, func() {
		a.put(rec, 0)
		b.put(rec, 0)
		mg.look(1 << 63)
		for mg.next() != nil {
		}
		mg.release()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzRing reads arbitrary ring memory: whatever it holds, reading ends and stays inside.
func FuzzRing(f *testing.F) {
	m := newFakeRing(4096, 0)
	m.put(record(1, 30), 0)
	m.put(record(2, 0), recordDiscard)
	m.put(record(3, 5), recordBusy)
	f.Add(m.data[:4096], uint64(0), uint64(512))
	f.Add(bytes.Repeat([]byte{0xff}, 64), uint64(4064), uint64(4096))
	f.Fuzz(func(t *testing.T, b []byte, start, n uint64) {
		m := newFakeRing(4096, start&^7)
		m.poke(start&^7, b[:min(len(b), 4096)])
		m.producer = m.consumer + n&^7%4097
		mg := newMerger([]*ring{m.ring()})
		mg.look(1<<64 - 1)
		total := uint64(0)
		for rec := mg.next(); rec != nil; rec = mg.next() {
			total += uint64(len(rec)) + recordHeader
		}
		mg.release()
		if total > 4096+7 || m.consumer > m.producer {
			t.Errorf("read %d bytes; consumer %d, producer %d", total, m.consumer, m.producer)
		}
	})
}
