package procfs

import "bytes"

// status is what /proc/<pid>/status says, see proc_pid_status(5). Where a number is given for each nested namespace, the
// first is that of the reader and the last that of the process itself.
type status struct {
	tgid, ppid             int64
	vtid, vpid             int64 // 0 in kernels before 4.1, which do not say
	pgid, vpgid            int64
	uid, gid               uint32 // effective
	groups                 []uint32
	vmSize, vmRSS, vmSwap  uint32 // kB
	capInh, capPrm, capEff uint64
	kthread                bool
}

// parseStatus reads a status file. It reports false when there is no thread-group id, that is for no status file. The kernel
// escapes line ends in the Name line, so that no process can forge the others.
func parseStatus(b []byte) (status, bool) {
	var s status
	for line := range bytes.Lines(b) {
		name, rest, ok := bytes.Cut(line, []byte{':'})
		if !ok {
			continue
		}
		switch string(name) {
		case "Tgid":
			s.tgid = number(rest, 0)
		case "PPid":
			s.ppid = number(rest, 0)
		case "Uid":
			s.uid = uint32(number(rest, 1))
		case "Gid":
			s.gid = uint32(number(rest, 1))
		case "Groups":
			for _, f := range bytes.Fields(rest) {
				s.groups = append(s.groups, uint32(number(f, 0)))
			}
		case "NStgid":
			s.vpid = number(last(rest), 0)
		case "NSpid":
			s.vtid = number(last(rest), 0)
		case "NSpgid":
			s.pgid, s.vpgid = number(rest, 0), number(last(rest), 0)
		case "VmSize":
			s.vmSize = uint32(number(rest, 0))
		case "VmRSS":
			s.vmRSS = uint32(number(rest, 0))
		case "VmSwap":
			s.vmSwap = uint32(number(rest, 0))
		case "CapInh":
			s.capInh = hex(field(rest, 0))
		case "CapPrm":
			s.capPrm = hex(field(rest, 0))
		case "CapEff":
			s.capEff = hex(field(rest, 0))
		case "Kthread":
			s.kthread = number(rest, 0) == 1
		}
	}
	return s, s.tgid > 0
}

// field returns the i-th word of line, nil when it has fewer.
func field(line []byte, i int) []byte {
	for {
		line = bytes.TrimLeft(line, " \t\n")
		end := bytes.IndexAny(line, " \t\n")
		if end < 0 {
			end = len(line)
		}
		if i == 0 || end == 0 {
			if end == 0 {
				return nil
			}
			return line[:end]
		}
		line = line[end:]
		i--
	}
}

// last returns the last word of line.
func last(line []byte) []byte {
	line = bytes.TrimRight(line, " \t\n")
	return line[bytes.LastIndexAny(line, " \t\n")+1:]
}

// number returns the i-th word of line as a number, 0 when it is none.
func number(line []byte, i int) int64 {
	n, ok := parseUint(field(line, i), 10)
	if !ok || n >= 1<<63 {
		return 0
	}
	return int64(n)
}

func hex(b []byte) uint64 {
	n, _ := parseUint(b, 16)
	return n
}

// parseUint reads digits of a base up to 16. It reports false for an empty b, another character or more than 64 bits.
func parseUint(b []byte, base uint64) (uint64, bool) {
	if len(b) == 0 {
		return 0, false
	}
	var n uint64
	for _, c := range b {
		var d uint64
		switch {
		case c >= '0' && c <= '9':
			d = uint64(c - '0')
		case c >= 'a' && c <= 'f':
			d = uint64(c-'a') + 10
		case c >= 'A' && c <= 'F':
			d = uint64(c-'A') + 10
		default:
			return 0, false
		}
		if d >= base || n > (1<<64-1-d)/base {
			return 0, false
		}
		n = n*base + d
	}
	return n, true
}
