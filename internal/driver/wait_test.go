package driver

import (
	"errors"
	"os"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

// TestIdleGivesEverythingBack lets the reader find nothing but a record that was given up, as one that only wakes it is. It must
// not stay in the ring: epoll would report the ring as readable again and again, and the reader would spin instead of sleeping.
func TestIdleGivesEverythingBack(t *testing.T) {
	m := newFakeRing(4096, 0)
	m.put([]byte("wake up!"), recordDiscard)
	w, err := newWaiter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.free()
	s := &shared{bootEpoch: new(uint64), sleeping: new(uint32)}
	if err := w.refill(newMerger([]*ring{m.ring()}), s); !errors.Is(err, event.ErrIdle) {
		t.Errorf("error %v, want %v", err, event.ErrIdle)
	}
	if m.consumer != m.producer {
		t.Errorf("the kernel was told that everything up to %d is read, want %d", m.consumer, m.producer)
	}
}

// TestNow gives the time of the events, which is not that of a clock that was set since the driver was opened.
func TestNow(t *testing.T) {
	epoch := uint64(5e17)
	d := &Driver{shared: &shared{bootEpoch: &epoch}}
	before := bootTime()
	now := d.Now() - epoch
	if after := bootTime(); now < before || now > after {
		t.Errorf("%d ns since the boot, want %d to %d", now, before, after)
	}
}

// TestNapLetsOthersRun naps on a single processor, as a busy reader does, while others talk to each other over pipes.
func TestNapLetsOthersRun(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var heard atomic.Int32
	go func() {
		buf := make([]byte, 1)
		for {
			if _, err := r.Read(buf); err != nil {
				return
			}
			heard.Add(1)
		}
	}()
	const naps = 20
	reader := &waiter{}
	for range naps {
		if _, err := w.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		reader.nap(napTime)
	}
	w.Close()
	if n := heard.Load(); n < naps/2 {
		t.Errorf("%d of %d bytes were heard while the reader napped", n, naps)
	}
}
