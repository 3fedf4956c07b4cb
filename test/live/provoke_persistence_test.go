//go:build linux

package live

import "golang.org/x/sys/unix"

func persistenceProvocations() []provocation {
	etc := surroundings{Cover: []string{"/etc"}}
	return []provocation{
		{
			rule: "Library preloaded into every program",
			in:   etc,
			do:   func(s *scene) { s.create("/etc/ld.so.preload") },
			miss: func(s *scene) { s.create("/etc/ld.so.preloaded") },
		},
		{
			rule: "Library preloaded from a temporary directory",
			do: func(s *scene) {
				s.env = []string{"LD_PRELOAD=/tmp/saker-live.so"}
				s.runAs("tool", "nothing", "")
			},
			miss: func(s *scene) {
				s.env = []string{"LD_PRELOAD=/usr/lib/saker-live.so"}
				s.runAs("tool", "nothing", "")
			},
		},
		{
			rule: "SSH login key added",
			do:   func(s *scene) { s.create(s.path("home/.ssh/authorized_keys")) },
			miss: func(s *scene) { s.create(s.path("home/.ssh/known_hosts")) },
		},
		{
			rule: "Shell start-up file changed",
			do:   func(s *scene) { s.create(s.path("home/.bashrc")) },
			miss: func(s *scene) { s.create(s.path("home/bashrc")) },
		},
		{
			rule: "Scheduled job changed",
			in:   etc,
			do:   func(s *scene) { s.create("/etc/cron.d/saker") },
			miss: func(s *scene) { s.create("/etc/cronies/saker") },
		},
		{
			rule: "Service or start-up file changed",
			in:   etc,
			do:   func(s *scene) { s.create("/etc/systemd/system/saker-live.service") },
			miss: func(s *scene) { s.create("/etc/systemd/saker-live.conf") },
		},
		{
			rule: "Account database changed",
			in:   etc,
			do:   func(s *scene) { s.create("/etc/passwd") },
			miss: func(s *scene) { s.create("/etc/passwords") },
		},
		{
			rule: "Account tool run on host",
			do:   func(s *scene) { s.runAs("useradd", "nothing", "", "saker") },
			miss: func(s *scene) { s.runAs("passwd", "nothing", "", "-S", "saker") },
		},
		{
			rule: "System program changed",
			in:   surroundings{Cover: []string{"/usr/sbin"}},
			do:   func(s *scene) { s.create("/usr/sbin/saker-live") },
			miss: func(s *scene) { s.create(s.path("usr/sbin/saker-live")) },
		},
		{
			rule: "Boot files changed",
			in:   surroundings{Cover: []string{"/boot"}},
			do:   func(s *scene) { s.create("/boot/vmlinuz") },
			miss: func(s *scene) { s.create(s.path("boot/vmlinuz")) },
		},
		{
			rule: "Package database changed",
			in:   etc,
			do:   func(s *scene) { s.create("/etc/apt/sources.list.d/saker.list") },
			miss: func(s *scene) { s.create("/etc/apt/listchanges.conf") },
		},
		{
			rule: "Security configuration changed",
			in:   etc,
			do:   func(s *scene) { s.create("/etc/audit/rules.d/saker.rules") },
			miss: func(s *scene) { s.create("/etc/auditors") },
		},
		{
			rule: "File created below dev",
			in:   surroundings{Cover: []string{"/dev"}},
			do:   func(s *scene) { s.create("/dev/saker") },
			miss: func(s *scene) { s.create("/dev/saker/live") },
		},
		{
			rule: "BPF program loaded", // without a program: the attempt counts
			do:   func(s *scene) { s.bpf(unix.BPF_PROG_LOAD) },
			miss: func(s *scene) { s.bpf(unix.BPF_MAP_CREATE) },
		},
		{
			rule: "Backdoored liblzma loaded by SSH server",
			do: func(s *scene) {
				s.create(s.path("liblzma.so.5.6.1"))
				s.runAs("sshd", "read", s.path("liblzma.so.5.6.1"))
			},
			miss: func(s *scene) {
				s.create(s.path("liblzma.so.5.4.1"))
				s.runAs("sshd", "read", s.path("liblzma.so.5.4.1"))
			},
		},
	}
}

// bpf calls bpf(2) with an empty argument, which the kernel refuses.
func (s *scene) bpf(command uintptr) {
	var attributes [128]byte
	s.syscall(unix.SYS_BPF, command, pointer(&attributes), uintptr(len(attributes)))
}
