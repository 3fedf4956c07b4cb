package driver

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

func TestProcCalls(t *testing.T) { runCalls(t, procCalls()) }

// The calls are made by one thread without the C library, so that they change that thread alone.
func procCalls() []call {
	ids := func(m *memory, nr uintptr) int64 {
		b := m.bytes(make([]byte, 4))
		return sys(nr, b, b, b)
	}
	cases := []call{
		{"setuid", "", func(m *memory) int64 { return sys(unix.SYS_SETUID, 1234) }, just(0, 1234)},
		{"setgid", "", func(m *memory) int64 { return sys(unix.SYS_SETGID, 70000) }, just(0, 70000)},
		{"setuid", "without permission", func(m *memory) int64 { sys(unix.SYS_SETUID, 1234); return sys(unix.SYS_SETUID, 0) }, failing(unix.EPERM, 0)},
		{"setreuid", "", func(m *memory) int64 { return sys(unix.SYS_SETREUID, u(-1), 5) }, just(0, -1, 5)},
		{"setregid", "", func(m *memory) int64 { return sys(unix.SYS_SETREGID, 6, u(-1)) }, just(0, 6, -1)},
		{"setresuid", "", func(m *memory) int64 { return sys(unix.SYS_SETRESUID, 1, 2, 3) }, just(0, 1, 2, 3)},
		{"setresgid", "", func(m *memory) int64 { return sys(unix.SYS_SETRESGID, 4, 5, 6) }, just(0, 4, 5, 6)},
		{"getuid", "", func(m *memory) int64 { return sys(unix.SYS_GETUID) }, just(0)},
		{"geteuid", "", func(m *memory) int64 { sys(unix.SYS_SETRESUID, 1, 2, 3); return sys(unix.SYS_GETEUID) }, just(2)},
		{"getgid", "", func(m *memory) int64 { sys(unix.SYS_SETRESGID, 4, 5, 6); return sys(unix.SYS_GETGID) }, just(4)},
		{"getegid", "", func(m *memory) int64 { sys(unix.SYS_SETRESGID, 4, 5, 6); return sys(unix.SYS_GETEGID) }, just(5)},
		{"getresuid", "", func(m *memory) int64 { sys(unix.SYS_SETRESUID, 9, 9, 9); return ids(m, unix.SYS_GETRESUID) }, just(0, 9, 9, 9)},
		{"getresgid", "", func(m *memory) int64 { return sys(unix.SYS_GETRESGID, 8, 8, 8) }, failing(unix.EFAULT, -1, -1, -1)},
		{"capset", "", func(m *memory) int64 {
			header := binary.LittleEndian.AppendUint32(nil, unix.LINUX_CAPABILITY_VERSION_3)
			header = binary.LittleEndian.AppendUint32(header, 0)
			const net, admin = 1 << unix.CAP_NET_ADMIN, 1 << (unix.CAP_BPF - 32)
			return sys(unix.SYS_CAPSET, m.bytes(header), m.words(net|(net|1)<<32, 1, admin))
		}, just(0, 1, 1<<unix.CAP_NET_ADMIN|1|1<<unix.CAP_BPF, 1<<unix.CAP_NET_ADMIN)},
		{"setsid", "", func(m *memory) int64 { return sys(unix.SYS_SETSID) }, result()},
		{"setpgid", "", func(m *memory) int64 { return sys(unix.SYS_SETPGID, u(-1), 7) }, failing(unix.ESRCH, -1, 7)},
		{
			"unshare", "", func(m *memory) int64 { return sys(unix.SYS_UNSHARE, unix.CLONE_NEWNS|unix.CLONE_FS|unix.CLONE_NEWUTS) },
			just(0, 0x20|0x2|0x80),
		},
		{
			"unshare", "refused", func(m *memory) int64 {
				return sys(unix.SYS_UNSHARE, unix.CLONE_NEWUSER|unix.CLONE_NEWNET|unix.CLONE_VM)
			},
			failing(unix.EINVAL, 0x100000|0x10|0x8000),
		},
		{
			"setns", "", func(m *memory) int64 { return sys(unix.SYS_SETNS, null(m), unix.CLONE_NEWPID|unix.CLONE_NEWCGROUP) },
			failing(unix.EINVAL, any_{}, 0x40|0x10000000),
		},
		{"seccomp", "", func(m *memory) int64 { return sys(unix.SYS_SECCOMP, 2, 1, m.words(7)) }, func(ret int64) []any { return []any{ret, 2, 1} }},
		{"kill", "", func(m *memory) int64 { return sys(unix.SYS_KILL, uintptr(unix.Getpid()), 0) }, just(0, unix.Getpid(), 0)},
		{"kill", "of nobody", func(m *memory) int64 { return sys(unix.SYS_KILL, u(-2147483647), 9) }, failing(unix.ESRCH, -2147483647, 9)},
		{"tkill", "", func(m *memory) int64 { return sys(unix.SYS_TKILL, u(-1), 9) }, failing(unix.EINVAL, -1, 9)},
		{"tgkill", "", func(m *memory) int64 { return sys(unix.SYS_TGKILL, u(-1), 5, 10) }, failing(unix.EINVAL, -1, 5, 10)},
		{"nanosleep", "", func(m *memory) int64 { return sys(unix.SYS_NANOSLEEP, m.words(0, 1234), 0) }, just(0, 1234)},
		{"nanosleep", "too long", func(m *memory) int64 { return sys(unix.SYS_NANOSLEEP, m.words(3, 2_000_000_000), 0) }, failing(unix.EINVAL, 5_000_000_000)},
		{"futex", "", func(m *memory) int64 { return sys(unix.SYS_FUTEX, m.words(5), 1|128, 77) }, just(0, any_{}, 0x81, 77)},
		{"futex", "unknown", func(m *memory) int64 { return sys(unix.SYS_FUTEX, 0x10000, 100|256, 3) }, failing(unix.ENOSYS, 0x10000, 0x100, 3)},
	}
	return append(append(cases, limitCalls()...), ptraceCalls()...)
}

// limitCalls ask for and set limits and attributes.
func limitCalls() []call {
	return []call{
		{
			"setrlimit", "", func(m *memory) int64 { return sys(unix.SYS_SETRLIMIT, unix.RLIMIT_NOFILE, m.words(9, 8)) },
			failing(unix.EINVAL, 9, 8, 7),
		},
		{"setrlimit", "unknown", func(m *memory) int64 { return sys(unix.SYS_SETRLIMIT, 99, 8) }, failing(unix.EFAULT, -1, -1, 0xff)},
		{"getrlimit", "", func(m *memory) int64 { return sys(unix.SYS_GETRLIMIT, unix.RLIMIT_RSS, m.words(5, 5)) }, just(0, any_{}, any_{}, 5)},
		{"getrlimit", "of nothing", func(m *memory) int64 { return sys(unix.SYS_GETRLIMIT, 99, m.words(5, 5)) }, failing(unix.EINVAL, -1, -1, 0xff)},
		{
			"prlimit64", "", func(m *memory) int64 { return sys(unix.SYS_PRLIMIT64, 0, unix.RLIMIT_CORE, 0, m.words(1, 1)) },
			just(0, 0, 0, any_{}, any_{}, 0, 4),
		},
		{
			"prlimit64", "refused", func(m *memory) int64 { return sys(unix.SYS_PRLIMIT64, u(-3), unix.RLIMIT_NPROC, m.words(4, 1<<40), 0) },
			failing(unix.ESRCH, 4, 1<<40, -1, -1, -3, 6),
		},
		{"prctl", "PR_SET_NAME", func(m *memory) int64 { return sys(unix.SYS_PRCTL, unix.PR_SET_NAME, m.str("new name")) }, just(0, 15, "new name", 0)},
		{
			"prctl", "PR_GET_CHILD_SUBREAPER", func(m *memory) int64 { return sys(unix.SYS_PRCTL, unix.PR_GET_CHILD_SUBREAPER, m.words(9)) },
			just(0, 37, nil, func(b []byte) bool { return b[0] <= 1 }),
		},
		{"prctl", "PR_CAPBSET_READ", func(m *memory) int64 { return sys(unix.SYS_PRCTL, unix.PR_CAPBSET_READ, 5) }, result(23, nil, 5)},
		{"prctl", "unknown", func(m *memory) int64 { return sys(unix.SYS_PRCTL, 99999, u(-8)) }, failing(unix.EINVAL, 99999, nil, -8)},
	}
}

func ptraceCalls() []call {
	dyn := func(n uint64) []byte { return binary.LittleEndian.AppendUint64([]byte{0}, n) }
	return []call{
		{
			"ptrace", "of nobody", func(m *memory) int64 { return sys(unix.SYS_PTRACE, unix.PTRACE_ATTACH, u(-2), 3, 4) },
			failing(unix.ESRCH, dyn(0), dyn(0), 0xb, -2),
		},
		{
			"ptrace", "PTRACE_SEIZE", func(m *memory) int64 { return sys(unix.SYS_PTRACE, unix.PTRACE_SEIZE, u(-2), 0, 0) },
			failing(unix.ESRCH, dyn(0), dyn(0), 0x14, -2),
		},
		{"ptrace", "unknown", func(m *memory) int64 { return sys(unix.SYS_PTRACE, 0x7777, u(-2), 0, 0) }, failing(unix.ESRCH, dyn(0), dyn(0), 0, -2)},
	}
}
