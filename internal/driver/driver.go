// Package driver is the live source of events: it loads the embedded BPF programs (bpf/*.bpf.c) into the kernel, attaches them to
// the system calls and scheduler tracepoints that are wanted, reads their ring buffers, and counts what was lost.
//
// One program is attached to the exit of all system calls (or copies of it, see below). A table of one byte per call, shared with it, says whether the
// call is wanted; an unwanted call costs a load and a branch more than an empty program. A wanted one is passed to the program of
// its own, which writes the event in Falco's encoding into the ring of its CPU. SetSyscalls changes the table while
// events flow. The programs need Linux 5.8 or later with BTF, and run on amd64 and arm64. On amd64 they see 32-bit callers as well.
//
// Strings and lists are cut at the limits of the programs (4096 bytes for a path, argument list, environment or cgroup, 16384 for the path of a
// file as the kernel has it, the NUL included). What was cut is counted, and Truncated tells it of the last event.
//
// From Linux 7.0 on the kernel may preempt the programs, and does not run one on a CPU where another task is in the middle of it. There
// several copies of those that this concerns are attached, and each event is taken by the first that runs (bpf/saker.h, "being
// preempted").
//
// Events of several rings are delivered by time. A record that is no event is counted and never delivered.
package driver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/saker-sec/saker/internal/event"
)

// The limits and defaults of Config.
const (
	DefaultCPUsPerBuffer = 2
	DefaultBufferSize    = 8 << 20 // bytes; Falco's buf_size_preset 4
	DefaultSnapLen       = 80      // bytes
	MaxSnapLen           = 65000   // bytes
)

// Config says what to watch and with which buffers.
type Config struct {
	CPUsPerBuffer int  // CPUs that share a ring; 0 is one ring for all (Falco: cpus_for_each_buffer)
	BufferSize    int  // bytes of a ring, a power of two and at least a page; 0 is DefaultBufferSize
	DropFailed    bool // calls that returned an error are not sent
	// Self is the number of this process in the initial pid namespace. Its calls are left out, except chdir, with which it
	// can show that events come; 0 leaves nothing out.
	Self     uint32
	SnapLen  int        // bytes kept of a data buffer; 0 is DefaultSnapLen
	Syscalls []event.SC // what is wanted at first; nil is everything that has an event of its own

	copies int // for tests: attach so many copies of the programs that a kernel may preempt, as on such a kernel
}

// Driver is an open source of events. Next belongs to one goroutine; the other methods may be called from any.
type Driver struct {
	merger      *merger
	waiter      *waiter
	shared      *shared
	last        []byte // the record of the last event, with its prefix
	num         uint64
	undecodable atomic.Uint64
	counters    []cpuCounters
	nativeArch  event.Arch

	mu       sync.Mutex // guards what follows
	closed   bool
	spec     *ebpf.CollectionSpec
	cache    *btf.Cache
	locked   *btf.Spec // the kernel's types, where it refuses bpf_probe_read_kernel; nil elsewhere
	maps     map[string]*ebpf.Map
	loaded   map[string]*ebpf.Program
	attached []*attachment
	problems []error
	copies   int    // of the programs that may be preempted, which are attached; 0 where the kernel does not do that
	missed   uint64 // Stats.Missed, up to the last reading
}

// attachment is a program that is attached to a tracepoint, or the copies that stand for it, in the order in which they run.
type attachment struct {
	name   string
	copies []attached
}

// attached is one of the copies of an attachment.
type attached struct {
	name   string
	prog   *ebpf.Program
	link   link.Link
	misses uint64 // at the last reading: how often the kernel left it out
}

// close detaches the copies.
func (a *attachment) close() error {
	var errs []error
	for _, c := range a.copies {
		errs = append(errs, c.link.Close())
	}
	return errors.Join(errs...)
}

// Open loads and attaches the programs. It needs root, or CAP_BPF and CAP_PERFMON. The error says in one line what the
// kernel lacks, and is one of the Err values of this package where a caller may want to decide on it.
func Open(cfg Config) (*Driver, error) {
	if err := cfg.fill(); err != nil {
		return nil, fmt.Errorf("opening the driver: %w", err)
	}
	d := &Driver{loaded: map[string]*ebpf.Program{}, maps: map[string]*ebpf.Map{}}
	if err := d.load(&cfg); err != nil {
		d.Close()
		return nil, fmt.Errorf("opening the driver: %w", explain(err))
	}
	if err := d.SetSyscalls(cfg.Syscalls); err != nil {
		d.Close()
		return nil, fmt.Errorf("opening the driver: %w", explain(err))
	}
	return d, nil
}

// fill puts in the defaults and checks the rest.
func (c *Config) fill() error {
	if c.BufferSize == 0 {
		c.BufferSize = DefaultBufferSize
	}
	if c.SnapLen == 0 {
		c.SnapLen = DefaultSnapLen
	}
	if c.BufferSize&(c.BufferSize-1) != 0 || c.BufferSize < unix.Getpagesize() || c.BufferSize > 1<<30 {
		return fmt.Errorf("buffer size %d: it must be a power of two from %d to %d", c.BufferSize, unix.Getpagesize(), 1<<30)
	}
	if c.SnapLen < 0 || c.SnapLen > MaxSnapLen {
		return fmt.Errorf("snaplen %d: it must be 1 to %d", c.SnapLen, MaxSnapLen)
	}
	if c.CPUsPerBuffer < 0 {
		return fmt.Errorf("%d CPUs per buffer: it must be 0 (one buffer for all) or more", c.CPUsPerBuffer)
	}
	if c.Syscalls == nil {
		c.Syscalls = AllSyscalls()
	}
	return nil
}

// AllSyscalls returns everything that has an event of its own and is not a tracepoint that only floods: every system call
// with a schema entry, and the end of processes.
func AllSyscalls() []event.SC {
	var all []event.SC
	for i := range event.Syscalls() {
		s := &event.Syscalls()[i]
		if s.Name != "" && s.Event != event.GenericX && (s.NR != [3]int16{-1, -1, -1} || socketcallNumber(s.Name) != 0) || s.Event == event.ProcexitV1E {
			all = append(all, event.SC(i))
		}
	}
	return all
}

// Next makes e the next event. It returns event.ErrIdle when none came for about 100 ms, and after Close io.EOF, when it has delivered
// what happened before. What e refers to is valid until the next call.
func (d *Driver) Next(e *event.Event) error {
	for {
		rec := d.merger.next()
		if rec == nil {
			if err := d.waiter.refill(d.merger, d.shared); err != nil {
				d.last = nil
				return err
			}
			continue
		}
		if err := e.Decode(rec[prefixSize:]); err != nil {
			d.undecodable.Add(1)
			continue
		}
		if d.merger.broken != 0 {
			d.undecodable.Add(d.merger.broken)
			d.merger.broken = 0
		}
		d.num++
		d.last = rec
		e.Num = d.num
		e.CPU = int16(binary.LittleEndian.Uint16(rec))
		e.Dump = 0
		return nil
	}
}

// Now returns the time that an event has which happens now, in ns since the epoch. It goes on evenly, whoever sets the machine's clock.
func (d *Driver) Now() uint64 { return bootTime() + atomic.LoadUint64(d.shared.bootEpoch) }

// Truncated reports whether a string or list of the last event was cut at its limit. It belongs to the goroutine of Next.
func (d *Driver) Truncated() bool {
	return d.last != nil && binary.LittleEndian.Uint16(d.last[2:])&prefixTruncated != 0
}

// Problems returns what could not be loaded though it was wanted: the calls concerned are sent as generic events, without
// their parameters.
func (d *Driver) Problems() []error {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := append([]error(nil), d.problems...)
	if d.locked != nil {
		out = append(out, ErrLocked)
	}
	return out
}

// Close detaches the programs. Next goes on to deliver what is in the rings by then, and returns io.EOF. The rings' memory is given back
// when the Driver is no longer referred to, because the last event lies in it.
func (d *Driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	var errs []error
	for _, a := range d.attached {
		errs = append(errs, a.close())
	}
	d.readPrograms() // for the last time: Stats goes on to tell what was missed
	for _, p := range d.loaded {
		errs = append(errs, p.Close())
	}
	for _, m := range d.maps {
		errs = append(errs, m.Close())
	}
	d.attached, d.loaded, d.maps = nil, nil, nil
	if d.waiter != nil {
		errs = append(errs, d.waiter.stop())
	}
	return errors.Join(errs...)
}

// errClosed is what the methods that change the driver return after Close.
var errClosed = fmt.Errorf("the driver is closed: %w", io.ErrClosedPipe)
