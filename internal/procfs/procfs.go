// Package procfs reads what was there before the first event: processes with their descriptors, users, groups, the
// machine and its network interfaces.
//
// An FS looks at one machine through a directory under which that machine's root is mounted: "" or "/" on the host
// itself, "/host" in a container that has the host's root there (Falco's HOST_ROOT). Processes walks all threads once;
// Thread looks one up that an event named and nobody knows. Both tolerate processes that vanish while they are read and
// entries that may not be read: what is missing stays zero, and a thread of which nothing but its number can be read is
// left out. Kernel threads are left out too, as Falco leaves them out: they make no system calls.
//
// The formats are those of proc(5), cgroups(7), passwd(5) and group(5). The meanings of the members are Falco's
// (scap-format.md §3 to §6, falco-core.md §6).
package procfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/saker-sec/saker/internal/event"
	"golang.org/x/sys/unix"
)

// ErrNotFound is wrapped by the error of Thread for a thread that does not exist, no longer exists or belongs to the kernel,
// by that of Descriptor for a descriptor that is not open, and by that of Cwd for a process that does not exist.
var ErrNotFound = errors.New("not found")

// FS reads one machine. Between calls it holds nothing but the sockets that Thread read lately. It may be used by several goroutines.
type FS struct {
	root string // without a trailing slash
	proc string // root + "/proc"

	cgroupRoots map[string]string // see the function of that name
	recent      recentSockets
}

// New returns an FS of the machine whose root directory is mounted at root; "" is the machine we run on.
func New(root string) *FS {
	if root != "" {
		root = filepath.Clean(root)
	}
	if root == "/" {
		root = ""
	}
	proc := root + "/proc"
	return &FS{root: root, proc: proc, cgroupRoots: cgroupRoots(proc)}
}

// Processes calls visit for every thread of user space: a process's main thread first, with its descriptors, then its
// other threads. The Process belongs to visit. It fails when /proc cannot be listed, and with the first error of visit.
func (f *FS) Processes(visit func(*event.Process) error) error {
	pids, err := numbers(f.proc)
	if err != nil {
		return fmt.Errorf("listing the processes of %s: %w", f.proc, err)
	}
	s := f.newScan()
	for _, pid := range pids {
		tids, err := numbers(f.proc + "/" + strconv.FormatInt(pid, 10) + "/task")
		if err != nil {
			continue // The process ended since.
		}
		leader, ok := s.leader(pid, tids)
		if ok {
			if err := visit(leader); err != nil {
				return err
			}
		}
		for _, tid := range tids {
			if tid == pid {
				continue
			}
			if p, ok := s.thread(pid, tid, leader); ok {
				if err := visit(p); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Thread reads one thread, with the first 4096 descriptors of the process if it is its main thread. Sockets that are younger than a
// second, or a few where there are very many, may be without their addresses. The error wraps ErrNotFound when
// there is no such thread of user space.
func (f *FS) Thread(tid int64) (*event.Process, error) {
	s := f.newScan()
	s.single, s.maxFDs = true, maxThreadFDs
	pid, ok := s.tgid(tid)
	if !ok {
		return nil, fmt.Errorf("reading thread %d in %s: %w", tid, f.proc, ErrNotFound)
	}
	var p *event.Process
	if pid != tid {
		p, ok = s.thread(pid, tid, nil)
	} else {
		tids, err := numbers(f.proc + "/" + strconv.FormatInt(pid, 10) + "/task")
		if err != nil {
			return nil, fmt.Errorf("reading thread %d in %s: %w", tid, f.proc, ErrNotFound)
		}
		p, ok = s.leader(pid, tids)
	}
	if !ok {
		return nil, fmt.Errorf("reading thread %d in %s: %w", tid, f.proc, ErrNotFound)
	}
	return p, nil
}

// Descriptor reads one open descriptor of a process. Sockets are not looked up, since finding one means reading all of its
// namespace; they, and what is not open, are ErrNotFound.
func (f *FS) Descriptor(pid, fd int64) (event.Descriptor, error) {
	s := f.newScan()
	dir := f.proc + "/" + strconv.FormatInt(pid, 10) + "/"
	path := dir + "fd/" + strconv.FormatInt(fd, 10)
	if _, socket := bracketed(s.readlink(path), "socket:["); !socket {
		if d, ok := s.descriptor(dir, path, fd); ok {
			return d, nil
		}
	}
	return event.Descriptor{}, fmt.Errorf("reading descriptor %d of process %d in %s: %w", fd, pid, f.proc, ErrNotFound)
}

// Cwd returns the working directory of a process as its cwd link has it.
func (f *FS) Cwd(pid int64) (string, error) {
	cwd, err := os.Readlink(f.proc + "/" + strconv.FormatInt(pid, 10) + "/cwd")
	if err != nil {
		return "", fmt.Errorf("reading the working directory of process %d in %s: %w", pid, f.proc, ErrNotFound)
	}
	return cwd, nil
}

// Alive says whether a thread exists. A zombie does.
func (f *FS) Alive(tid int64) bool {
	if tid <= 0 {
		return false
	}
	var st unix.Stat_t
	return unix.Lstat(f.proc+"/"+strconv.FormatInt(tid, 10), &st) == nil
}

// numbers returns the entries of dir that are numbers, in order.
func numbers(dir string) ([]int64, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil && len(names) == 0 {
		return nil, err
	}
	out := make([]int64, 0, len(names))
	for _, name := range names {
		if n, ok := parseUint([]byte(name), 10); ok && n <= 1<<32 {
			out = append(out, int64(n))
		}
	}
	slices.Sort(out)
	return out, nil
}
