package procfs

import (
	"bytes"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// unifiedTree is what is known of the unified hierarchy (cgroups(7)).
type unifiedTree struct {
	looked      bool
	mounted     bool
	controllers []string // those that belong to it rather than to a hierarchy of version 1
}

// cgroupsOf returns the cgroups of a thread as "subsystem=path". Each controller of the unified hierarchy is reported with the
// thread's own path there, as the driver reports it with events: containers that no controller is switched on for have no other.
func (s *scan) cgroupsOf(dir string) []string {
	var out []string
	text := string(s.read(dir+"cgroup", maxFile))
	for line := range strings.Lines(text) {
		subsystems, path, ok := cgroupLine(line)
		if !ok {
			continue
		}
		path = absolute(s.f.cgroupRoots[subsystems], path)
		if subsystems == "" {
			out = append(out, s.unified(path)...)
			continue
		}
		for name := range strings.SplitSeq(subsystems, ",") {
			out = append(out, subsystem(name)+"="+path)
		}
	}
	return out
}

// cgroupLine splits a line of /proc/<pid>/cgroup, "number:subsystems:path".
func cgroupLine(line string) (subsystems, path string, ok bool) {
	_, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
	return strings.Cut(rest, ":")
}

// subsystem returns Falco's name of a controller (falco-core.md §6.3).
func subsystem(name string) string {
	if name == "io" {
		return "blkio"
	}
	return name
}

// unified returns the controllers of a cgroup in the unified hierarchy. Where that is not mounted but the process has a
// place in it, the place is reported for the memory controller, which is the one that containers are told apart by.
func (s *scan) unified(path string) []string {
	s.findUnified()
	if !s.tree.mounted {
		if path == "/" {
			return nil
		}
		return []string{"memory=" + path}
	}
	out := make([]string, 0, len(s.tree.controllers))
	for _, c := range s.tree.controllers {
		out = append(out, subsystem(c)+"="+path)
	}
	return out
}

// findUnified looks for the mount of the unified hierarchy in the first process's mounts. In a hybrid set-up it is mounted
// without controllers and of no use.
func (s *scan) findUnified() {
	if s.tree.looked {
		return
	}
	s.tree.looked = true
	host := s.f.proc + "/1/root"
	for line := range bytes.Lines(bytes.Clone(s.read(s.f.proc+"/1/mounts", maxFile))) {
		if string(field(line, 2)) != "cgroup2" {
			continue
		}
		file := host + string(field(line, 1)) + "/cgroup.controllers"
		if unix.Access(file, unix.R_OK) == nil {
			s.tree.mounted = true
			s.tree.controllers = strings.Fields(string(s.read(file, maxPath)))
			return
		}
	}
}

// cgroupRoots returns the cgroups that are the root of our cgroup namespace (cgroup_namespaces(7)) by the subsystems of their
// hierarchy, as the first process of the machine sees them; nil where that is in the same namespace, or where its namespace
// cannot be entered, which takes CAP_SYS_ADMIN. A runtime gives a container a namespace of its own, and /proc/<pid>/cgroup shows
// paths from the reader's root on: without this a Saker that runs in a container would see "/../x" for a neighbour.
func cgroupRoots(proc string) map[string]string {
	ours, err := os.Readlink("/proc/self/ns/cgroup")
	if err != nil {
		return nil
	}
	if theirs, err := os.Readlink(proc + "/1/ns/cgroup"); err != nil || theirs == ours {
		return nil
	}
	inside, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	outside := make(chan []byte, 1)
	go func() {
		defer close(outside)
		// The thread is not unlocked: it ends with the goroutine, and nothing else runs in the other namespace.
		runtime.LockOSThread()
		fd, err := unix.Open(proc+"/1/ns/cgroup", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			return
		}
		defer unix.Close(fd)
		if unix.Setns(fd, unix.CLONE_NEWCGROUP) != nil {
			return
		}
		if text, err := os.ReadFile("/proc/thread-self/cgroup"); err == nil {
			outside <- text
		}
	}()
	return rootsOf(string(inside), string(<-outside))
}

// rootsOf compares our own /proc/<pid>/cgroup, read inside and outside of our namespace.
func rootsOf(inside, outside string) map[string]string {
	roots := map[string]string{}
	for line := range strings.Lines(outside) {
		if subsystems, path, ok := cgroupLine(line); ok {
			roots[subsystems] = path
		}
	}
	for line := range strings.Lines(inside) {
		subsystems, path, ok := cgroupLine(line)
		if !ok || path == "/" {
			continue
		}
		// We may be in a group below the root of the namespace.
		root, below := strings.CutSuffix(roots[subsystems], path)
		if !below {
			delete(roots, subsystems)
			continue
		}
		roots[subsystems] = root
	}
	return roots
}

// absolute returns the path of a group that is seen as path from a namespace with the given root, "" or "/" for the machine's own.
func absolute(root, path string) string {
	root = strings.TrimSuffix(root, "/")
	for {
		rest, up := strings.CutPrefix(path, "/..")
		if !up || rest != "" && rest[0] != '/' || root == "" {
			break
		}
		path = rest
		root = root[:strings.LastIndexByte(root, '/')]
	}
	switch {
	case root == "" && path == "":
		return "/"
	case root != "" && path == "/":
		return root
	}
	return root + path
}
