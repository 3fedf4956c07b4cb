package syslog

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

// daemon listens like a log daemon.
type daemon struct {
	t       *testing.T
	network string
	path    string

	mu      sync.Mutex
	got     []string
	stop    func()
	readers sync.WaitGroup
}

func listen(t *testing.T, network string) *daemon {
	d := &daemon{t: t, network: network, path: filepath.Join(t.TempDir(), "log")}
	d.start()
	t.Cleanup(d.end)
	return d
}

func (d *daemon) start() {
	if d.network == "unix" {
		l, err := net.Listen("unix", d.path)
		if err != nil {
			d.t.Fatal(err)
		}
		var mu sync.Mutex
		var conns []net.Conn
		last := make(chan struct{})
		d.stop = func() {
			c, err := net.Dial("unix", d.path) // is accepted after all others
			if err != nil {
				return
			}
			c.Write([]byte("last\x00"))
			c.Close()
			<-last
			l.Close()
			mu.Lock()
			defer mu.Unlock()
			for _, c := range conns {
				c.(*net.UnixConn).CloseRead()
			}
		}
		d.readers.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				mu.Lock()
				conns = append(conns, c)
				mu.Unlock()
				d.readers.Go(func() { d.readStream(c, last) })
			}
		})
		return
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: d.path, Net: "unixgram"})
	if err != nil {
		d.t.Fatal(err)
	}
	d.stop = func() {
		last, err := net.Dial("unixgram", d.path)
		if err != nil {
			return
		}
		defer last.Close()
		last.Write([]byte("last")) // is read after all others
	}
	d.readers.Go(func() {
		defer c.Close()
		buf := make([]byte, 1<<20)
		for {
			n, err := c.Read(buf)
			if err != nil || string(buf[:n]) == "last" {
				return
			}
			d.add(buf[:n])
		}
	})
}

func (d *daemon) readStream(c net.Conn, last chan struct{}) {
	defer c.Close()
	text, err := io.ReadAll(c)
	if err != nil {
		d.t.Error(err)
	}
	if string(text) == "last\x00" {
		close(last)
		return
	}
	if len(text) == 0 {
		return
	}
	for record := range bytes.SplitSeq(bytes.TrimSuffix(text, []byte{0}), []byte{0}) {
		d.add(record)
	}
}

func (d *daemon) add(record []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.got = append(d.got, string(record))
}

// end stops the daemon when it has read what was sent.
func (d *daemon) end() {
	d.stop()
	d.readers.Wait()
	os.Remove(d.path)
}

func (d *daemon) records() []string {
	d.end()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.got
}

var header = regexp.MustCompile(`^<13>[A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d falco: `)

func TestConformance(t *testing.T) {
	for _, network := range []string{"unixgram", "unix"} {
		t.Run(network, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Target {
				d := listen(t, network)
				s, err := New(Config{Path: d.path})
				if err != nil {
					t.Fatal(err)
				}
				return sinktest.Target{
					Sink: s, Break: d.end, Mend: d.start,
					Lines: func() []string {
						lines := d.records()
						for i, l := range lines {
							h := header.FindString(l)
							if h == "" {
								t.Errorf("record %.60q does not begin as it should", l)
							}
							lines[i] = l[len(h):]
						}
						return lines
					},
				}
			})
		})
	}
}

func TestFormat(t *testing.T) {
	now := time.Date(2026, 11, 3, 7, 5, 9, 0, time.UTC)
	for _, c := range []struct {
		cfg  Config
		p    alert.Priority
		want string
	}{
		{Config{}, alert.Emergency, "<8>Nov  3 07:05:09 falco: line"},
		{Config{}, alert.Critical, "<10>Nov  3 07:05:09 falco: line"},
		{Config{}, alert.Debug, "<15>Nov  3 07:05:09 falco: line"},
		{Config{Facility: Local0, Ident: "saker"}, alert.Warning, "<132>Nov  3 07:05:09 saker: line"},
	} {
		c.cfg.Zone = time.UTC
		s, err := New(c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		if s.format(c.p, []byte("line"), now); string(s.out) != c.want {
			t.Errorf("got %q, want %q", s.out, c.want)
		}
	}
	if _, err := New(Config{Facility: 24}); err == nil {
		t.Error("a facility that does not exist")
	}
}

func TestErrors(t *testing.T) {
	s, err := New(Config{Path: filepath.Join(t.TempDir(), "none")})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Send(t.Context(), &alert.Alert{}, []byte("line"))
	if want := fmt.Sprintf("connecting to the log daemon: there is no socket %s", s.cfg.Path); err == nil || err.Error() != want || route.Permanent(err) {
		t.Errorf("got %v, want %s", err, want)
	}
	d := listen(t, "unixgram")
	if s, err = New(Config{Path: d.path}); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), &alert.Alert{}, []byte(strings.Repeat("x", 4<<20))); !route.Permanent(err) {
		t.Errorf("a line of 4 MiB: %v", err)
	}
	if err := s.Send(t.Context(), &alert.Alert{}, []byte("line")); err != nil {
		t.Error(err)
	}
}

// TestBlockedDaemon gives up a write to a daemon that does not read when the time is over.
func TestBlockedDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := New(Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	for err == nil {
		err = s.Send(ctx, &alert.Alert{}, []byte("line"))
	}
	if ctx.Err() == nil || !strings.Contains(err.Error(), "timeout") {
		t.Error(err)
	}
}
