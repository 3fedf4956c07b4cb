package driver

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSystemCalls(t *testing.T) { runCalls(t, systemCalls()) }

func systemCalls() []call {
	const none = "/nonexistent/x"
	cases := []call{
		{"mount", "", func(m *memory) int64 {
			return sys(unix.SYS_MOUNT, m.str("dev"), m.str(none), m.str("tmpfs"), 0xC0ED0000|unix.MS_RDONLY|unix.MS_NOEXEC, m.str("size=1"))
		}, failing(unix.ENOENT, "dev", none, "tmpfs", 9)},
		{
			"mount", "without source and type", func(m *memory) int64 { return sys(unix.SYS_MOUNT, 0, m.str(none), 0, unix.MS_BIND|unix.MS_REC, 0) },
			failing(unix.ENOENT, nil, none, nil, 0x5000),
		},
		{
			"umount2", "", func(m *memory) int64 { return sys(unix.SYS_UMOUNT2, m.str(none), unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW) },
			failing(unix.ENOENT, none, 10),
		},
		{
			"init_module", "", func(m *memory) int64 { return sys(unix.SYS_INIT_MODULE, m.str("not a module"), 12, m.str("a=1")) },
			result([]byte("not a module"), 12, "a=1"),
		},
		{
			"finit_module", "", func(m *memory) int64 {
				return sys(unix.SYS_FINIT_MODULE, u(-3), m.str("b=2"), unix.MODULE_INIT_IGNORE_VERMAGIC)
			},
			result(-3, "b=2", 2),
		},
		{
			"delete_module", "", func(m *memory) int64 {
				return sys(unix.SYS_DELETE_MODULE, m.str("no_such"), unix.O_NONBLOCK|unix.O_TRUNC)
			},
			result("no_such", 3),
		},
		{"bpf", "", func(m *memory) int64 { return sys(unix.SYS_BPF, unix.BPF_PROG_LOAD, 0, 0) }, result(5)},
		{"io_uring_setup", "", func(m *memory) int64 {
			params := make([]byte, 120)
			binary.LittleEndian.PutUint32(params[8:], 1<<4) // IORING_SETUP_CLAMP
			return made(m, sys(unix.SYS_IO_URING_SETUP, 3, m.bytes(params)))
		}, func(ret int64) []any {
			if ret < 0 {
				return []any{ret, 3, 0, 0, 0x20, 0, 0, 0}
			}
			return []any{ret, 3, 4, 8, 0x20, 0, 0, func(b []byte) bool { return b[0]&1 == 1 }}
		}},
		{"io_uring_setup", "without parameters", func(m *memory) int64 { return sys(unix.SYS_IO_URING_SETUP, 3, 8) }, result(3, 0, 0, 0, 0, 0, 0)},
		{"io_uring_enter", "", func(m *memory) int64 { return sys(unix.SYS_IO_URING_ENTER, u(-3), 1, 2, 9, 0x77, 8) }, result(-3, 1, 2, 9, 0x77)},
		{"io_uring_register", "", func(m *memory) int64 { return sys(unix.SYS_IO_URING_REGISTER, u(-3), 4, 0x1234, 9) }, result(-3, 4, 0x1234, 9)},
		{
			"fsconfig", "FSCONFIG_SET_STRING", func(m *memory) int64 { return sys(unix.SYS_FSCONFIG, u(-3), 1, m.str("source"), m.str("/dev/x"), 0) },
			failing(unix.EINVAL, -3, 1, "source", nil, nil, 0),
		},
		{"fsconfig", "that succeeds", func(m *memory) int64 {
			fs := sys(unix.SYS_FSOPEN, m.str("tmpfs"), 0)
			if fs < 0 {
				return m.skip("fsopen: errno %d", -fs)
			}
			made(m, fs)
			return sys(unix.SYS_FSCONFIG, uintptr(fs), 1, m.str("size"), m.str("64k"), 0)
		}, just(0, any_{}, 1, "size", nil, "64k", 0)},
	}
	return append(append(append(cases, quotaCalls()...), keyCalls()...), semaphoreCalls()...)
}

func quotaCalls() []call {
	const special = "/dev/nonexistent"
	zeros := func(n int) []any {
		var out []any
		for range n {
			out = append(out, 0)
		}
		return out
	}
	event := func(file any, numbers []any, flags, format, cmd, typ, id, on any) func(int64) []any {
		return func(ret int64) []any {
			out := append([]any{ret, special, file}, numbers...)
			return append(out, flags, format, cmd, typ, id, on)
		}
	}
	quota := func(m *memory, cmd, typ uintptr, id uintptr, p uintptr) int64 {
		return sys(unix.SYS_QUOTACTL, cmd<<8|typ, m.str(special), id, p)
	}
	return []call{
		{
			"quotactl", "Q_QUOTAON", func(m *memory) int64 { return quota(m, 0x800002, 1, 4, m.str("/aquota")) },
			event("/aquota", zeros(9), 0, 1, 1, 2, 0, 8),
		},
		{"quotactl", "Q_SETQUOTA", func(m *memory) int64 {
			return quota(m, 0x800008, 0, 1000, m.words(10, 11, 12, 13, 14, 15, 16, 17, 1|2|4|16|32))
		}, event(nil, []any{10, 11, 12, 13, 14, 16, 17, 0, 0}, 0, 1, 0x40, 1, 1000, 1)},
		{
			"quotactl", "Q_SETINFO", func(m *memory) int64 { return quota(m, 0x800006, 0, 0, m.words(20, 21, 1|7<<32)) },
			event(nil, []any{0, 0, 0, 0, 0, 0, 0, 20, 21}, 1, 1, 0x10, 1, 0, 1),
		},
		{"quotactl", "unknown", func(m *memory) int64 { return quota(m, 0x123, 9, 5, 0) }, event(nil, zeros(9), 0, 1, 0, 0, 0, 1)},
	}
}

func keyCalls() []call {
	number := func(n int64) []byte { return binary.LittleEndian.AppendUint64([]byte{0}, uint64(n)) }
	text := func(s string) []byte { return append([]byte{1}, s+"\x00"...) }
	return []call{
		{
			"keyctl", "KEYCTL_GET_KEYRING_ID", func(m *memory) int64 { return sys(unix.SYS_KEYCTL, 0, u(-3), 0, 8, 8) },
			result(0, number(-3), number(0), number(0), number(0)),
		},
		{
			"keyctl", "KEYCTL_SEARCH", func(m *memory) int64 { return sys(unix.SYS_KEYCTL, 10, u(-3), m.str("user"), m.str("no such key"), 0) },
			result(10, number(-3), text("user"), text("no such key"), number(0)),
		},
		{
			"keyctl", "KEYCTL_JOIN_SESSION_KEYRING", func(m *memory) int64 { return sys(unix.SYS_KEYCTL, 1, m.str("ring")) },
			result(1, text("ring"), number(0), number(0), number(0)),
		},
		{
			"keyctl", "KEYCTL_JOIN_SESSION_KEYRING without a name", func(m *memory) int64 { return sys(unix.SYS_KEYCTL, 1, 0) },
			result(1, []byte{1}, number(0), number(0), number(0)),
		},
		{
			"keyctl", "unknown", func(m *memory) int64 { return sys(unix.SYS_KEYCTL, 999, 1, 2, 3, 4) },
			result(999, number(0), number(0), number(0), number(0)),
		},
	}
}

func semaphoreCalls() []call {
	op := func(num uint16, op int16, flags uint16) uint64 {
		return uint64(num) | uint64(uint16(op))<<16 | uint64(flags)<<32
	}
	ops := func(m *memory, o ...uint64) uintptr {
		var b []byte
		for _, v := range o {
			b = append(b, binary.LittleEndian.AppendUint64(nil, v)[:6]...)
		}
		return m.bytes(b)
	}
	set := func(m *memory, f func(id uintptr) int64) int64 {
		id := sys(unix.SYS_SEMGET, 0, 2, 0o600)
		if id < 0 {
			return m.skip("semget: errno %d", -id)
		}
		defer sys(unix.SYS_SEMCTL, uintptr(id), 0, 0)
		return f(uintptr(id))
	}
	return []call{
		{"semget", "", func(m *memory) int64 { return sys(unix.SYS_SEMGET, 0, u(-1), 0o1000|0o2000|0o600) }, result(0, -1, 0x6000)},
		{"semctl", "IPC_RMID", func(m *memory) int64 { return sys(unix.SYS_SEMCTL, u(-1), 3, 0, 9) }, failing(unix.EINVAL, -1, 3, 4, 0)},
		{
			"semctl", "SETVAL", func(m *memory) int64 {
				return set(m, func(id uintptr) int64 { return sys(unix.SYS_SEMCTL, id, 1, 16, 5) })
			},
			just(0, any_{}, 1, 0x1000, 5),
		},
		{"semop", "", func(m *memory) int64 {
			return set(m, func(id uintptr) int64 { return sys(unix.SYS_SEMOP, id, ops(m, op(1, 3, 0x1000), op(0, 0, 0o4000)), 2) })
		}, just(0, 2, 1, 3, 2, 0, 0, 1, any_{})},
		{
			"semop", "on nothing", func(m *memory) int64 { return sys(unix.SYS_SEMOP, u(-1), ops(m, op(1, 3, 0)), 1) },
			failing(unix.EINVAL, 1, 0, 0, 0, 0, 0, 0, -1),
		},
	}
}
