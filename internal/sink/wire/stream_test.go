package wire_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/wire"
)

func listen(t *testing.T) (*net.TCPListener, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener), l.Addr().String()
}

func dial(t *testing.T, addr string, config *tls.Config) *wire.Stream {
	t.Helper()
	s, err := wire.DialStream(t.Context(), addr, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.HangUp)
	return s
}

// TestStreamClosed sends to a server that closes the connection whenever it likes: nothing is written to a connection that the other side
// has closed, and nothing that was counted as sent is lost.
func TestStreamClosed(t *testing.T) {
	l, addr := listen(t)
	s := dial(t, addr, nil)
	for i := range 50 {
		c, err := l.AcceptTCP()
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			c.CloseWrite() // all that can be seen from the other side
		} else {
			c.Close()
		}
		servertest.Await(t, "noticing", func() error { return s.Noticed() })
		if err := s.Send(t.Context(), []byte("line\n")); err != nil {
			t.Fatal(err)
		}
		if c, err = l.AcceptTCP(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(c).ReadString('\n'); line != "line\n" {
			t.Fatal(line, err)
		}
		c.Close()
		servertest.Await(t, "noticing", func() error { return s.Noticed() })
		if err := s.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStreamReset writes to a connection that the other side resets at the same time: what it has not taken is an error.
func TestStreamReset(t *testing.T) {
	l, addr := listen(t)
	for range 50 {
		s := dial(t, addr, nil)
		c, err := l.AcceptTCP()
		if err != nil {
			t.Fatal(err)
		}
		c.SetLinger(0)
		c.Close()
		l.SetDeadline(time.Now().Add(time.Minute))
		if err := s.Send(t.Context(), []byte("line\n")); err != nil {
			continue // it says so
		}
		if c, err = l.AcceptTCP(); err != nil { // or it has noticed before, and there is another connection
			t.Fatal("the line is nowhere")
		}
		if line, err := bufio.NewReader(c).ReadString('\n'); line != "line\n" {
			t.Fatal(line, err)
		}
		c.Close()
	}
}

// TestStreamFull writes to a server that does not read: its system takes some, and then no more.
func TestStreamFull(t *testing.T) {
	_, addr := listen(t)
	s := dial(t, addr, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	var err error
	for range 100 {
		if err = s.Send(ctx, make([]byte, 1<<20)); err != nil {
			break
		}
	}
	var slow net.Error
	if !errors.Is(err, context.DeadlineExceeded) && (!errors.As(err, &slow) || !slow.Timeout()) {
		t.Errorf("%v, want a time limit", err)
	}
}

// TestStreamCertificate connects to servers that want a client certificate: one that they do not accept is an error of connecting, in every
// version of TLS, and nothing is sent.
func TestStreamCertificate(t *testing.T) {
	cert, other := servertest.NewCertificates(t), servertest.NewCertificates(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		config := cert.Server(true)
		config.MinVersion, config.MaxVersion = version, version
		l, addr := listen(t)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go io.Copy(io.Discard, tls.Server(c, config))
			}
		}()
		good := cert.Client()
		s := dial(t, addr, good)
		if err := s.Send(t.Context(), []byte("line\n")); err != nil {
			t.Error(err)
		}
		none, wrong := good.Clone(), good.Clone()
		none.Certificates, wrong.Certificates = nil, other.Client().Certificates
		for name, c := range map[string]*tls.Config{"none": none, "wrong": wrong} {
			if _, err := wire.DialStream(t.Context(), addr, c); err == nil || !strings.Contains(err.Error(), "tls: ") {
				t.Errorf("%s, version %x: %v, want the server's refusal", name, version, err)
			}
		}
	}
}

func TestStreamHangUp(t *testing.T) {
	_, addr := listen(t)
	s := dial(t, addr, nil)
	s.HangUp()
	s.HangUp()
	if err := s.Send(t.Context(), []byte("x")); err == nil {
		t.Error("sent after hanging up")
	}
}
