//go:build linux

package live

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// roles are what this program does when an act runs it under another name.
func roles() map[string]func(s *scene, arg string) {
	return map[string]func(*scene, string){
		"nothing":  func(*scene, string) {},
		"read":     func(s *scene, path string) { s.read(path) },
		"spawn":    playSpawn,
		"respawn":  func(s *scene, _ string) { s.start("/proc/self/exe", []string{"itself"}, "nothing", "") },
		"connect":  func(s *scene, address string) { s.connect(address) },
		"accept":   playAccept,
		"udp":      playUDP,
		"io_uring": func(s *scene, _ string) { s.ioUring() },
	}
}

// playSpawn runs a command line, split at blanks, as a child.
func playSpawn(s *scene, command string) {
	words := strings.Fields(command)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = []string{envCase + "=" + os.Getenv(envCase)}
	s.check(cmd.Run(), "running "+command)
}

// connect makes a TCP connection to a listener that waits in the act's first process, or, where none does, to one of
// its own: a refused connection would do as well, but not for rules that ask for success.
func (s *scene) connect(address string) {
	conn, err := net.Dial("tcp", address)
	s.check(err, "connecting to "+address)
	conn.Close()
}

// listen takes connections at the address for as long as the process lives.
func (s *scene) listen(address string) {
	listener, err := net.Listen("tcp", address)
	s.check(err, "listening on "+address)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				io.Copy(io.Discard, conn)
				conn.Close()
			}()
		}
	}()
}

// playAccept takes one connection, which it makes itself.
func playAccept(s *scene, address string) {
	listener, err := net.Listen("tcp", address)
	s.check(err, "listening on "+address)
	done := make(chan error, 1)
	go func() {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		done <- err
	}()
	conn, err := listener.Accept()
	s.check(err, "taking a connection")
	conn.Close()
	s.check(<-done, "connecting to "+address)
}

// playUDP sends one datagram from a socket that is not connected.
func playUDP(s *scene, address string) {
	to, err := net.ResolveUDPAddr("udp4", address)
	s.check(err, "reading the address "+address)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	s.check(err, "making a socket")
	peer := &unix.SockaddrInet4{Port: to.Port}
	copy(peer.Addr[:], to.IP.To4())
	if err := unix.Sendto(fd, []byte("saker"), 0, peer); !errors.Is(err, unix.ECONNREFUSED) {
		s.check(err, "sending a datagram to "+address)
	}
	unix.Close(fd)
}

// ioUring sets up an asynchronous ring and drops it.
func (s *scene) ioUring() {
	var params [120]byte // struct io_uring_params of <linux/io_uring.h>
	fd := s.syscall(unix.SYS_IO_URING_SETUP, 1, pointer(&params))
	if int(fd) >= 0 {
		unix.Close(int(fd))
	}
}
