package driver

import (
	"sync/atomic"
	"unsafe"
)

// Drop is what an event that found its ring full counts as, after Falco's metric names n_drops_buffer_<name>.
type Drop uint8

// The categories of lost events, in the order of bpf/saker.h, enum drop.
const (
	DropCloneFork Drop = iota
	DropExecve
	DropConnect
	DropOpen
	DropDirFile
	DropOther
	DropClose
	DropProcExit
	NumDrops int = iota
)

// String returns the category as Falco's metrics name it, without the prefix n_drops_buffer_.
func (d Drop) String() string {
	return [...]string{
		"clone_fork_exit", "execve_exit", "connect_exit", "open_exit", "dir_file_exit", "other_interest_exit",
		"close_exit", "proc_exit",
	}[d]
}

// cpuCounters is the counters of one CPU as the programs keep them (bpf/saker.h, struct counters). Only the kernel writes it.
type cpuCounters struct {
	events        uint64
	drops         [NumDrops]uint64
	scratch       uint64
	truncatedPath uint64
	truncatedArgs uint64
	noHandler     uint64
	_             [3]uint64
}

// CPUStats is what one CPU did since the driver was opened.
type CPUStats struct {
	Events uint64 // events made, lost ones included
	Lost   uint64 // of these, lost for any reason
}

// Stats counts since the driver was opened.
type Stats struct {
	Events        uint64           // events made in the kernel, lost ones included (n_evts)
	Dropped       [NumDrops]uint64 // lost because the ring was full, by Drop
	Scratch       uint64           // lost because larger than 64 KiB (n_drops_scratch_map)
	Missed        uint64           // at most so many were lost because a program, with all its copies, was in the middle of another run on the CPU
	NoHandler     uint64           // wanted calls that no program took
	Undecodable   uint64           // records that were no events; they are not delivered
	TruncatedPath uint64           // paths and names cut at 4096 bytes
	TruncatedArgs uint64           // argument and environment lists cut at their limit
	PerCPU        []CPUStats       // by CPU number, possible CPUs
	Programs      []ProgramStats   // attached programs; counts are 0 unless sysctl kernel.bpf_stats_enabled is set
}

// Lost returns how many events were lost for any reason (n_drops).
func (s Stats) Lost() uint64 {
	n := s.Scratch + s.Missed + s.NoHandler + s.Undecodable
	for _, d := range s.Dropped {
		n += d
	}
	return n
}

// ProgramStats is how often a program ran and for how long (scap.<prog>.run_cnt, run_time_ns).
type ProgramStats struct {
	Name   string
	Runs   uint64
	TimeNS uint64
}

// countersIn returns the counters of n CPUs that lie in the mapping of the map cpus.
func countersIn(mapping []byte, n int) []cpuCounters {
	return unsafe.Slice((*cpuCounters)(unsafe.Pointer(&mapping[0])), n)
}

// Stats returns the counters. It may be called from any goroutine, also after Close.
func (d *Driver) Stats() Stats {
	var s Stats
	s.PerCPU = make([]CPUStats, len(d.counters))
	for i := range d.counters {
		c := &d.counters[i]
		events := atomic.LoadUint64(&c.events)
		lost := atomic.LoadUint64(&c.scratch) + atomic.LoadUint64(&c.noHandler)
		s.Scratch += atomic.LoadUint64(&c.scratch)
		s.NoHandler += atomic.LoadUint64(&c.noHandler)
		for j := range c.drops {
			n := atomic.LoadUint64(&c.drops[j])
			s.Dropped[j] += n
			lost += n
		}
		s.Events += events
		s.TruncatedPath += atomic.LoadUint64(&c.truncatedPath)
		s.TruncatedArgs += atomic.LoadUint64(&c.truncatedArgs)
		s.PerCPU[i] = CPUStats{Events: events, Lost: lost}
	}
	s.Undecodable = d.undecodable.Load()
	d.programStats(&s)
	return s
}

// programStats adds what the kernel knows of the attached programs.
func (d *Driver) programStats(s *Stats) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s.Programs = d.readPrograms()
	s.Missed = d.missed
}

// readPrograms asks the kernel what the attached programs did, and adds to missed what is new. Under mu.
func (d *Driver) readPrograms() []ProgramStats {
	var list []ProgramStats
	for _, a := range d.attached {
		least := uint64(1<<64 - 1)
		for i := range a.copies {
			c := &a.copies[i]
			st, err := c.prog.Stats()
			if err != nil {
				least = 0
				continue // 5.8 to 5.11 do not count misses; there is nothing to add
			}
			least = min(least, st.RecursionMisses-c.misses)
			c.misses = st.RecursionMisses
			list = append(list, ProgramStats{Name: c.name, Runs: st.RunCount, TimeNS: uint64(st.Runtime)})
		}
		// What was lost was missed by every copy, so none missed less. The misses of calls that nobody wants are among them.
		d.missed += least
	}
	return list
}
