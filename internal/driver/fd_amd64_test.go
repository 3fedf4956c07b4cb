package driver

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestFDCalls(t *testing.T) { runCalls(t, fdCalls()) }

// made keeps the descriptor that a call returned, to be closed.
func made(m *memory, ret int64) int64 {
	if ret >= 0 {
		m.fd(int(ret), nil)
	}
	return ret
}

// null opens /dev/null for a case.
func null(m *memory) uintptr { return uintptr(m.fd(unix.Open("/dev/null", unix.O_RDWR, 0))) }

func fdCalls() []call {
	var fd [2]int32 // of the pipe that was made last
	pipe := func(m *memory, nr, flags uintptr) int64 {
		b := make([]byte, 8)
		ret := sys(nr, m.bytes(b), flags)
		fd = [2]int32{int32(b[0]) | int32(b[1])<<8, int32(b[4]) | int32(b[5])<<8}
		m.fd(int(fd[0]), nil)
		m.fd(int(fd[1]), nil)
		return ret
	}
	nonzero := func(b []byte) bool { return b[0]|b[1]|b[2]|b[3] != 0 }
	cases := []call{
		{"dup", "", func(m *memory) int64 { return made(m, sys(unix.SYS_DUP, null(m))) }, result(any_{})},
		{"dup", "of nothing", func(m *memory) int64 { return sys(unix.SYS_DUP, u(-3)) }, failing(unix.EBADF, -3)},
		{"dup2", "", func(m *memory) int64 { return made(m, sys(unix.SYS_DUP2, null(m), 300)) }, just(300, any_{}, 300)},
		{
			"dup3", "", func(m *memory) int64 { return made(m, sys(unix.SYS_DUP3, null(m), 301, unix.O_CLOEXEC)) },
			just(301, any_{}, 301, 0x1000),
		},
		{"dup3", "onto itself", func(m *memory) int64 { return sys(unix.SYS_DUP3, 5, 5, 0) }, failing(unix.EINVAL, 5, 5, 0)},
		{
			"close_range", "", func(m *memory) int64 { return sys(unix.SYS_CLOSE_RANGE, 70000, 80000, unix.CLOSE_RANGE_CLOEXEC) },
			result(70000, 80000, 4),
		}, // the flag is of Linux 5.11
		{
			"close_range", "the wrong way", func(m *memory) int64 { return sys(unix.SYS_CLOSE_RANGE, 5, 4, unix.CLOSE_RANGE_UNSHARE) },
			failing(unix.EINVAL, 5, 4, 2),
		},
		{
			"fcntl", "F_DUPFD_CLOEXEC", func(m *memory) int64 { return made(m, sys(unix.SYS_FCNTL, null(m), unix.F_DUPFD_CLOEXEC, 310)) },
			just(310, any_{}, 0x1a, 310),
		},
		{
			"fcntl", "F_SETFL", func(m *memory) int64 { return sys(unix.SYS_FCNTL, u(-3), unix.F_SETFL, unix.O_NONBLOCK) },
			failing(unix.EBADF, -3, 5, unix.O_NONBLOCK),
		},
		{"fcntl", "F_OFD_SETLK", func(m *memory) int64 { return sys(unix.SYS_FCNTL, u(-3), unix.F_OFD_SETLK, 0) }, failing(unix.EBADF, -3, 0x1f, 0)},
		{"fcntl", "unknown", func(m *memory) int64 { return sys(unix.SYS_FCNTL, null(m), 9999, 0) }, failing(unix.EINVAL, any_{}, 0, 0)},
		{
			"pipe", "", func(m *memory) int64 { return pipe(m, unix.SYS_PIPE, 0) },
			func(int64) []any { return []any{0, int64(fd[0]), int64(fd[1]), nonzero} },
		},
		{"pipe", "without room", func(m *memory) int64 { return sys(unix.SYS_PIPE, 8) }, failing(unix.EFAULT, -1, -1, 0)},
		{
			"pipe2", "", func(m *memory) int64 { return pipe(m, unix.SYS_PIPE2, unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_DIRECT) },
			func(int64) []any { return []any{0, int64(fd[0]), int64(fd[1]), nonzero, 0x40 | 0x1000 | 0x200} },
		},
	}
	return append(append(cases, anonymousCalls()...), askingCalls()...)
}

// anonymousCalls make descriptors without a file.
func anonymousCalls() []call {
	set := uint64(1<<(unix.SIGUSR1-1) | 1<<(unix.SIGTERM-1))
	return []call{
		{"eventfd", "", func(m *memory) int64 { return made(m, sys(unix.SYS_EVENTFD, 7)) }, result(7, 0)},
		{
			"eventfd2", "", func(m *memory) int64 { return made(m, sys(unix.SYS_EVENTFD2, 8, unix.O_NONBLOCK|unix.O_CLOEXEC)) },
			result(0x1040, 8),
		},
		{"signalfd", "", func(m *memory) int64 { return made(m, sys(unix.SYS_SIGNALFD, u(-1), m.words(set), 8)) }, result(-1, set, 0)},
		{
			"signalfd4", "", func(m *memory) int64 { return made(m, sys(unix.SYS_SIGNALFD4, u(-1), m.words(set), 8, unix.O_CLOEXEC)) },
			result(0x1000, -1, set),
		},
		{
			"signalfd4", "of no signal set", func(m *memory) int64 { return sys(unix.SYS_SIGNALFD4, u(-2), m.words(set), 8) },
			failing(unix.EBADF, 0, -2, set),
		},
		{
			"timerfd_create", "", func(m *memory) int64 {
				return made(m, sys(unix.SYS_TIMERFD_CREATE, unix.CLOCK_MONOTONIC, unix.O_NONBLOCK))
			},
			result(1, 0x40),
		},
		{"timerfd_create", "of no clock", func(m *memory) int64 { return sys(unix.SYS_TIMERFD_CREATE, 99, 0) }, failing(unix.EINVAL, 99, 0)},
		{"inotify_init", "", func(m *memory) int64 { return made(m, sys(unix.SYS_INOTIFY_INIT)) }, result(0)},
		{"inotify_init1", "", func(m *memory) int64 { return made(m, sys(unix.SYS_INOTIFY_INIT1, unix.O_NONBLOCK)) }, result(0x40)},
		{"epoll_create", "", func(m *memory) int64 { return made(m, sys(unix.SYS_EPOLL_CREATE, 5)) }, result(5)},
		{"epoll_create", "of size 0", func(m *memory) int64 { return sys(unix.SYS_EPOLL_CREATE, 0) }, failing(unix.EINVAL, 0)},
		{"epoll_create1", "", func(m *memory) int64 { return made(m, sys(unix.SYS_EPOLL_CREATE1, unix.O_CLOEXEC)) }, result(1)},
		{"userfaultfd", "", func(m *memory) int64 { return made(m, sys(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|unix.O_NONBLOCK)) }, result(0x1040)},
		{
			"pidfd_open", "", func(m *memory) int64 {
				return made(m, sys(unix.SYS_PIDFD_OPEN, uintptr(unix.Getpid()), unix.O_NONBLOCK))
			},
			result(unix.Getpid(), 1),
		},
		{"pidfd_open", "of nobody", func(m *memory) int64 { return sys(unix.SYS_PIDFD_OPEN, u(-4), 0) }, failing(unix.EINVAL, -4, 0)},
		{"pidfd_getfd", "", func(m *memory) int64 { return sys(unix.SYS_PIDFD_GETFD, u(-4), 6, 7) }, result(-4, 6, 7)},
		{
			"memfd_create", "", func(m *memory) int64 {
				return made(m, sys(unix.SYS_MEMFD_CREATE, m.str("secret"), unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING))
			},
			result("secret", 3),
		},
		{"memfd_create", "of no name", func(m *memory) int64 { return sys(unix.SYS_MEMFD_CREATE, 8, unix.MFD_HUGETLB) }, failing(unix.EFAULT, nil, 4)},
	}
}

// askingCalls ask about or change what a descriptor refers to.
func askingCalls() []call {
	return []call{
		{"fchdir", "", func(m *memory) int64 { return sys(unix.SYS_FCHDIR, uintptr(m.fd(unix.Open("/", unix.O_RDONLY, 0)))) }, just(0, any_{})},
		{"fchdir", "to a file", func(m *memory) int64 { return sys(unix.SYS_FCHDIR, null(m)) }, failing(unix.ENOTDIR, any_{})},
		{"fchmod", "", func(m *memory) int64 { return sys(unix.SYS_FCHMOD, u(-3), 0o6755) }, failing(unix.EBADF, -3, 0o6755)},
		{"fchown", "", func(m *memory) int64 { return sys(unix.SYS_FCHOWN, u(-3), 0, u(-1)) }, failing(unix.EBADF, -3, 0, -1)},
		{"fstat", "", func(m *memory) int64 { return sys(unix.SYS_FSTAT, null(m), m.bytes(make([]byte, 256))) }, just(0, any_{})},
		{"getdents", "", func(m *memory) int64 { return sys(unix.SYS_GETDENTS, u(-3), 0, 0) }, failing(unix.EBADF, -3)},
		{"getdents64", "", func(m *memory) int64 { return sys(unix.SYS_GETDENTS64, null(m), 0, 0) }, failing(unix.ENOTDIR, any_{})},
		{"flock", "", func(m *memory) int64 { return sys(unix.SYS_FLOCK, null(m), unix.LOCK_EX|unix.LOCK_NB) }, just(0, any_{}, 6)},
		{"ioctl", "", func(m *memory) int64 { return sys(unix.SYS_IOCTL, null(m), unix.TCGETS, 0x1234) }, failing(unix.ENOTTY, any_{}, unix.TCGETS, 0x1234)},
	}
}
