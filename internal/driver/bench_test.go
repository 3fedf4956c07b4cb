package driver

import (
	"errors"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/saker-sec/saker/internal/event"
)

// withEmpty attaches a program that does nothing to the exit of all system calls: the least that watching them costs.
func withEmpty(b *testing.B) {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: "sys_exit", License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		b.Skip(err)
	}
	l, err := link.AttachTracing(link.TracingOptions{Program: p})
	if err != nil {
		b.Skip(err)
	}
	b.Cleanup(func() { l.Close(); p.Close() })
}

// drain reads events until the benchmark ends, and reports the loss.
func drain(b *testing.B, d *Driver) (events *atomic.Uint64) {
	events = new(atomic.Uint64)
	var wg sync.WaitGroup
	wg.Go(func() {
		var e event.Event
		n := uint64(0)
		for {
			err := d.Next(&e)
			switch {
			case errors.Is(err, event.ErrIdle):
			case err != nil:
				return
			}
			n++
			if n&255 == 0 {
				events.Store(n)
			}
		}
	})
	b.Cleanup(func() { d.Close(); wg.Wait() })
	return events
}

// pinned runs f on one CPU.
func pinned(b *testing.B, cpu int, f func()) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old, set unix.CPUSet
	unix.SchedGetaffinity(0, &old)
	set.Set(cpu)
	unix.SchedSetaffinity(0, &set)
	defer unix.SchedSetaffinity(0, &old)
	f()
}

// best runs f n times per round and returns the ns of one run in the best round, which other load on the machine hardly shows in.
func best(rounds, n int, f func()) float64 {
	low := time.Duration(1 << 62)
	for range rounds {
		t := time.Now()
		for range n {
			f()
		}
		low = min(low, time.Since(t))
	}
	return float64(low.Nanoseconds()) / float64(n)
}

// BenchmarkUnwanted is what a call costs that nobody wants.
func BenchmarkUnwanted(b *testing.B) {
	call := func() { unix.RawSyscallNoError(unix.SYS_GETPPID, 0, 0, 0) }
	run := func(b *testing.B) {
		pinned(b, 1, func() { b.ReportMetric(best(200, 5000, call), "ns/call") })
	}
	b.Run("off", run)
	b.Run("empty", func(b *testing.B) { withEmpty(b); run(b) })
	for name, copies := range map[string]int{"on": 0, "2 copies": 2, "4 copies": 4} {
		b.Run(name, func(b *testing.B) {
			open(b, Config{Syscalls: scs(b, "execve", "openat"), copies: copies})
			run(b)
		})
	}
}

// BenchmarkOpen is what opening and closing a file costs.
func BenchmarkOpen(b *testing.B) {
	path := []byte("/etc/hostname\x00")
	call := func() {
		fd, _, _ := unix.RawSyscall6(unix.SYS_OPENAT, ^uintptr(99), ptr(&path[0]), 0, 0, 0, 0)
		unix.RawSyscall(unix.SYS_CLOSE, fd, 0, 0)
	}
	run := func(b *testing.B) {
		pinned(b, 1, func() { b.ReportMetric(best(200, 500, call), "ns/call") })
	}
	b.Run("off", run)
	b.Run("empty", func(b *testing.B) { withEmpty(b); run(b) })
	for name, copies := range map[string]int{"on": 0, "2 copies": 2, "4 copies": 4} {
		b.Run(name, func(b *testing.B) {
			d := open(b, Config{Syscalls: scs(b, "openat", "close"), copies: copies})
			drain(b, d)
			run(b)
			b.ReportMetric(float64(d.Stats().Lost()), "lost")
		})
	}
}

// BenchmarkExec is what running a program costs, from fork to exit.
func BenchmarkExec(b *testing.B) {
	call := func() { exec.Command("/bin/true").Run() }
	run := func(b *testing.B) { b.ReportMetric(best(40, 10, call), "ns/call") }
	b.Run("off", run)
	b.Run("on", func(b *testing.B) {
		d := open(b, Config{Syscalls: scs(b, "execve", "clone", "clone3", "vfork", "fork", "sched_process_exit")})
		drain(b, d)
		run(b)
		b.ReportMetric(float64(d.Stats().Lost()), "lost")
	})
}

// BenchmarkRead is the reader's own CPU time for an event while another CPU makes them.
func BenchmarkRead(b *testing.B) {
	d := open(b, Config{Syscalls: scs(b, "openat", "close", "getppid")})
	for _, c := range []struct {
		name string
		call func()
	}{
		{"getppid", func() { unix.RawSyscallNoError(unix.SYS_GETPPID, 0, 0, 0) }},
		{"open and close", func() {
			fd, _ := unix.Open("/etc/hostname", unix.O_RDONLY, 0)
			unix.Close(fd)
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var stop atomic.Bool
			var wg sync.WaitGroup
			wg.Go(func() {
				pinned(b, 1, func() {
					for !stop.Load() {
						for range 100 {
							c.call()
						}
					}
				})
			})
			pinned(b, 0, func() {
				var e event.Event
				var before, after unix.Rusage
				lost := func() uint64 { s := d.Stats(); return s.Lost() }
				lost0, start, n := lost(), time.Now(), 0
				unix.Getrusage(unix.RUSAGE_THREAD, &before)
				for n&1023 != 0 || time.Since(start) < 2*time.Second {
					if d.Next(&e) == nil {
						n++
					}
				}
				unix.Getrusage(unix.RUSAGE_THREAD, &after)
				cpu := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
				b.ReportMetric(float64(cpu)/float64(n), "cpu-ns/event")
				b.ReportMetric(float64(n)/time.Since(start).Seconds(), "events/s")
				b.ReportMetric(float64(lost()-lost0), "lost")
			})
			stop.Store(true)
			wg.Wait()
		})
	}
}

// BenchmarkLatency is the time from a call to its event in user space on an idle machine.
func BenchmarkLatency(b *testing.B) {
	d := open(b, Config{Syscalls: scs(b, "getppid")})
	me := make(chan int64, 1)
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		runtime.LockOSThread()
		me <- int64(unix.Gettid())
		for i := 0; !stop.Load(); i++ {
			unix.RawSyscallNoError(unix.SYS_GETPPID, 0, 0, 0)
			ts := unix.NsecToTimespec(int64(1+i%20) * 1e6)
			unix.Nanosleep(&ts, nil)
		}
	})
	tid := <-me
	var e event.Event
	var ns []int64
	for len(ns) < 300 {
		if d.Next(&e) == nil && e.TID == tid {
			ns = append(ns, time.Now().UnixNano()-int64(e.Time))
		}
	}
	stop.Store(true)
	wg.Wait()
	slices.Sort(ns)
	b.ReportMetric(float64(ns[len(ns)/2])/1e3, "p50-us")
	b.ReportMetric(float64(ns[len(ns)*99/100])/1e3, "p99-us")
}
