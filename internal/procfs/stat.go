package procfs

import "bytes"

// stat is what /proc/<pid>/stat says, see proc_pid_stat(5).
type stat struct {
	state          byte
	pgrp, session  int64
	tty            int64
	flags          uint64 // PF_…
	minflt, majflt uint64
	start          uint64 // ticks since boot
}

// parseStat reads a stat file. The name in its second field may hold anything, brackets, blanks and line ends included;
// what follows its last closing bracket cannot. It reports false when fields are missing.
func parseStat(b []byte) (stat, bool) {
	end := bytes.LastIndexByte(b, ')')
	if end < 0 {
		return stat{}, false
	}
	// The numbers in proc_pid_stat(5) count from 1; the state after the name has number 3.
	var f [20][]byte
	rest := b[end+1:]
	for i := range f {
		rest = bytes.TrimLeft(rest, " \n")
		n := bytes.IndexAny(rest, " \n")
		if n < 0 {
			n = len(rest)
		}
		if n == 0 {
			return stat{}, false
		}
		f[i], rest = rest[:n], rest[n:]
	}
	unsigned := func(nr int) uint64 {
		n, _ := parseUint(f[nr-3], 10)
		return n
	}
	return stat{
		state:   f[0][0],
		pgrp:    number(f[5-3], 0),
		session: number(f[6-3], 0),
		tty:     number(f[7-3], 0),
		flags:   unsigned(9),
		minflt:  unsigned(10),
		majflt:  unsigned(12),
		start:   unsigned(22),
	}, true
}

// bootTime returns the btime line of /proc/stat in ns since the epoch.
func bootTime(b []byte) uint64 {
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte("btime ")); ok {
			return uint64(number(rest, 0)) * nsPerSecond
		}
	}
	return 0
}
