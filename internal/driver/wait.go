package driver

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/saker-sec/saker/internal/event"
)

const (
	napTime   = 500_000 // ns slept when the rings are empty
	napMax    = 4       // naps in a row before the reader asks the kernel to wake it
	blockTime = 100     // ms at most in epoll
	orderTime = 50_000  // ns that an event may take from its time stamp to its place in the ring
)

// shared is the part of the programs' variables that the reader uses while events flow, in the mapping of .bss.
type shared struct {
	bootEpoch *uint64 // ns between the epoch and the boot
	sleeping  *uint32 // not 0: the next event wakes the reader

	interest   *[512]byte  // by system call number: bit 0 the native call is wanted, bit 1 the ia32 call
	socketcall *[32]uint16 // by socketcall number: the wanted call's SC, or 0
}

// waiter waits for events the cheap way: as long as events come it only naps, so that no event pays for waking it and
// positions are exchanged with the kernel rarely; after some naps without an event it blocks, and the first event wakes it.
//
// Where there are several rings, the youngest events wait for orderTime. A single event is read that soon; while they go on coming, each
// nap is twice as long as the one before, up to napTime, so that a busy reader takes many at once.
type waiter struct {
	epoll, wake int // descriptors; wake is an eventfd that stop writes to
	closed      atomic.Bool
	naps        int   // without an event, in a row
	young       int64 // ns of the next nap while all events are young
	events      [1]unix.EpollEvent
}

// newWaiter returns a waiter for the ring buffers with the given descriptors.
func newWaiter(rings []int) (*waiter, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("making an epoll descriptor: %w", err)
	}
	ev, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		unix.Close(ep)
		return nil, fmt.Errorf("making an event descriptor: %w", err)
	}
	w := &waiter{epoll: ep, wake: ev}
	for _, fd := range append([]int{ev}, rings...) {
		if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			w.free()
			return nil, fmt.Errorf("adding a ring buffer to an epoll descriptor: %w", err)
		}
	}
	return w, nil
}

// refill gives what was read back to the kernel and starts the next batch of m, waiting for one if need be.
func (w *waiter) refill(m *merger, s *shared) error {
	m.release()
	for {
		if w.closed.Load() {
			return w.rest(m)
		}
		if m.look(w.limit(m, s)) {
			if m.ready() {
				w.naps = 0
				return nil
			}
			w.nap(max(w.young, orderTime))
			w.young = min(2*max(w.young, orderTime), napTime)
			continue
		}
		w.young = 0
		if w.naps < napMax {
			w.naps++
			w.nap(napTime)
			continue
		}
		m.release() // records that were given up are passed without being delivered: left in a ring they would wake epoll for ever
		atomic.StoreUint32(s.sleeping, 1)
		if m.look(0) { // an event that came before the flag was seen wakes nobody
			atomic.StoreUint32(s.sleeping, 0)
			continue
		}
		n, err := unix.EpollWait(w.epoll, w.events[:], blockTime)
		atomic.StoreUint32(s.sleeping, 0)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("waiting for events: %w", err)
		case n == 0:
			return event.ErrIdle
		}
	}
}

// rest starts a batch after stop. No records are added any more, so that all that there are come in order of time, and then io.EOF.
func (w *waiter) rest(m *merger) error {
	for range 2 * patience {
		if !m.look(1<<64 - 1) {
			break
		}
		if m.ready() {
			return nil
		}
		m.release()
		w.nap(orderTime) // a program was in the middle of its record
	}
	return io.EOF
}

// limit is the time up to which a batch that is looked at now is in order.
func (w *waiter) limit(m *merger, s *shared) uint64 {
	if len(m.rings) == 1 {
		return 1<<64 - 1
	}
	return bootTime() + atomic.LoadUint64(s.bootEpoch) - orderTime
}

// bootTime returns the ns since boot, sleep included: the clock of the events.
func bootTime() uint64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return uint64(t.Nano())
}

// nap sleeps for ns nanoseconds in the kernel, which a signal may end early: a goroutine's sleep costs several times as much. Where
// goroutines have one processor alone, the kernel's sleep costs more, an eighth of what the events do: the scheduler's monitor wakes up every 20 µs
// to take the processor away meanwhile.
func (w *waiter) nap(ns int64) {
	if runtime.GOMAXPROCS(0) == 1 {
		time.Sleep(time.Duration(ns)) //nolint:forbidigo // time itself is waited for
		return
	}
	t := unix.NsecToTimespec(ns)
	unix.Nanosleep(&t, nil)
}

// stop makes refill return io.EOF once it has given what the rings hold, at once if it is waiting. Nothing may be added to them any more.
func (w *waiter) stop() error {
	w.closed.Store(true)
	_, err := unix.Write(w.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	return err
}

// free closes the descriptors.
func (w *waiter) free() {
	unix.Close(w.epoll)
	unix.Close(w.wake)
}
