package driver

import (
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestSocketCalls(t *testing.T)  { runCalls(t, socketCalls(t)) }
func TestMessageCalls(t *testing.T) { runCalls(t, messageCalls(t)) }

// end4 and end6 encode an address and a port, first as sockets take them, then as events hold them.
type end4 struct {
	ip   [4]byte
	port uint16
}

func (e end4) sockaddr() []byte {
	b := binary.BigEndian.AppendUint16([]byte{unix.AF_INET, 0}, e.port)
	return append(append(b, e.ip[:]...), make([]byte, 8)...)
}

func (e end4) event() []byte { return binary.LittleEndian.AppendUint16(e.ip[:], e.port) }

type end6 struct {
	ip   [16]byte
	port uint16
}

func (e end6) sockaddr() []byte {
	b := binary.BigEndian.AppendUint16([]byte{unix.AF_INET6, 0}, e.port)
	return append(append(append(b, 0, 0, 0, 0), e.ip[:]...), 0, 0, 0, 0)
}

func (e end6) event() []byte { return binary.LittleEndian.AppendUint16(e.ip[:], e.port) }

func unixAddr(path string) []byte { return append([]byte{unix.AF_UNIX, 0}, path...) }

func cat(parts ...[]byte) []byte {
	var out []byte
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// local returns where a socket is bound.
func local4(fd int) end4 {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		panic(err)
	}
	in := sa.(*unix.SockaddrInet4)
	return end4{in.Addr, uint16(in.Port)}
}

func local6(fd int) end6 {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		panic(err)
	}
	in := sa.(*unix.SockaddrInet6)
	return end6{in.Addr, uint16(in.Port)}
}

var (
	loopback4 = [4]byte{127, 0, 0, 1}
	loopback6 = [16]byte{15: 1}
)

// stream4 makes a listening socket on the loopback interface.
func stream4(m *memory, backlog int) (int, end4) {
	fd := m.fd(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: loopback4}); err != nil {
		panic(err)
	}
	unix.Listen(fd, backlog)
	return fd, local4(fd)
}

// datagram4 makes a bound datagram socket on the loopback interface.
func datagram4(m *memory) (int, end4) {
	fd := m.fd(unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0))
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: loopback4}); err != nil {
		panic(err)
	}
	return fd, local4(fd)
}

// unixTuple checks a tuple of unix sockets: two addresses of kernel sockets, the first or second of which may be 0, and a path.
func unixTuple(first, second bool, path string) func([]byte) bool {
	return func(b []byte) bool {
		return len(b) == 18+len(path) && b[0] == unix.AF_UNIX && string(b[17:]) == path+"\x00" &&
			(binary.LittleEndian.Uint64(b[1:]) != 0) == first && (binary.LittleEndian.Uint64(b[9:]) != 0) == second
	}
}

func socketCalls(t testing.TB) []call {
	dir := t.TempDir()
	nonzero := func(b []byte) bool { return binary.LittleEndian.Uint64(b) != 0 }
	var pair []byte
	cases := []call{
		{"socket", "", func(m *memory) int64 {
			return made(m, sys(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP))
		}, result(2, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 6, 0x1040)},
		{"socket", "of no family", func(m *memory) int64 { return sys(unix.SYS_SOCKET, 99, 1, 0) }, failing(unix.EAFNOSUPPORT, 0, 1, 0, 0)},
		{"socketpair", "", func(m *memory) int64 {
			pair = make([]byte, 8)
			ret := sys(unix.SYS_SOCKETPAIR, unix.AF_UNIX, unix.SOCK_DGRAM, 0, m.bytes(pair))
			m.fd(int(pair[0]), nil)
			m.fd(int(pair[4]), nil)
			return ret
		}, func(int64) []any { return []any{0, int(pair[0]), int(pair[4]), nonzero, nonzero, 1, 2, 0} }},
		{
			"socketpair", "refused", func(m *memory) int64 { return sys(unix.SYS_SOCKETPAIR, unix.AF_UNIX, 99, 5, 8) },
			func(ret int64) []any { return []any{ret, -1, -1, 0, 0, 1, 99, 5} },
		},
		{"bind", "inet", func(m *memory) int64 {
			fd := m.fd(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
			return sys(unix.SYS_BIND, uintptr(fd), m.bytes(end4{loopback4, 0}.sockaddr()), 16)
		}, just(0, cat([]byte{2}, end4{loopback4, 0}.event()), any_{})},
		{
			"bind", "inet6", func(m *memory) int64 { return sys(unix.SYS_BIND, u(-3), m.bytes(end6{loopback6, 8080}.sockaddr()), 28) },
			failing(unix.EBADF, cat([]byte{10}, end6{loopback6, 8080}.event()), -3),
		},
		{"bind", "unix", func(m *memory) int64 {
			fd := m.fd(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0))
			return sys(unix.SYS_BIND, uintptr(fd), m.bytes(unixAddr(dir+"/bound")), uintptr(2+len(dir)+6))
		}, just(0, cat([]byte{1}, []byte(dir+"/bound\x00")), any_{})},
		{
			"bind", "unix, abstract", func(m *memory) int64 { return sys(unix.SYS_BIND, u(-3), m.bytes(unixAddr("\x00name and more")), 2+5) },
			failing(unix.EBADF, []byte("\x01name\x00"), -3),
		},
		{"bind", "unknown family", func(m *memory) int64 { return sys(unix.SYS_BIND, u(-3), m.bytes([]byte{99, 0, 1, 2}), 4) }, failing(unix.EBADF, nil, -3)},
		{"bind", "unreadable", func(m *memory) int64 { return sys(unix.SYS_BIND, u(-3), 8, 16) }, failing(unix.EBADF, nil, -3)},
		{"listen", "", func(m *memory) int64 { return sys(unix.SYS_LISTEN, u(-3), u(-7)) }, failing(unix.EBADF, -3, -7)},
		{"shutdown", "", func(m *memory) int64 { return sys(unix.SYS_SHUTDOWN, u(-3), unix.SHUT_WR) }, failing(unix.EBADF, -3, 1)},
		{"shutdown", "unknown", func(m *memory) int64 { return sys(unix.SYS_SHUTDOWN, u(-3), 9) }, failing(unix.EBADF, -3, 0xff)},
		{"getsockname", "", func(m *memory) int64 { return sys(unix.SYS_GETSOCKNAME, u(-3), 0, 0) }, just()},
		{"getpeername", "", func(m *memory) int64 { return sys(unix.SYS_GETPEERNAME, u(-3), 0, 0) }, just()},
	}
	cases = append(append(cases, connectCalls(dir)...), acceptCalls(dir)...)
	return append(cases, optionCalls()...)
}

// whenIn calls f once thread tid sleeps in a system call.
func whenIn(tid, nr int, f func()) {
	dir := fmt.Sprintf("/proc/self/task/%d/", tid)
	for {
		call, err := os.ReadFile(dir + "syscall")
		if err != nil || strings.HasPrefix(string(call), fmt.Sprint(nr, " ")) {
			f()
			return
		}
		runtime.Gosched()
	}
}

func connectCalls(dir string) []call {
	var here, there end4
	var here6, there6 end6
	connect := func(m *memory, fd int, addr []byte) int64 {
		return sys(unix.SYS_CONNECT, uintptr(fd), m.bytes(addr), uintptr(len(addr)))
	}
	return []call{
		{"connect", "inet", func(m *memory) int64 {
			_, there = stream4(m, 5)
			fd := m.fd(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
			ret := connect(m, fd, there.sockaddr())
			here = local4(fd)
			return ret
		}, func(int64) []any {
			return []any{0, cat([]byte{2}, here.event(), there.event()), any_{}, cat([]byte{2}, there.event())}
		}},
		{"connect", "inet, nobody listens", func(m *memory) int64 {
			_, there = datagram4(m)
			return connect(m, m.fd(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)), end4{loopback4, 1}.sockaddr())
		}, failing(unix.ECONNREFUSED, nil, any_{}, cat([]byte{2}, end4{loopback4, 1}.event()))},
		{"connect", "inet, in progress", func(m *memory) int64 {
			_, there = stream4(m, 5)
			fd := m.fd(unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0))
			ret := connect(m, fd, there.sockaddr())
			here = local4(fd)
			return ret
		}, func(ret int64) []any {
			return []any{unix.EINPROGRESS, cat([]byte{2}, here.event(), there.event()), any_{}, cat([]byte{2}, there.event())}
		}},
		{"connect", "inet, datagrams", func(m *memory) int64 {
			_, there = datagram4(m)
			fd := m.fd(unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0))
			ret := connect(m, fd, there.sockaddr())
			here = local4(fd)
			return ret
		}, func(int64) []any {
			return []any{0, cat([]byte{2}, here.event(), there.event()), any_{}, cat([]byte{2}, there.event())}
		}},
		{"connect", "inet6", func(m *memory) int64 {
			l := m.fd(unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0))
			if err := unix.Bind(l, &unix.SockaddrInet6{Addr: loopback6}); err != nil {
				return m.skip("binding to ::1: %v", err)
			}
			unix.Listen(l, 5)
			there6 = local6(l)
			fd := m.fd(unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0))
			ret := connect(m, fd, there6.sockaddr())
			here6 = local6(fd)
			return ret
		}, func(int64) []any {
			return []any{0, cat([]byte{10}, here6.event(), there6.event()), any_{}, cat([]byte{10}, there6.event())}
		}},
		{"connect", "unix", func(m *memory) int64 {
			l := m.fd(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0))
			unix.Bind(l, &unix.SockaddrUnix{Name: dir + "/server"})
			unix.Listen(l, 5)
			return connect(m, m.fd(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)), unixAddr(dir+"/server"))
		}, just(0, unixTuple(true, true, dir+"/server"), any_{}, []byte("\x01"+dir+"/server\x00"))},
		{"connect", "unix, memory changed meanwhile", func(m *memory) int64 {
			l := m.fd(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0))
			unix.Bind(l, &unix.SockaddrUnix{Name: dir + "/busy"})
			unix.Listen(l, 0)
			if err := unix.Connect(m.fd(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)), &unix.SockaddrUnix{Name: dir + "/busy"}); err != nil {
				panic(err)
			}
			addr := unixAddr(dir + "/busy")
			go whenIn(unix.Gettid(), unix.SYS_CONNECT, func() { // which waits, because the queue is full
				copy(addr[2:], "/harmless")
				peer, _, err := unix.Accept(l)
				if err == nil {
					unix.Close(peer)
				}
			})
			return connect(m, m.fd(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)), addr)
		}, just(0, unixTuple(true, true, dir+"/busy"), any_{}, []byte("\x01"+dir+"/busy\x00"))},
		{"connect", "unix, abstract", func(m *memory) int64 {
			l := m.fd(unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0))
			if err := unix.Bind(l, &unix.SockaddrUnix{Name: "@driver test"}); err != nil {
				return m.skip("binding an abstract name: %v", err)
			}
			return connect(m, m.fd(unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)), unixAddr("\x00driver test"))
		}, just(0, unixTuple(true, true, "driver test"), any_{}, []byte("\x01driver test\x00"))},
		{"connect", "unix, nobody listens", func(m *memory) int64 {
			return connect(m, m.fd(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)), unixAddr(dir+"/nobody"))
		}, failing(unix.ENOENT, nil, any_{}, []byte("\x01"+dir+"/nobody\x00"))},
		{"connect", "undone", func(m *memory) int64 {
			return connect(m, m.fd(unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)), make([]byte, 16))
		}, just(0, cat([]byte{2}, end4{}.event(), end4{}.event()), any_{}, nil)},
		{
			"connect", "of no socket", func(m *memory) int64 { return connect(m, int(null(m)), end4{loopback4, 7}.sockaddr()) },
			failing(unix.ENOTSOCK, nil, any_{}, cat([]byte{2}, end4{loopback4, 7}.event())),
		},
	}
}

func acceptCalls(dir string) []call {
	var client, server end4
	// listening has two connections in its queue of at most three.
	listening := func(m *memory) int {
		l, at := stream4(m, 3)
		server = at
		for i := range 2 {
			fd := m.fd(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
			if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: at.ip, Port: int(at.port)}); err != nil {
				panic(err)
			}
			if i == 0 {
				client = local4(fd)
			}
		}
		return l
	}
	tuple := func() []byte { return cat([]byte{2}, client.event(), server.event()) }
	return []call{
		{
			"accept", "", func(m *memory) int64 { return made(m, sys(unix.SYS_ACCEPT, uintptr(listening(m)), 0, 0)) },
			func(ret int64) []any { return []any{ret, tuple(), 33, 1, 3} },
		},
		{
			"accept4", "", func(m *memory) int64 {
				return made(m, sys(unix.SYS_ACCEPT4, uintptr(listening(m)), 0, 0, unix.SOCK_CLOEXEC))
			},
			func(ret int64) []any { return []any{ret, tuple(), 33, 1, 3, 0x1000} },
		},
		{
			"accept4", "of nothing", func(m *memory) int64 { return sys(unix.SYS_ACCEPT4, u(-3), 0, 0, unix.SOCK_NONBLOCK) },
			failing(unix.EBADF, nil, 0, 0, 0, 0x40),
		},
		{"accept", "unix", func(m *memory) int64 {
			l := m.fd(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0))
			unix.Bind(l, &unix.SockaddrUnix{Name: dir + "/accept"})
			unix.Listen(l, 5)
			if err := unix.Connect(m.fd(unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)), &unix.SockaddrUnix{Name: dir + "/accept"}); err != nil {
				panic(err)
			}
			return made(m, sys(unix.SYS_ACCEPT, uintptr(l), 0, 0))
		}, result(unixTuple(true, true, dir+"/accept"), any_{}, any_{}, any_{})},
	}
}

func optionCalls() []call {
	sock := func(m *memory) uintptr { return uintptr(m.fd(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))) }
	number := func(index byte, width int, n uint64) []byte {
		return append([]byte{index}, binary.LittleEndian.AppendUint64(nil, n)[:width]...)
	}
	return []call{
		{
			"setsockopt", "int", func(m *memory) int64 {
				return sys(unix.SYS_SETSOCKOPT, sock(m), 1, unix.SO_REUSEPORT, m.bytes([]byte{1, 0, 0, 0}), 4)
			},
			just(0, any_{}, 1, 15, number(2, 4, 1), 4),
		},
		{
			"setsockopt", "time", func(m *memory) int64 {
				return sys(unix.SYS_SETSOCKOPT, sock(m), 1, unix.SO_RCVTIMEO, m.words(2, 3), 16)
			},
			just(0, any_{}, 1, 20, number(4, 8, 2_000_003_000), 16),
		},
		{
			"setsockopt", "of TCP", func(m *memory) int64 {
				return sys(unix.SYS_SETSOCKOPT, sock(m), unix.IPPROTO_TCP, unix.TCP_NODELAY, m.bytes([]byte{1, 0, 0, 0}), 4)
			},
			just(0, any_{}, 2, 0, []byte{0, 1, 0, 0, 0}, 4),
		},
		{
			"setsockopt", "structure", func(m *memory) int64 { return sys(unix.SYS_SETSOCKOPT, u(-3), 1, unix.SO_LINGER, m.words(1|5<<32), 8) },
			failing(unix.EBADF, -3, 1, 13, []byte{0, 1, 0, 0, 0, 5, 0, 0, 0}, 8),
		},
		{"getsockopt", "int", func(m *memory) int64 {
			return sys(unix.SYS_GETSOCKOPT, sock(m), 1, unix.SO_TYPE, m.bytes(make([]byte, 4)), m.bytes([]byte{4, 0, 0, 0}))
		}, just(0, any_{}, 1, 3, number(2, 4, unix.SOCK_STREAM), 4)},
		{"getsockopt", "error", func(m *memory) int64 {
			fd := m.fd(unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0))
			unix.Connect(fd, &unix.SockaddrInet4{Addr: loopback4, Port: 1})
			unix.Write(fd, []byte("x"))
			return sys(unix.SYS_GETSOCKOPT, uintptr(fd), 1, unix.SO_ERROR, m.bytes(make([]byte, 4)), m.bytes([]byte{4, 0, 0, 0}))
		}, just(0, any_{}, 1, 4, func(b []byte) bool {
			n := -int64(unix.ECONNREFUSED)
			return string(b) == string(number(1, 8, uint64(n))) || string(b) == string(number(1, 8, 0))
		}, 4)},
		{"getsockopt", "cookie", func(m *memory) int64 {
			return sys(unix.SYS_GETSOCKOPT, sock(m), 1, unix.SO_COOKIE, m.bytes(make([]byte, 8)), m.bytes([]byte{8, 0, 0, 0}))
		}, just(0, any_{}, 1, 0x35, func(b []byte) bool { return len(b) == 9 && b[0] == 3 && binary.LittleEndian.Uint64(b[1:]) != 0 }, 8)},
		{
			"getsockopt", "unreadable", func(m *memory) int64 { return sys(unix.SYS_GETSOCKOPT, u(-3), 9, 8, 8, 8) },
			failing(unix.EBADF, -3, 0, 0, []byte{0}, 0),
		},
	}
}

// header makes a message header with its vector of buffers.
func header(m *memory, name []byte, control []byte, bufs ...[]byte) []byte {
	p := func(b []byte) uint64 {
		if len(b) == 0 {
			return 0
		}
		return uint64(m.bytes(b))
	}
	var b []byte
	for _, w := range []uint64{p(name), uint64(len(name)), uint64(iov(m, bufs...)), uint64(len(bufs)), p(control), uint64(len(control)), 0} {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return b
}

func messageCalls(t testing.TB) []call {
	path := t.TempDir() + "/datagrams"
	var here, there end4
	hello := []byte("hello")
	// sender makes a bound socket and one to send to; receiver makes one to which hello was sent.
	sender := func(m *memory) uintptr {
		_, there = datagram4(m)
		fd, at := datagram4(m)
		here = at
		return uintptr(fd)
	}
	receiver := func(m *memory, n int) uintptr {
		from, at := datagram4(m)
		there = at
		fd, at := datagram4(m)
		here = at
		for range n {
			unix.Sendto(from, hello, 0, &unix.SockaddrInet4{Addr: at.ip, Port: int(at.port)})
		}
		return uintptr(fd)
	}
	out := func() []byte { return cat([]byte{2}, here.event(), there.event()) }
	in := func() []byte { return cat([]byte{2}, there.event(), here.event()) }
	connected := func(m *memory) uintptr {
		l, at := stream4(m, 5)
		there = at
		fd := m.fd(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0))
		unix.Connect(fd, &unix.SockaddrInet4{Addr: at.ip, Port: int(at.port)})
		here = local4(fd)
		peer, _, err := unix.Accept(l)
		m.fd(peer, err)
		unix.Write(peer, hello)
		return uintptr(fd)
	}
	cases := []call{
		{"sendto", "", func(m *memory) int64 {
			fd := sender(m)
			return sys(unix.SYS_SENDTO, fd, m.bytes(hello), 5, 0, m.bytes(there.sockaddr()), 16)
		}, func(int64) []any { return []any{5, hello, any_{}, 5, out()} }},
		{
			"sendto", "connected", func(m *memory) int64 { return sys(unix.SYS_SENDTO, connected(m), m.bytes(hello), 5, 0, 0, 0) },
			func(int64) []any { return []any{5, hello, any_{}, 5, out()} },
		},
		{
			"sendto", "to nothing", func(m *memory) int64 { return sys(unix.SYS_SENDTO, u(-3), m.bytes(hello), 4, 0, 0, 0) },
			failing(unix.EBADF, hello[:4], -3, 4, nil),
		},
		{"sendto", "unix", func(m *memory) int64 {
			l := m.fd(unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0))
			unix.Bind(l, &unix.SockaddrUnix{Name: path})
			fd := m.fd(unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0))
			return sys(unix.SYS_SENDTO, uintptr(fd), m.bytes(hello), 5, 0, m.bytes(unixAddr(path)), uintptr(2+len(path)))
		}, just(5, hello, any_{}, 5, unixTuple(false, true, path))},
		{"recvfrom", "", func(m *memory) int64 {
			fd := receiver(m, 1)
			return sys(unix.SYS_RECVFROM, fd, m.bytes(make([]byte, 99)), 99, 0, m.bytes(make([]byte, 16)), m.bytes([]byte{16, 0, 0, 0}))
		}, func(int64) []any { return []any{5, hello, in(), any_{}, 99} }},
		{
			"recvfrom", "connected", func(m *memory) int64 {
				return sys(unix.SYS_RECVFROM, connected(m), m.bytes(make([]byte, 99)), 99, 0, 0, 0)
			},
			func(int64) []any { return []any{5, hello, in(), any_{}, 99} },
		},
		{"recvfrom", "of nothing", func(m *memory) int64 { return sys(unix.SYS_RECVFROM, u(-3), 8, 9, 0, 0, 0) }, failing(unix.EBADF, nil, nil, -3, 9)},
		{"sendmsg", "", func(m *memory) int64 {
			fd := sender(m)
			return sys(unix.SYS_SENDMSG, fd, m.bytes(header(m, there.sockaddr(), nil, hello, []byte("!"))), 0)
		}, func(int64) []any { return []any{6, []byte("hello!"), any_{}, 6, out()} }},
		{
			"sendmsg", "to nothing", func(m *memory) int64 { return sys(unix.SYS_SENDMSG, u(-3), m.bytes(header(m, nil, nil, hello)), 0) },
			failing(unix.EBADF, hello, -3, 5, nil),
		},
		{"sendmsg", "without a message", func(m *memory) int64 { return sys(unix.SYS_SENDMSG, u(-3), 8, 0) }, failing(unix.EBADF, nil, -3, nil, nil)},
		{"recvmsg", "", func(m *memory) int64 {
			fd := receiver(m, 1)
			return sys(unix.SYS_RECVMSG, fd, m.bytes(header(m, make([]byte, 16), nil, make([]byte, 3), make([]byte, 9))), 0)
		}, func(int64) []any { return []any{5, 5, hello, in(), []byte{}, any_{}} }},
		{"recvmsg", "with a descriptor", func(m *memory) int64 {
			p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
			m.fd(p[0], err)
			m.fd(p[1], err)
			unix.Sendmsg(p[0], hello, unix.UnixRights(0), nil, 0)
			return sys(unix.SYS_RECVMSG, uintptr(p[1]), m.bytes(header(m, nil, make([]byte, 24), make([]byte, 9))), 0)
		}, just(5, 5, hello, unixTuple(true, true, ""), func(b []byte) bool {
			return len(b) == 24 && binary.LittleEndian.Uint64(b) == 20 && binary.LittleEndian.Uint32(b[8:]) == unix.SOL_SOCKET
		}, any_{})},
		{
			"recvmsg", "of nothing", func(m *memory) int64 { return sys(unix.SYS_RECVMSG, u(-3), m.bytes(header(m, nil, nil)), 0) },
			failing(unix.EBADF, 0, nil, nil, nil, -3),
		},
	}
	many := func(m *memory, n int, h func() []byte) uintptr {
		var b []byte
		for range n {
			b = append(append(b, h()...), make([]byte, 8)...)
		}
		return m.bytes(b)
	}
	return append(cases, []call{
		{"sendmmsg", "", func(m *memory) int64 {
			fd := sender(m)
			return sys(unix.SYS_SENDMMSG, fd, many(m, 3, func() []byte { return header(m, there.sockaddr(), nil, hello) }), 3, 0)
		}, func(int64) []any { return []any{5, any_{}, 5, hello, out()} }},
		{"sendmmsg", "to nothing", func(m *memory) int64 { return sys(unix.SYS_SENDMMSG, u(-3), 8, 3, 0) }, failing(unix.EBADF, -3, 0, nil, nil)},
		{"recvmmsg", "", func(m *memory) int64 {
			fd := receiver(m, 2)
			return sys(unix.SYS_RECVMMSG, fd, many(m, 2, func() []byte { return header(m, make([]byte, 16), nil, make([]byte, 9)) }), 2, 0, 0)
		}, func(int64) []any { return []any{5, any_{}, 5, hello, in(), []byte{}} }},
		{"recvmmsg", "of nothing", func(m *memory) int64 { return sys(unix.SYS_RECVMMSG, u(-3), 8, 3, 0, 0) }, failing(unix.EBADF, -3, 0, nil, nil, nil)},
	}...)
}
