package driver

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

func TestMemoryCalls(t *testing.T) { runCalls(t, memoryCalls()) }

// someKB accepts the size of this process's memory: more than nothing and less than a TiB.
func someKB(b []byte) bool {
	n := binary.LittleEndian.Uint32(b)
	return n > 1000 && n < 1<<30
}

func memoryCalls() []call {
	return []call{
		{"brk", "", func(m *memory) int64 { return sys(unix.SYS_BRK, 0) }, result(someKB, someKB, 0, 0)},
		{"mmap", "", func(m *memory) int64 {
			r := sys(unix.SYS_MMAP, 0, 8192, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE|unix.MAP_POPULATE, u(-1), 0)
			sys(unix.SYS_MUNMAP, uintptr(r), 8192)
			return r
		}, result(someKB, someKB, 0, 0, 8192, 3, 2|8|0x40|0x80, -1, 0)},
		{
			"mmap", "of nothing", func(m *memory) int64 {
				return sys(unix.SYS_MMAP, 0x1000, 1, unix.PROT_EXEC, unix.MAP_SHARED|unix.MAP_FIXED, 99999, 4096)
			},
			failing(unix.EBADF, someKB, someKB, 0, 0x1000, 1, 4, 1|4, 99999, 4096),
		},
		{"munmap", "", func(m *memory) int64 { return sys(unix.SYS_MUNMAP, 1, 2) }, failing(unix.EINVAL, someKB, someKB, 0, 1, 2)},
		{
			"mprotect", "", func(m *memory) int64 {
				return sys(unix.SYS_MPROTECT, 1, 2, unix.PROT_READ|unix.PROT_EXEC|unix.PROT_GROWSDOWN)
			},
			failing(unix.EINVAL, 1, 2, 5|0x10),
		},
		{"mlock", "", func(m *memory) int64 { return sys(unix.SYS_MLOCK, 0, 0) }, just(0, 0, 0)},
		{"mlock2", "", func(m *memory) int64 { return sys(unix.SYS_MLOCK2, 0x5000, 1, 1) }, failing(unix.ENOMEM, 0x5000, 1, 1)},
		{"munlock", "", func(m *memory) int64 { return sys(unix.SYS_MUNLOCK, 0x5000, 1) }, failing(unix.ENOMEM, 0x5000, 1)},
		{
			"mlockall", "", func(m *memory) int64 { return sys(unix.SYS_MLOCKALL, 0x10|unix.MCL_FUTURE|unix.MCL_ONFAULT) },
			failing(unix.EINVAL, 6),
		},
		{"munlockall", "", func(m *memory) int64 { return sys(unix.SYS_MUNLOCKALL) }, just(0)},
	}
}
