package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Stream is a connection to a server that takes bytes over TCP and never answers. That what was written has been taken is
// known only as far as TCP knows it: Send waits until the other side's system has acknowledged every byte, and somebody reads
// all the time, so that a connection that the other side has closed or reset is noticed, and not written to.
//
// What remains is what the other side's system has acknowledged and its program has not read when the program, or the machine,
// ends without a word: a protocol with answers would tell.
type Stream struct {
	address string
	config  *tls.Config

	mu    sync.Mutex // of conn and over, which hangUp uses beside Send
	conn  net.Conn   // nil is none
	raw   *net.TCPConn
	over  bool          // HangUp was called
	ended chan struct{} // closed when nothing can be read any more
	cause error         // why, read after ended; io.EOF is that the other side has closed properly
}

// settling is how long a new connection waits to hear whether the server accepts the client's certificate. In TLS 1.3 a client
// has finished before the server has looked at it (RFC 8446, section 4.4.2.4).
const settling = 500 * time.Millisecond

// DialStream connects to an address of a host and a port, and encrypts when there is a configuration for that.
func DialStream(ctx context.Context, address string, config *tls.Config) (*Stream, error) {
	s := &Stream{address: address, config: config}
	if err := s.connect(ctx); err != nil {
		s.HangUp()
		return nil, err
	}
	return s, nil
}

// connect makes a new connection in place of the one there may be.
func (s *Stream) connect(ctx context.Context) error {
	asked, heard := false, make(tickets, 1)
	config := s.config
	if config != nil {
		config = config.Clone()
		show := config.GetClientCertificate
		config.GetClientCertificate = func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			asked = true
			if show != nil {
				return show(r)
			}
			for i := range config.Certificates {
				if r.SupportsCertificate(&config.Certificates[i]) == nil {
					return &config.Certificates[i], nil
				}
			}
			return &tls.Certificate{}, nil // none
		}
		config.ClientSessionCache = heard
	}
	conn, err := Dial(ctx, s.address, config)
	if err != nil {
		return err
	}
	raw, _ := conn.(*net.TCPConn)
	if c, ok := conn.(*tls.Conn); ok {
		raw, _ = c.NetConn().(*net.TCPConn)
	}
	s.mu.Lock()
	if s.over {
		s.mu.Unlock()
		return errors.Join(net.ErrClosed, conn.Close())
	}
	s.conn, s.raw, s.ended = conn, raw, make(chan struct{})
	s.mu.Unlock()
	go s.read(conn, s.ended)
	if !asked {
		return nil
	}
	settled := time.NewTimer(settling)
	defer settled.Stop()
	select {
	case <-heard: // a ticket is given only to who is accepted
	case <-s.ended:
		return s.lost()
	case <-settled.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// read reads until there is nothing more. What servers say in spite of the protocol is dropped.
func (s *Stream) read(conn net.Conn, ended chan struct{}) {
	buffer := make([]byte, 512)
	for {
		if _, err := conn.Read(buffer); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				err = io.EOF // closed without TLS' good-bye
			}
			s.cause = err
			close(ended)
			return
		}
	}
}

// lost says why nothing can be read any more.
func (s *Stream) lost() error {
	if s.cause == io.EOF {
		return errors.New("the server has closed the connection")
	}
	return fmt.Errorf("the connection is lost: %w", s.cause)
}

// Send writes bytes and waits until the other side's system has them. When the other side has closed the connection since the
// last time, another is made first.
func (s *Stream) Send(ctx context.Context, p []byte) error {
	select {
	case <-s.ended:
		s.close()
		if err := s.connect(ctx); err != nil {
			return err
		}
	default:
	}
	if limit, ok := ctx.Deadline(); ok {
		if err := s.conn.SetWriteDeadline(limit); err != nil {
			return fmt.Errorf("setting a time limit: %w", err)
		}
	}
	if _, err := s.conn.Write(p); err != nil {
		return err
	}
	return s.acknowledged(ctx)
}

// acknowledged waits until nothing that was written is without acknowledgement (man 7 tcp, SIOCOUTQ).
func (s *Stream) acknowledged(ctx context.Context) error {
	raw, err := s.raw.SyscallConn()
	if err != nil {
		return fmt.Errorf("asking what was acknowledged: %w", err)
	}
	for pause := 20 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		left, reset, failed := 0, false, error(nil)
		err := raw.Control(func(fd uintptr) {
			var info *unix.TCPInfo
			if info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); failed != nil {
				return
			}
			reset = info.State == unix.BPF_TCP_CLOSE
			left, failed = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		})
		if err = errors.Join(err, failed); err != nil {
			return fmt.Errorf("asking what was acknowledged: %w", err)
		}
		ended := s.ended
		if s.isOver() {
			if s.cause != io.EOF {
				return s.lost()
			}
			ended = nil // the other side sends nothing more, but it may still read
		}
		if reset && left > 0 {
			return errors.New("the server has closed the connection while it was written to")
		}
		if left == 0 {
			return nil
		}
		again := time.NewTimer(pause)
		select {
		case <-again.C:
		case <-ended:
		case <-ctx.Done():
		}
		again.Stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (s *Stream) isOver() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

func (s *Stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close() // all that was sent is acknowledged, or is sent again
	}
}

// HangUp closes the connection for good. It may be called at any time, and more than once.
func (s *Stream) HangUp() {
	s.mu.Lock()
	s.over = true
	s.mu.Unlock()
	s.close()
}

// tickets is a cache of TLS sessions that keeps none and tells when one was given.
type tickets chan struct{}

// Get has none.
func (tickets) Get(string) (*tls.ClientSessionState, bool) { return nil, false }

// Put tells that there is one.
func (t tickets) Put(string, *tls.ClientSessionState) {
	select {
	case t <- struct{}{}:
	default:
	}
}
