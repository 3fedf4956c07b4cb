package driver

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The layout of a record header in the kernel's ring (kernel/bpf/ringbuf.c): a length whose two top bits say that the
// record is not committed yet, or was given up; 8 bytes with the page offset, then the data, padded to 8 bytes.
const (
	recordBusy    = 1 << 31
	recordDiscard = 1 << 30
	recordHeader  = 8
)

// ringState is what ring.peek found.
type ringState uint8

const (
	ringEmpty  ringState = iota // nothing up to the limit
	ringBusy                    // a record is reserved and not committed yet
	ringRecord                  // a record
	ringBroken                  // a record that cannot be: the rest up to the limit was skipped
)

// ring reads one BPF ring buffer through its mapping. Positions are bytes since the ring was made; they never wrap in
// practice. Nothing is given back to the kernel before release, so that what peek returned stays valid.
type ring struct {
	consumer *uint64 // shared with the kernel: up to here the space is free again
	producer *uint64 // shared with the kernel: up to here space is taken
	data     []byte  // the data pages, mapped twice in a row so that no record is torn
	mask     uint64

	pos    uint64 // the next record
	limit  uint64 // the producer position when look was last called
	stored uint64 // what consumer holds
	queued bool   // the merger holds a record of this ring
}

// newRing returns a reader over mapped memory: the two position words and the doubled data area.
func newRing(consumer, producer *uint64, data []byte) *ring {
	r := &ring{consumer: consumer, producer: producer, data: data, mask: uint64(len(data)/2 - 1)}
	r.pos = atomic.LoadUint64(consumer)
	r.limit, r.stored = r.pos, r.pos
	return r
}

// mapRing maps the ring buffer with descriptor fd and size bytes of data. The mappings are to be given to unix.Munmap.
func mapRing(fd, size int) (r *ring, mappings [2][]byte, err error) {
	page := unix.Getpagesize()
	cons, err := unix.Mmap(fd, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, mappings, fmt.Errorf("mapping the consumer page of a ring buffer: %w", err)
	}
	prod, err := unix.Mmap(fd, int64(page), page+2*size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		unix.Munmap(cons)
		return nil, mappings, fmt.Errorf("mapping the %d data bytes of a ring buffer: %w", size, err)
	}
	r = newRing((*uint64)(unsafe.Pointer(&cons[0])), (*uint64)(unsafe.Pointer(&prod[0])), prod[page:])
	return r, [2][]byte{cons, prod}, nil
}

// look takes over how far the kernel has come. It reports whether there is anything to read.
func (r *ring) look() bool {
	r.limit = atomic.LoadUint64(r.producer)
	return r.pos != r.limit
}

// peek returns the next record without passing it; advance passes it. Records that were given up are skipped.
func (r *ring) peek() ([]byte, ringState) {
	for r.pos < r.limit {
		off := r.pos & r.mask
		h := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[off])))
		if h&recordBusy != 0 {
			return nil, ringBusy
		}
		n := uint64(h &^ (recordBusy | recordDiscard))
		total := (n + recordHeader + 7) &^ 7
		if total > r.limit-r.pos || total > r.mask+1 {
			r.pos = r.limit
			return nil, ringBroken
		}
		if h&recordDiscard != 0 {
			r.pos += total
			continue
		}
		return r.data[off+recordHeader : off+recordHeader+n : off+recordHeader+n], ringRecord
	}
	return nil, ringEmpty
}

// advance passes the record of n bytes that peek returned.
func (r *ring) advance(n int) { r.pos += (uint64(n) + recordHeader + 7) &^ 7 }

// release gives everything before the next record back to the kernel. What was returned before is no longer valid.
func (r *ring) release() {
	if r.stored != r.pos {
		atomic.StoreUint64(r.consumer, r.pos)
		r.stored = r.pos
	}
}

// held returns how many bytes were read and not given back yet.
func (r *ring) held() uint64 { return r.pos - r.stored }
