//go:build linux

package live

import (
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// evasions are deeds that a rule is to see though they are done in a way that is made to be overlooked: other spellings of
// a path, other system calls, other names of the program.
func evasions() []provocation {
	password, key := "Password file read", "SSH login key added"
	nobody := surroundings{UID: 65534}
	shadow := func(variant, path string) provocation {
		return provocation{rule: password, variant: variant, do: func(s *scene) { s.read(path) }}
	}
	return []provocation{
		shadow("doubled slash", "/etc//shadow"),
		shadow("dots", "/etc/./././shadow"),
		shadow("one step up", "/etc/../etc/shadow"),
		shadow("longer than a kilobyte", "/etc/"+strings.Repeat("./", 600)+"shadow"),
		shadow("nearly as long as a path can be", "/etc/"+strings.Repeat("./", 2000)+"shadow"),
		{rule: password, variant: "relative", do: func(s *scene) {
			s.check(os.Chdir("/etc"), "changing the directory")
			s.read("shadow")
		}},
		{rule: password, variant: "relative to a descriptor", do: func(s *scene) {
			dir, err := unix.Open("/etc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			s.check(err, "opening /etc")
			_, err = unix.Openat(dir, "shadow", unix.O_RDONLY|unix.O_CLOEXEC, 0)
			s.check(err, "opening shadow")
		}},
		{rule: password, variant: "open", do: func(s *scene) {
			path, _ := unix.BytePtrFromString("/etc/shadow")
			s.syscall(unix.SYS_OPEN, pointer(path), unix.O_RDONLY|unix.O_CLOEXEC)
		}},
		{rule: password, variant: "openat2", do: func(s *scene) {
			_, err := unix.Openat2(unix.AT_FDCWD, "/etc/shadow", &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC})
			s.check(err, "opening /etc/shadow")
		}},
		{rule: password, variant: "by handle", do: func(s *scene) {
			handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, "/etc/shadow", 0)
			if err != nil {
				s.cannot("asking for a handle", err)
			}
			dir, err := unix.Open("/etc", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
			s.check(err, "opening /etc")
			_, err = unix.OpenByHandleAt(dir, handle, unix.O_RDONLY)
			s.check(err, "opening by handle")
		}},
		{rule: password, variant: "program named sudo", do: func(s *scene) { s.runAs("sudo", "read", "/etc/shadow") }},
		{rule: password, variant: "process renamed to sshd", do: func(s *scene) {
			name := [16]byte{'s', 's', 'h', 'd'}
			s.check(unix.Prctl(unix.PR_SET_NAME, pointer(&name), 0, 0, 0), "renaming the process")
			s.read("/etc/shadow")
		}},
		{rule: password, variant: "from a thread", do: func(s *scene) {
			done := make(chan struct{})
			go func() { s.read("/etc/shadow"); close(done) }()
			<-done
		}},

		{rule: key, variant: "creat", do: func(s *scene) {
			s.check(os.MkdirAll(s.path(".ssh"), 0o700), "making a directory")
			path, _ := unix.BytePtrFromString(s.path(".ssh/authorized_keys"))
			s.syscall(unix.SYS_CREAT, pointer(path), 0o600)
		}},
		{rule: key, variant: "rename", do: func(s *scene) {
			s.create(s.path(".ssh/known_hosts"))
			s.check(os.Rename(s.path(".ssh/known_hosts"), s.path(".ssh/authorized_keys")), "renaming")
		}},
		{rule: key, variant: "link", do: func(s *scene) {
			s.create(s.path(".ssh/known_hosts"))
			s.check(os.Link(s.path(".ssh/known_hosts"), s.path(".ssh/authorized_keys")), "linking")
		}},
		{rule: "Library preloaded into every program", variant: "rename", in: surroundings{Cover: []string{"/etc"}}, do: func(s *scene) {
			s.create("/etc/x")
			s.check(os.Rename("/etc/x", "/etc/ld.so.preload"), "renaming")
		}},

		{rule: "Program run from memory", variant: "execveat", do: func(s *scene) {
			program, err := os.ReadFile("/usr/bin/true")
			s.check(err, "reading a program")
			fd, err := unix.MemfdCreate("runc_cloned:/proc/self/exe", 0)
			s.check(err, "making a file in memory")
			_, err = unix.Write(fd, program)
			s.check(err, "filling it")
			empty, _ := unix.BytePtrFromString("")
			mark, _ := unix.BytePtrFromString(envCase + "=" + os.Getenv(envCase))
			argv, envp := []*byte{mark, nil}, []*byte{mark, nil}
			s.syscall(unix.SYS_EXECVEAT, uintptr(fd), pointer(empty), pointer(&argv[0]), pointer(&envp[0]), unix.AT_EMPTY_PATH)
			s.check(syscall.EINVAL, "executing it")
		}},
		{rule: "Standard stream redirected to network connection", variant: "fcntl", do: func(s *scene) {
			s.withConnection(func(fd int) {
				unix.Close(0)
				s.syscall(unix.SYS_FCNTL, uintptr(fd), unix.F_DUPFD, 0)
			})
		}},
		{rule: "Standard stream redirected to network connection", variant: "dup2", do: func(s *scene) {
			s.withConnection(func(fd int) { s.syscall(unix.SYS_DUP2, uintptr(fd), 2) })
		}},
		{rule: "Ordinary user becomes root", variant: "setresuid", in: nobody, do: func(s *scene) { s.syscall(unix.SYS_SETRESUID, 0, 0, 0) }},
		{rule: "Ordinary user becomes root", variant: "setreuid", in: nobody, do: func(s *scene) { s.syscall(unix.SYS_SETREUID, 0, 0) }},
		{rule: "Setuid or setgid bit set", variant: "fchmod", do: func(s *scene) {
			s.create(s.path("tool"))
			fd, err := unix.Open(s.path("tool"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
			s.check(err, "opening a file")
			s.check(unix.Fchmod(fd, 0o4755), "changing the mode")
		}},
		{rule: "Process attached or changed by debugger call", variant: "attach", do: func(s *scene) {
			victim := s.sleeper()
			defer victim.Process.Kill()
			s.check(unix.PtraceAttach(victim.Process.Pid), "attaching to a process")
		}},
		{rule: "Memory of another process written", variant: "mem file", do: func(s *scene) {
			victim := s.sleeper()
			defer victim.Process.Kill()
			s.tryOpen("/proc/"+pidText(victim)+"/mem", unix.O_RDWR)
		}},
		{rule: "Filesystem mounted in container", variant: "new calls", in: surroundings{Container: true, Private: true}, do: func(s *scene) {
			fd, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
			s.check(err, "opening a file system")
			unix.Close(fd)
		}},
		{
			rule: "Namespace left in container", variant: "user namespace", in: surroundings{Container: true, DropCaps: "admin"},
			do: func(s *scene) { s.run("unshare", "--user", "true") },
		},
		{rule: "Sensitive place mounted elsewhere", variant: "single file", in: surroundings{Private: true}, do: func(s *scene) {
			s.create(s.path("x"))
			s.check(unix.Mount("/etc/shadow", s.path("x"), "", unix.MS_BIND, ""), "mounting a file")
		}},
		{
			rule: "Container escape through cgroup release agent", variant: "with the host's processes in sight", in: surroundings{HostPID: true, Container: true},
			do: func(s *scene) { s.create(s.path("release_agent")) },
		},
	}
}
