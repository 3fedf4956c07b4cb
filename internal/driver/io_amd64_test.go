package driver

import (
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestIOCalls(t *testing.T) { runCalls(t, ioCalls(t)) }

// iov makes a vector of buffers.
func iov(m *memory, bufs ...[]byte) uintptr {
	var w []uint64
	for _, b := range bufs {
		p := uintptr(8)
		if len(b) > 0 {
			p = m.bytes(b)
		}
		w = append(w, uint64(p), uint64(len(b)))
	}
	return m.words(w...)
}

func ioCalls(t testing.TB) []call {
	file := tree(t) + "/data"
	if err := os.WriteFile(file, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(m *memory) uintptr { return uintptr(m.fd(unix.Open(file, unix.O_RDWR, 0))) }
	room := func(n int) []byte { return make([]byte, n) }
	data := func(s string) []byte { return []byte(s) }
	big := strings.Repeat("x", 6000) // beyond the snaplen of 4096
	cases := []call{
		{
			"read", "", func(m *memory) int64 { return sys(unix.SYS_READ, open(m), m.bytes(room(100)), 100) },
			just(10, data("0123456789"), any_{}, 100),
		},
		{"read", "of nothing", func(m *memory) int64 { return sys(unix.SYS_READ, u(-3), 8, 5) }, failing(unix.EBADF, nil, -3, 5)},
		{"read", "of more than the snaplen", func(m *memory) int64 {
			return sys(unix.SYS_READ, uintptr(m.fd(unix.Open("/dev/zero", unix.O_RDONLY, 0))), m.bytes(room(6000)), 6000)
		}, just(6000, make([]byte, 4096), any_{}, 6000)},
		{"write", "", func(m *memory) int64 { return sys(unix.SYS_WRITE, null(m), m.bytes(data("hello")), 5) }, just(5, data("hello"), any_{}, 5)},
		{
			"write", "to nothing", func(m *memory) int64 { return sys(unix.SYS_WRITE, u(-3), m.bytes(data("tried")), 5) },
			failing(unix.EBADF, data("tried"), -3, 5),
		},
		{
			"write", "of more than the snaplen", func(m *memory) int64 { return sys(unix.SYS_WRITE, null(m), m.bytes(data(big)), 6000) },
			just(6000, data(big[:4096]), any_{}, 6000),
		},
		{
			"pread64", "", func(m *memory) int64 { return sys(unix.SYS_PREAD64, open(m), m.bytes(room(4)), 4, 3) },
			just(4, data("3456"), any_{}, 4, 3),
		},
		{
			"pwrite64", "", func(m *memory) int64 { return sys(unix.SYS_PWRITE64, null(m), m.bytes(data("ab")), 2, 1<<40) },
			just(2, data("ab"), any_{}, 2, 1<<40),
		},
		{
			"readv", "", func(m *memory) int64 { return sys(unix.SYS_READV, open(m), iov(m, room(4), nil, room(100)), 3) },
			just(10, 10, data("0123456789"), any_{}),
		},
		{"readv", "of nothing", func(m *memory) int64 { return sys(unix.SYS_READV, u(-3), iov(m, room(4)), 1) }, failing(unix.EBADF, 0, []byte{}, -3)},
		{
			"preadv", "", func(m *memory) int64 { return sys(unix.SYS_PREADV, open(m), iov(m, room(2), room(2)), 2, 5, 0) },
			just(4, 4, data("5678"), any_{}, 5),
		},
		{
			"writev", "", func(m *memory) int64 { return sys(unix.SYS_WRITEV, null(m), iov(m, data("ab"), data("cde")), 2) },
			just(5, data("abcde"), any_{}, 5),
		},
		{"writev", "of more than the snaplen", func(m *memory) int64 {
			return sys(unix.SYS_WRITEV, null(m), iov(m, data("ab"), data(big), data("cd")), 3)
		}, just(6004, data("ab"+big[:4094]), any_{}, 6004)},
		{
			"writev", "with a bad buffer", func(m *memory) int64 { return sys(unix.SYS_WRITEV, u(-3), m.words(uint64(m.str("ok")), 2, 8, 7), 2) },
			failing(unix.EBADF, data("ok"), -3, 9),
		},
		{
			"pwritev", "", func(m *memory) int64 { return sys(unix.SYS_PWRITEV, u(-3), iov(m, data("x"), data("y")), 2, 9, 0) },
			failing(unix.EBADF, data("xy"), -3, 2, 9),
		},
		{"process_vm_readv", "", func(m *memory) int64 {
			return sys(unix.SYS_PROCESS_VM_READV, uintptr(unix.Getpid()), iov(m, room(3), room(9)), 2, iov(m, data("secret")), 1, 0)
		}, just(6, unix.Getpid(), data("secret"))},
		{
			"process_vm_readv", "of nobody", func(m *memory) int64 {
				return sys(unix.SYS_PROCESS_VM_READV, u(-1), iov(m, room(3)), 1, iov(m, data("s")), 1)
			},
			failing(unix.ESRCH, -1, []byte{}),
		},
		{"process_vm_writev", "", func(m *memory) int64 {
			return sys(unix.SYS_PROCESS_VM_WRITEV, uintptr(unix.Getpid()), iov(m, data("inject")), 1, iov(m, room(6)), 1)
		}, just(6, unix.Getpid(), data("inject"))},
	}
	return append(append(cases, betweenCalls(open)...), waitingCalls()...)
}

// betweenCalls move data between descriptors.
func betweenCalls(open func(m *memory) uintptr) []call {
	return []call{
		{
			"sendfile", "", func(m *memory) int64 { return sys(unix.SYS_SENDFILE, null(m), open(m), m.words(2), 5) },
			just(5, 7, any_{}, any_{}, 5),
		}, // the kernel has moved the offset on
		{
			"sendfile", "to nothing", func(m *memory) int64 { return sys(unix.SYS_SENDFILE, u(-3), u(-4), 0, 5) },
			failing(unix.EBADF, 0, -3, -4, 5),
		},
		{
			"splice", "", func(m *memory) int64 {
				return sys(unix.SYS_SPLICE, u(-3), 0, u(-4), 0, 77, unix.SPLICE_F_MOVE|unix.SPLICE_F_MORE)
			},
			failing(unix.EBADF, -3, -4, 77, 5),
		},
		{
			"copy_file_range", "", func(m *memory) int64 { return sys(unix.SYS_COPY_FILE_RANGE, u(-3), 0x10, u(-4), 0x20, 99, 0) },
			failing(unix.EBADF, -4, 0x20, -3, 0x10, 99),
		},
	}
}

// waitingCalls wait for descriptors.
func waitingCalls() []call {
	type polled struct {
		fd      int32
		revents uint16
	}
	list := func(l ...polled) []byte {
		b := binary.LittleEndian.AppendUint16(nil, uint16(len(l)))
		for _, p := range l {
			b = binary.LittleEndian.AppendUint64(b, uint64(p.fd))
			b = binary.LittleEndian.AppendUint16(b, p.revents)
		}
		return b
	}
	var fd int32
	fds := func(m *memory, n int) uintptr {
		fd = int32(null(m))
		var b []byte
		for range n {
			b = binary.LittleEndian.AppendUint32(b, uint32(fd))
			b = binary.LittleEndian.AppendUint32(b, unix.POLLIN|unix.POLLOUT)
		}
		b = binary.LittleEndian.AppendUint32(b, 99999)
		return m.bytes(binary.LittleEndian.AppendUint32(b, unix.POLLIN))
	}
	const ready, invalid = 1 | 4, 1 << 6
	twenty := make([]polled, 16)
	return []call{
		{
			"poll", "", func(m *memory) int64 { return sys(unix.SYS_POLL, fds(m, 1), 2, u(-1)) },
			func(int64) []any { return []any{2, list(polled{fd, ready}, polled{99999, invalid}), -1} },
		},
		{"poll", "of many", func(m *memory) int64 { return sys(unix.SYS_POLL, fds(m, 20), 20, 0) }, func(int64) []any {
			for i := range twenty {
				twenty[i] = polled{fd, ready}
			}
			return []any{20, list(twenty...), 0}
		}},
		{"poll", "of nothing", func(m *memory) int64 { return sys(unix.SYS_POLL, 8, 1, 0) }, failing(unix.EFAULT, list(), 0)},
		{
			"ppoll", "", func(m *memory) int64 { return sys(unix.SYS_PPOLL, fds(m, 1), 1, m.words(1, 500), m.words(0x4006), 8) },
			func(int64) []any { return []any{1, list(polled{fd, ready}), timeLeft, 0x4006} },
		},
		{"select", "", func(m *memory) int64 { return sys(unix.SYS_SELECT, 0, 0, 0, 0, m.words(0, 0)) }, just(0)},
		{"epoll_wait", "", func(m *memory) int64 { return sys(unix.SYS_EPOLL_WAIT, u(-3), 8, 12, 0) }, failing(unix.EBADF, 12)},
	}
}

// timeLeft accepts the timeout of ppoll, from which the kernel takes the time that has passed.
func timeLeft(b []byte) bool {
	n := binary.LittleEndian.Uint64(b)
	if n > 0 && n <= 1_000_000_500 {
		return true
	}
	fmt.Println("time left", n)
	return false
}
