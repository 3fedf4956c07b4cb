package procfs

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/event"
	"golang.org/x/sys/unix"
)

const (
	// maxArgs bounds the command line and the environment that are kept, in bytes: the limit of capture files
	// (scap-format.md §3).
	maxArgs = 4096
	// maxPath bounds paths, in bytes.
	maxPath = 4096
	// maxFile bounds any other file read whole, in bytes; the largest are mountinfo and cgroup.
	maxFile = 1 << 20
	// maxStat bounds the stat file that a process shows in its own /proc, in bytes: a line of 52 numbers and a short name.
	maxStat = 4096

	cloneThreadFiles = 1<<13 | 1<<0 // PPM_CL_CLONE_THREAD | PPM_CL_CLONE_FILES
	pfKthread        = 0x00200000   // include/linux/sched.h
	userHz           = 100          // ticks per second in stat, the same on every architecture we run on
	nsPerSecond      = 1_000_000_000
)

// scan is one pass over the machine. Its caches hold what many processes share, so that it is read once: socket tables
// of each network namespace, devices of mounts, controllers of the unified hierarchy, start of each pid namespace.
type scan struct {
	f      *FS
	single bool // of one thread, for which events wait
	maxFDs int  // of a process
	buf    []byte
	link   []byte

	booted  uint64 // see boot
	sockets map[uint64]map[uint64]event.Descriptor
	mounts  map[uint64]mount
	pidns   map[uint64]uint64
	tree    unifiedTree

	socketDir   string // the process whose namespace socketTable is of
	socketTable map[uint64]event.Descriptor
}

func (f *FS) newScan() *scan {
	return &scan{
		f:       f,
		maxFDs:  maxFDs,
		buf:     make([]byte, 16<<10),
		link:    make([]byte, maxPath),
		sockets: map[uint64]map[uint64]event.Descriptor{},
		mounts:  map[uint64]mount{},
		pidns:   map[uint64]uint64{},
	}
}

// boot returns when the machine started, in ns since the epoch. It is read when it is needed: on a machine with many CPUs and interrupts the
// file costs a millisecond.
func (s *scan) boot() uint64 {
	if s.booted == 0 {
		s.booted = bootTime(s.read(s.f.proc+"/stat", maxFile))
	}
	return s.booted
}

// read returns at most limit bytes of a file, valid until the next read; nil when it cannot be read.
func (s *scan) read(path string, limit int) []byte {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	n := 0
	for n < limit {
		if n == len(s.buf) {
			s.buf = append(s.buf, make([]byte, len(s.buf))...)
		}
		m, err := unix.Read(fd, s.buf[n:min(len(s.buf), limit)])
		if err == unix.EINTR {
			continue
		}
		if err != nil || m <= 0 {
			break
		}
		n += m
	}
	return s.buf[:n]
}

// readlink returns the target of a symbolic link, valid until the next call; nil when it cannot be read.
func (s *scan) readlink(path string) []byte {
	n, err := unix.Readlink(path, s.link)
	if err != nil || n <= 0 {
		return nil
	}
	return s.link[:n]
}

// tgid returns the process a thread belongs to.
func (s *scan) tgid(tid int64) (int64, bool) {
	if tid <= 0 {
		return 0, false
	}
	st, ok := parseStatus(s.read(s.f.proc+"/"+strconv.FormatInt(tid, 10)+"/status", maxFile))
	return st.tgid, ok
}

// leader reads the main thread of a process. When that has ended while others run on, the kernel shows nothing of the
// program and the descriptors through it any more; they are read through the first thread that lives.
func (s *scan) leader(pid int64, tids []int64) (*event.Process, bool) {
	dir := s.f.proc + "/" + strconv.FormatInt(pid, 10) + "/"
	p := &event.Process{TID: pid}
	t, ok := s.identity(dir, p)
	if !ok {
		return nil, false
	}
	image := dir
	if t.zombie {
		image = ""
		for _, tid := range tids {
			d := dir + "task/" + strconv.FormatInt(tid, 10) + "/"
			if tid != pid && s.readlink(d+"exe") != nil {
				image = d
				break
			}
		}
		if image == "" {
			return nil, false // All of it is a zombie.
		}
	}
	if !s.program(image, p, t.status) {
		return nil, false
	}
	s.descriptors(image, p)
	return p, true
}

// thread reads a thread other than the main thread. What all threads of a process share is taken from leader, if given.
func (s *scan) thread(pid, tid int64, leader *event.Process) (*event.Process, bool) {
	dir := s.f.proc + "/" + strconv.FormatInt(pid, 10) + "/task/" + strconv.FormatInt(tid, 10) + "/"
	p := &event.Process{TID: tid}
	t, ok := s.identity(dir, p)
	if !ok || t.zombie {
		return nil, false
	}
	p.Flags = cloneThreadFiles
	if leader == nil {
		return p, s.program(dir, p, t.status)
	}
	p.Exe, p.ExePath, p.Args, p.Env = leader.Exe, leader.ExePath, leader.Args, leader.Env
	p.ExeWritable, p.ExeFromMemfd = leader.ExeWritable, leader.ExeFromMemfd
	p.ExeUpperLayer, p.ExeLowerLayer = leader.ExeUpperLayer, leader.ExeLowerLayer
	p.ExeIno, p.ExeCtime, p.ExeMtime = leader.ExeIno, leader.ExeCtime, leader.ExeMtime
	p.FDLimit, p.PidnsInitStart = leader.FDLimit, leader.PidnsInitStart
	s.place(dir, p)
	return p, true
}

// task is what identity learns of a thread beyond the members of event.Process.
type task struct {
	status status
	zombie bool
}

// identity fills what status, stat, comm and loginuid say. It reports false for a thread that is gone or the kernel's own.
func (s *scan) identity(dir string, p *event.Process) (task, bool) {
	st, ok := parseStatus(s.read(dir+"status", maxFile))
	if !ok || st.kthread {
		return task{}, false
	}
	sn, ok := parseStat(s.read(dir+"stat", maxFile))
	if !ok || sn.flags&pfKthread != 0 {
		return task{}, false
	}
	p.PID, p.PTID = st.tgid, st.ppid
	p.UID, p.GID = st.uid, st.gid
	p.VTID, p.VPID = orElse(st.vtid, p.TID), orElse(st.vpid, st.tgid)
	p.PGID, p.VPGID = orElse(st.pgid, sn.pgrp), orElse(st.vpgid, sn.pgrp)
	p.SID, p.TTY = sn.session, uint32(sn.tty)
	p.VMSize, p.VMRSS, p.VMSwap = st.vmSize, st.vmRSS, st.vmSwap
	p.PFMajor, p.PFMinor = sn.majflt, sn.minflt
	p.CapInheritable, p.CapPermitted, p.CapEffective = st.capInh, st.capPrm, st.capEff
	p.CloneTime = s.boot() + sn.start*(nsPerSecond/userHz)
	p.Comm = string(bytes.TrimSuffix(s.read(dir+"comm", maxPath), []byte("\n")))
	p.LoginUID = loginUID(s.read(dir+"loginuid", 32))
	return task{status: st, zombie: sn.state == 'Z' || sn.state == 'X'}, true
}

// program fills what belongs to the process: its image, arguments, limits, place. It reports false when there is neither
// a command line nor an executable, as for a process that has just ended.
func (s *scan) program(dir string, p *event.Process, st status) bool {
	args := split(s.read(dir+"cmdline", maxArgs))
	exe := string(s.readlink(dir + "exe"))
	if len(args) == 0 && exe == "" {
		return false
	}
	if len(args) > 0 {
		p.Exe, p.Args = args[0], args[1:]
	}
	p.ExePath = strings.TrimSuffix(exe, " (deleted)")
	p.Env = split(s.read(dir+"environ", maxArgs))
	p.FDLimit = fdLimit(s.read(dir+"limits", maxFile))
	s.executable(dir, p, st)
	p.PidnsInitStart = s.pidnsStart(dir)
	s.place(dir, p)
	return true
}

// place fills where a thread is: its directories and cgroups. Threads of one process may differ in them.
func (s *scan) place(dir string, p *event.Process) {
	p.Cwd = string(s.readlink(dir + "cwd"))
	p.Root = string(s.readlink(dir + "root"))
	p.Cgroups = s.cgroupsOf(dir)
}

// pidnsStart returns when the first process of the thread's pid namespace started, in ns since the epoch; 0 when its /proc
// is not mounted.
func (s *scan) pidnsStart(dir string) uint64 {
	var st unix.Stat_t
	ns := uint64(0)
	if unix.Stat(dir+"ns/pid", &st) == nil {
		ns = st.Ino
	}
	if t, ok := s.pidns[ns]; ok && ns != 0 {
		return t
	}
	var init []byte
	if unix.Stat(s.f.proc+"/1/ns/pid", &st) == nil && st.Ino == ns {
		init = s.read(s.f.proc+"/1/stat", maxFile)
	} else if inside, err := readIn(dir+"root", "proc/1/stat", maxStat); err == nil {
		init = []byte(inside)
	}
	sn, ok := parseStat(init)
	if !ok {
		return 0
	}
	t := s.boot() + sn.start*(nsPerSecond/userHz)
	s.pidns[ns] = t
	return t
}

// split cuts a NUL-separated block into its strings. The NUL after the last one may be missing.
func split(b []byte) []string {
	if len(b) == 0 {
		return nil
	}
	return strings.Split(string(bytes.TrimSuffix(b, []byte{0})), "\x00")
}

// loginUID parses /proc/<pid>/loginuid, which does not exist in kernels without auditing.
func loginUID(b []byte) uint32 {
	n, ok := parseUint(bytes.TrimSpace(b), 10)
	if !ok || n > 1<<32-1 {
		return 1<<32 - 1
	}
	return uint32(n)
}

// fdLimit returns the soft limit of open files in /proc/<pid>/limits, -1 when there is none or it is not known.
func fdLimit(b []byte) int64 {
	const name = "Max open files"
	for line := range bytes.Lines(b) {
		if rest, ok := bytes.CutPrefix(line, []byte(name)); ok {
			if n, ok := parseUint(field(rest, 0), 10); ok && n < 1<<63 {
				return int64(n)
			}
		}
	}
	return -1
}

func orElse(n, otherwise int64) int64 {
	if n == 0 {
		return otherwise
	}
	return n
}
