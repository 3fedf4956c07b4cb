//go:build linux

package live

import (
	"os"

	"golang.org/x/sys/unix"
)

func evasionProvocations() []provocation {
	logs := surroundings{Cover: []string{"/var/log"}, Files: []string{"/var/log/auth.log"}}
	return []provocation{
		{
			rule: "Program traces itself",
			do:   func(s *scene) { s.traceMe() },
			miss: func(s *scene) { unix.RawSyscall(unix.SYS_PTRACE, unix.PTRACE_GETREGS, 0, 0) },
		},
		{
			rule: "Log file cleared",
			in:   logs,
			do:   func(s *scene) { s.tryOpen("/var/log/auth.log", unix.O_WRONLY|unix.O_TRUNC) },
			miss: func(s *scene) { s.tryOpen("/var/log/auth.log", unix.O_WRONLY|unix.O_APPEND) },
		},
		{
			rule: "Shell history deleted",
			in:   surroundings{},
			do: func(s *scene) {
				s.create(s.path("history"))
				s.check(os.Link(s.path("history"), s.path(".bash_history")), "making a history")
				s.check(os.Remove(s.path(".bash_history")), "removing a history")
			},
			miss: func(s *scene) { s.tryOpen(s.path(".bash_history"), unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT) },
		},
		{
			rule: "Shell history switched off",
			do: func(s *scene) {
				s.env = []string{"HISTFILE=/dev/null"}
				s.runAs("tool", "nothing", "")
			},
			miss: func(s *scene) {
				s.env = []string{"HISTFILE=/root/.history"}
				s.runAs("tool", "nothing", "")
			},
		},
		{
			rule: "Security service switched off",
			do:   func(s *scene) { s.runAs("systemctl", "nothing", "", "stop", "auditd") },
			miss: func(s *scene) { s.runAs("systemctl", "nothing", "", "status", "auditd") },
		},
		{
			rule: "Process poses as kernel thread",
			do:   func(s *scene) { s.runNamed("[kworker/0:1]") },
			miss: func(s *scene) { s.runNamed("[") },
		},
		{
			rule: "Deceptive file name created",
			do:   func(s *scene) { s.check(os.Mkdir(s.path("..."), 0o755), "making a directory") },
			miss: func(s *scene) { s.check(os.Mkdir(s.path("..x"), 0o755), "making a directory") },
		},
		{
			rule: "File made immutable",
			do:   func(s *scene) { s.runAs("chattr", "nothing", "", "+i", "tool") },
			miss: func(s *scene) { s.runAs("lsattr", "nothing", "") },
		},
		{
			rule: "Data destroyed in bulk",
			do:   func(s *scene) { s.runAs("shred", "nothing", "", "-u", "data") },
			miss: func(s *scene) { s.runAs("shredder", "nothing", "") },
		},
	}
}

// runNamed runs this program with a name of its choice in the first argument.
func (s *scene) runNamed(name string) {
	s.start("/proc/self/exe", []string{name}, "nothing", "")
}
