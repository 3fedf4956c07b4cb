// Package syslog hands alerts to the system's log daemon, in the form that the C library's syslog(3) gives them.
package syslog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// Facility is what kind of program a line comes from (RFC 5424, table 1).
type Facility uint8

// The facilities a user program may have.
const (
	User   Facility = 1
	Daemon Facility = 3
	Auth   Facility = 4
	Local0 Facility = 16
)

// Config says where and as whom to log. The zero value is what Falco does: ident falco, facility user, socket /dev/log.
type Config struct {
	Path     string         // socket; "" is /dev/log
	Ident    string         // name of the program in each line; "" is falco
	Facility Facility       // 0 is User: the kernel's own facility is not for programs
	Zone     *time.Location // of the time in each line; nil is local time
}

// Sink writes to the socket, a datagram for each alert, or a record ended by a zero byte where the daemon has a stream socket.
type Sink struct {
	cfg    Config
	conn   net.Conn // nil while not connected
	stream bool
	out    []byte
}

// New returns a sink. It connects with the first alert, because the daemon may start later.
func New(cfg Config) (*Sink, error) {
	if cfg.Path == "" {
		cfg.Path = "/dev/log"
	}
	if cfg.Ident == "" {
		cfg.Ident = "falco"
	}
	if cfg.Facility == 0 {
		cfg.Facility = User
	}
	if cfg.Facility > 23 {
		return nil, fmt.Errorf("syslog output: facility %d does not exist, the last is 23", cfg.Facility)
	}
	if cfg.Zone == nil {
		cfg.Zone = time.Local
	}
	return &Sink{cfg: cfg}, nil
}

// Send logs the line with the alert's priority as its severity. When the daemon was restarted it connects anew, once. A line
// that is too long for a datagram is a permanent error.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, line []byte) error {
	s.format(a.Priority, line, time.Now())
	known := s.conn != nil
	for {
		if err := s.connect(ctx); err != nil {
			return err
		}
		err := s.write(ctx)
		var long tooLong
		switch {
		case err == nil:
			return nil
		case errors.As(err, &long):
			return err
		}
		s.disconnect()
		if !known || ctx.Err() != nil {
			return fmt.Errorf("writing to the log daemon: %w", err)
		}
		known = false
	}
}

// Close closes the socket.
func (s *Sink) Close(context.Context) error {
	s.disconnect()
	return nil
}

// format makes the record (glibc, misc/syslog.c: no process id, the month's name in English).
func (s *Sink) format(p alert.Priority, line []byte, now time.Time) {
	b := append(s.out[:0], '<')
	b = strconv.AppendUint(b, uint64(s.cfg.Facility)<<3|uint64(min(p, alert.Debug)), 10)
	b = append(b, '>')
	b = now.In(s.cfg.Zone).AppendFormat(b, "Jan _2 15:04:05 ")
	b = append(b, s.cfg.Ident...)
	b = append(b, ": "...)
	s.out = append(b, line...)
}

// connect connects unless it is connected.
func (s *Sink) connect(ctx context.Context) error {
	if s.conn != nil {
		return nil
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unixgram", s.cfg.Path)
	s.stream = false
	if errors.Is(err, syscall.EPROTOTYPE) {
		conn, err = d.DialContext(ctx, "unix", s.cfg.Path)
		s.stream = true
	}
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("connecting to the log daemon: there is no socket %s", s.cfg.Path)
	}
	if err != nil {
		return fmt.Errorf("connecting to the log daemon: %w", err)
	}
	s.conn = conn
	return nil
}

func (s *Sink) write(ctx context.Context) error {
	out := s.out
	if s.stream {
		out = append(out, 0)
		s.out = out[:len(out)-1]
	}
	conn := s.conn
	stop := context.AfterFunc(ctx, func() { conn.SetWriteDeadline(time.Unix(1, 0)) }) // the error of a closed socket does no harm
	defer stop()
	_, err := conn.Write(out)
	if errors.Is(err, syscall.EMSGSIZE) {
		return tooLong{len(out)}
	}
	return err
}

func (s *Sink) disconnect() {
	if s.conn != nil {
		_ = s.conn.Close() // nothing waits in a local socket that closing could fail to write
		s.conn = nil
	}
}

// tooLong is the error of a line that no datagram can hold.
type tooLong struct{ bytes int }

// Error says how long the line is.
func (e tooLong) Error() string {
	return fmt.Sprintf("a line of %d bytes is too long for a datagram to the log daemon", e.bytes)
}

// Permanent says that trying again is of no use.
func (tooLong) Permanent() bool { return true }
