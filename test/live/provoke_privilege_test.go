//go:build linux

package live

import (
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

func privilegeProvocations() []provocation {
	container := surroundings{Container: true}
	nobody := surroundings{UID: 65534}
	none := ^uintptr(0) // the descriptor -1
	return []provocation{
		{
			rule: "Kernel module loaded from container", // from no file: the attempt counts
			in:   container,
			do:   func(s *scene) { s.syscall(unix.SYS_FINIT_MODULE, none, 0, 0) },
			miss: func(s *scene) { s.read("/proc/self/status") },
		},
		{
			rule: "Kernel module loaded by hand",
			do:   func(s *scene) { s.syscall(unix.SYS_FINIT_MODULE, none, 0, 0) },
			miss: func(s *scene) { s.read("/proc/self/status") },
		},
		{
			rule: "Kernel replaced", // more segments than there may be, and flags that do not exist: refused before anything is done
			do:   func(s *scene) { s.syscall(unix.SYS_KEXEC_LOAD, 0, 1000, 0, 0xffff) },
			miss: func(s *scene) { s.syscall(unix.SYS_UNAME, 0) },
		},
		{
			rule: "Container escape through cgroup release agent",
			in:   container,
			do:   func(s *scene) { s.create(s.path("release_agent")) },
			miss: func(s *scene) { s.create(s.path("release_notes")) },
		},
		{
			rule: "Control groups tell of another container",
			in:   container,
			do: func(s *scene) {
				s.moveGroups("")
				s.run("true")
			},
			miss: func(s *scene) {
				s.moveGroups("")
				s.moveGroups("docker/" + containerID(caseName(s.plan.Rule, s.plan.Miss)))
				s.run("true")
			},
		},
		{
			rule: "Kernel helper program changed", // opened, and nothing is written
			do:   func(s *scene) { s.tryOpen("/proc/sys/kernel/core_pattern", unix.O_WRONLY) },
			miss: func(s *scene) { s.tryOpen("/proc/sys/kernel/core_pattern", unix.O_RDONLY) },
		},
		{
			rule: "Container runtime overwritten from container",
			in:   container,
			do:   func(s *scene) { s.tryOpen("/proc/self/exe", unix.O_WRONLY) },
			miss: func(s *scene) { s.tryOpen("/proc/self/exe", unix.O_RDONLY) },
		},
		{
			rule: "Runtime socket used from container",
			in:   container,
			do:   func(s *scene) { s.reachUnix("docker.sock") },
			miss: func(s *scene) { s.reachUnix("app.sock") },
		},
		{
			rule: "Host device opened from container",
			in:   surroundings{Container: true, Cover: []string{"/dev"}, Files: []string{"/dev/sda", "/dev/tty0"}},
			do:   func(s *scene) { s.read("/dev/sda") },
			miss: func(s *scene) { s.read("/dev/tty0") },
		},
		{
			rule: "Host files reached from container",
			in:   container,
			do:   func(s *scene) { s.tryOpen("/proc/1/root/etc/hostname", unix.O_RDONLY) },
			miss: func(s *scene) { s.tryOpen("/proc/self/root/etc/hostname", unix.O_RDONLY) },
		},
		{
			rule: "Filesystem mounted in container",
			in:   surroundings{Container: true, Private: true},
			do:   func(s *scene) { s.check(unix.Mount("saker-live", s.dir, "tmpfs", 0, ""), "mounting") },
			miss: func(s *scene) { unix.Unmount(s.dir, 0) },
		},
		{
			rule: "File opened by handle in container",
			in:   container,
			do: func(s *scene) {
				handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, s.dir, 0)
				if err != nil {
					s.cannot("asking for a handle", err)
				}
				fd, err := unix.Open(s.dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
				s.check(err, "opening the directory")
				unix.OpenByHandleAt(fd, handle, unix.O_RDONLY)
			},
			miss: func(s *scene) { unix.NameToHandleAt(unix.AT_FDCWD, s.dir, 0) },
		},
		{
			rule: "Sensitive place mounted elsewhere",
			in:   surroundings{Private: true},
			do:   func(s *scene) { s.check(unix.Mount("/etc", s.dir, "", unix.MS_BIND, ""), "mounting /etc") },
			miss: func(s *scene) { s.check(unix.Mount("/usr/share", s.dir, "", unix.MS_BIND, ""), "mounting /usr/share") },
		},
		{
			rule: "Filesystem debugger run",
			do:   func(s *scene) { s.runAs("debugfs", "nothing", "") },
			miss: func(s *scene) { s.runAs("dumpfs", "nothing", "") },
		},
		{
			rule: "Namespace entered",
			do:   func(s *scene) { s.ownNamespace(func(fd int) { unix.Setns(fd, unix.CLONE_NEWUTS) }) },
			miss: func(s *scene) { s.ownNamespace(func(int) {}) },
		},
		{
			rule:   "Namespace left in container",
			in:     surroundings{Container: true, DropCaps: "admin"},
			do:     func(s *scene) { unix.Unshare(unix.CLONE_NEWUTS) },
			missIn: &container,
			miss:   func(s *scene) { unix.Unshare(unix.CLONE_NEWUTS) },
		},
		{
			rule: "User namespace made by ordinary user",
			in:   nobody,
			do:   func(s *scene) { s.run("unshare", "--user", "true") },
			miss: func(s *scene) { s.run("unshare", "--version") },
		},
		{
			rule: "Process attached or changed by debugger call",
			do: func(s *scene) {
				victim := s.sleeper()
				defer victim.Process.Kill()
				s.check(unix.PtraceSeize(victim.Process.Pid), "attaching to a process")
			},
			miss: func(s *scene) {
				victim := s.sleeper()
				defer victim.Process.Kill()
				s.syscall(unix.SYS_PTRACE, unix.PTRACE_GETREGS, uintptr(victim.Process.Pid))
			},
		},
		{
			rule: "Memory of another process written",
			do: func(s *scene) {
				victim := s.sleeper()
				defer victim.Process.Kill()
				s.syscall(unix.SYS_PROCESS_VM_WRITEV, uintptr(victim.Process.Pid), 0, 0, 0, 0, 0)
			},
			miss: func(s *scene) { s.tryOpen(fmt.Sprintf("/proc/%d/comm", os.Getpid()), unix.O_WRONLY) },
		},
		{
			rule: "Descriptor taken from another process",
			do: func(s *scene) {
				victim := s.sleeper()
				defer victim.Process.Kill()
				fd, err := unix.PidfdOpen(victim.Process.Pid, 0)
				s.check(err, "opening a process")
				unix.PidfdGetfd(fd, 0, 0)
			},
			miss: func(s *scene) { unix.PidfdOpen(os.Getpid(), 0) },
		},
		{
			rule:   "Page faults delegated by ordinary user",
			in:     nobody,
			do:     func(s *scene) { s.syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC) },
			missIn: &surroundings{},
			miss:   func(s *scene) { s.syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC) },
		},
		{
			rule: "Ordinary user becomes root",
			in:   nobody,
			do:   func(s *scene) { s.syscall(unix.SYS_SETUID, 0) },
			miss: func(s *scene) { s.syscall(unix.SYS_SETUID, 65534) },
		},
		{
			rule: "Setuid or setgid bit set",
			do: func(s *scene) {
				s.create(s.path("tool"))
				s.check(unix.Chmod(s.path("tool"), 0o4755), "changing the mode")
			},
			miss: func(s *scene) {
				s.create(s.path("tool"))
				s.check(unix.Chmod(s.path("tool"), 0o1755), "changing the mode")
			},
		},
		{
			rule: "File capabilities given",
			do:   func(s *scene) { s.runAs("setcap", "nothing", "", "cap_sys_admin+ep", "tool") },
			miss: func(s *scene) { s.runAs("getcap", "nothing", "") },
		},
		{
			rule: "Known sudo or pkexec exploit",
			do:   func(s *scene) { s.runAs("sudoedit", "nothing", "", "-s", `\`) },
			miss: func(s *scene) { s.runAs("sudoedit", "nothing", "", "-s", "/etc/motd") },
		},
		{
			rule: "Loader tuned by environment",
			do: func(s *scene) {
				s.env = []string{"GLIBC_TUNABLES=glibc.malloc.mxfast=0"}
				s.runAs("tool", "nothing", "")
			},
			miss: func(s *scene) {
				s.env = []string{"MALLOC_ARENA_MAX=1"}
				s.runAs("tool", "nothing", "")
			},
		},
		{
			rule: "Asynchronous ring used by unexpected program",
			in:   surroundings{Cover: []string{"/tmp"}},
			do:   func(s *scene) { s.runFrom("/tmp/tool", "io_uring", "") },
			miss: func(s *scene) { s.runAs("tool", "io_uring", "") },
		},
	}
}

// reachUnix connects to a socket file of the act's own.
func (s *scene) reachUnix(name string) {
	listener, err := net.Listen("unix", s.path(name))
	s.check(err, "listening on "+name)
	conn, err := net.DialTimeout("unix", listener.Addr().String(), 5*time.Second)
	s.check(err, "connecting to "+name)
	conn.Close()
}

// ownNamespace opens the process's own UTS namespace.
func (s *scene) ownNamespace(act func(fd int)) {
	fd, err := unix.Open("/proc/self/ns/uts", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	s.check(err, "opening a namespace")
	act(fd)
}
