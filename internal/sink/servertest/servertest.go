// Package servertest runs real servers for tests: programs of Debian packages on free ports of the loopback interface, with
// their data in a temporary directory and an unprivileged user where they want one. A test that needs a program which is not
// there skips and says which package has it.
//
// A server can be stopped and started again on the same port with the same data. It ends with its test.
package servertest

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for a server to start or to end.
const patience = 60 * time.Second

// Program is a server to run.
type Program struct {
	Package string   // of Debian, that has the program
	Path    string   // of the program, or its name
	Args    []string // its arguments
	Env     []string // beside ours
	User    string   // to run as when the test is root; "" is the test's own
	Dir     string   // working directory; "" is the test's
	Stop    syscall.Signal
	Addr    string // that it listens on when it is ready
	// Ready returns nil when the server can be used; nil is that it accepts connections.
	Ready func(ctx context.Context) error
}

// Server is a program that runs.
type Server struct {
	Addr string

	program Program
	cmd     *exec.Cmd
	ended   chan struct{}
	output  *tail
}

// Find returns the path of a program, or skips the test.
func Find(t testing.TB, debian string, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		for _, dir := range []string{"/usr/sbin", "/usr/lib/rabbitmq/bin"} {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return path
			}
		}
	}
	t.Skipf("%s is not installed: the Debian package %s has it", names[0], debian)
	return ""
}

// Run starts a program and waits until it is ready.
func Run(t testing.TB, p Program) *Server {
	t.Helper()
	if p.Stop == 0 {
		p.Stop = syscall.SIGTERM
	}
	p.Path = Find(t, p.Package, p.Path)
	s := &Server{Addr: p.Addr, program: p, output: &tail{}}
	t.Cleanup(func() {
		s.halt()
		if t.Failed() {
			t.Logf("%s said:\n%s", filepath.Base(p.Path), s.output)
		}
	})
	s.Start(t)
	return s
}

// Start starts the server when it is stopped, and waits until it is ready.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if s.cmd != nil {
		return
	}
	p := s.program
	cmd := exec.Command(p.Path, p.Args...)
	cmd.Dir = p.Dir
	cmd.Env = append(os.Environ(), p.Env...)
	cmd.Stdout, cmd.Stderr = s.output, s.output
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL, Credential: credential(t, p.User)}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.cmd, s.ended = cmd, make(chan struct{})
	go func(ended chan struct{}) {
		_ = cmd.Wait() // how it ends is no concern
		close(ended)
	}(s.ended)
	ready := p.Ready
	if ready == nil {
		ready = func(ctx context.Context) error {
			conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.Addr)
			if err == nil {
				conn.Close()
			}
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := ready(ctx)
		if err == nil {
			return
		}
		select {
		case <-s.ended:
			t.Fatalf("%s ended at its start:\n%s", p.Path, s.output)
		case <-ctx.Done():
			t.Fatalf("%s is not ready: %v\n%s", p.Path, err, s.output)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop stops the server and waits until it has ended.
func (s *Server) Stop() { s.halt() }

// halt ends the process and those that it has started: they are one group.
func (s *Server) halt() {
	if s.cmd == nil {
		return
	}
	group := -s.cmd.Process.Pid
	_ = syscall.Kill(s.cmd.Process.Pid, s.program.Stop) // it may have ended
	select {
	case <-s.ended:
	case <-time.After(patience / 4):
	}
	_ = syscall.Kill(group, syscall.SIGKILL) // what is left of it
	<-s.ended
	s.cmd = nil
}

// Command runs a program to its end, as a user, and returns what it prints.
func Command(t testing.TB, name, path string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential(t, name)}
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", path, err, out)
	}
	return string(out)
}

// credential returns that of a user, when the test may take it.
func credential(t testing.TB, name string) *syscall.Credential {
	t.Helper()
	if name == "" || os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		t.Skip("a user to run the server is missing: ", err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// Dir returns a directory that belongs to a user and that everybody can reach. Its path is short: sockets go into it.
func Dir(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "saker")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if c := credential(t, name); c != nil {
		if err := os.Chown(dir, int(c.Uid), int(c.Gid)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Write writes a file that a user can read, and returns its path.
func Write(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Free returns an address that nobody listens on, and that is the test's own until its end: packages are tested at the same
// time, and a server may take seconds to start, or be away for a while. Its port is none that the kernel gives to who does not
// care (ip_local_port_range), and a socket with the port in its name, in the namespace without files, tells others that it is taken.
func Free(t testing.TB) string {
	t.Helper()
	const first, last = 20_000, 32_000
	for range last - first {
		port := strconv.Itoa(first + rand.IntN(last-first))
		claim, err := net.Listen("unix", "@saker-test-port-"+port)
		if err != nil {
			continue // another test has it
		}
		addr := net.JoinHostPort("127.0.0.1", port)
		l, err := net.Listen("tcp", addr)
		if err != nil {
			claim.Close()
			continue // somebody else listens
		}
		l.Close()
		t.Cleanup(func() { claim.Close() })
		return addr
	}
	t.Fatal("no port is free")
	return ""
}

// Port returns the port of an address.
func Port(t testing.TB, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// Number returns the port of an address as a number.
func Number(t testing.TB, addr string) int {
	t.Helper()
	n, err := strconv.Atoi(Port(t, addr))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Await calls f until it returns nil.
func Await(t testing.TB, what string, f func() error) {
	t.Helper()
	late := time.After(patience)
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-late:
			t.Fatalf("%s: %v", what, err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// tail keeps the end of what a program prints.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write keeps the text.
func (w *tail) Write(p []byte) (int, error) {
	const most = 16 << 10
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text = append(w.text, p...)
	if over := len(w.text) - most; over > 0 {
		w.text = bytes.Clone(w.text[over:])
	}
	return len(p), nil
}

// String returns the text.
func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.text)
}
