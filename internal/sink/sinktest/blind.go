package sinktest

import (
	"bufio"
	"context"
	"crypto/tls"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// recorder is a server of a protocol without answers, which takes what it is sent. It knows how many alerts were sent with
// success, and waits for that many.
type recorder struct {
	record func(*bufio.Reader) (string, error)

	mu   sync.Mutex
	got  []string
	due  int           // alerts that were sent with success and have not arrived
	more chan struct{} // closed and made anew when something arrives
}

// blind returns the suite with a server and sinks of a protocol without answers.
func (w Wire) blind() Wire {
	r := &recorder{record: w.Record, more: make(chan struct{})}
	open := w.Open
	w.Open = func(v setting.Values) (route.Sink, error) {
		s, err := open(v)
		if err != nil {
			return nil, err
		}
		if b, ok := s.(batcher); ok {
			return countingBatch{counting{s, r}, b}, nil
		}
		return counting{s, r}, nil
	}
	w.Start = r.start
	return w
}

// counting counts what is sent with success.
type counting struct {
	route.Sink
	to *recorder
}

// Send sends an alert.
func (c counting) Send(ctx context.Context, a *alert.Alert, line []byte) error {
	err := c.Sink.Send(ctx, a, line)
	if err == nil {
		c.to.expect(1)
	}
	return err
}

// Close closes the sink.
func (c counting) Close(ctx context.Context) error { return c.Sink.(route.Closer).Close(ctx) }

type countingBatch struct {
	counting
	batcher batcher
}

// SendBatch sends alerts.
func (c countingBatch) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	errs := c.batcher.SendBatch(ctx, alerts)
	n := len(alerts)
	for _, err := range errs {
		if err != nil {
			n--
		}
	}
	c.to.expect(n)
	return errs
}

func (r *recorder) expect(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.due += n
}

// start starts a server.
func (r *recorder) start(t *testing.T, how Security) Peer {
	var config *tls.Config
	if how.TLS != nil {
		config = how.TLS.Server(how.Mutual)
	}
	r.mu.Lock()
	r.due, r.got = 0, nil
	r.mu.Unlock()
	var l net.Listener
	conns := map[net.Conn]bool{}
	var mu sync.Mutex
	var running sync.WaitGroup
	addr := servertest.Free(t)
	start := func() {
		listener, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		l = listener
		running.Go(func() {
			for {
				c, err := listener.Accept()
				if err != nil {
					return
				}
				mu.Lock()
				conns[c] = true
				mu.Unlock()
				running.Go(func() { r.serve(c, config) })
			}
		})
	}
	stop := func() {
		l.Close()
		mu.Lock()
		for c := range conns {
			c.Close()
			delete(conns, c)
		}
		mu.Unlock()
		running.Wait()
		r.mu.Lock()
		r.due = 0 // what has not arrived will not
		r.mu.Unlock()
	}
	start()
	t.Cleanup(stop)
	return Peer{Addr: addr, Start: start, Stop: stop, Read: r.read}
}

func (r *recorder) serve(c net.Conn, config *tls.Config) {
	defer c.Close()
	if config != nil {
		c = tls.Server(c, config)
	}
	in := bufio.NewReader(c)
	for {
		text, err := r.record(in)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.got = append(r.got, text)
		r.due--
		close(r.more)
		r.more = make(chan struct{})
		r.mu.Unlock()
	}
}

// read waits for what is due, and a moment for what is not.
func (r *recorder) read() []string {
	const moment = 30 * time.Millisecond
	late := time.After(patience)
	for {
		r.mu.Lock()
		due, more := r.due, r.more
		r.mu.Unlock()
		quiet := time.After(moment)
		if due > 0 {
			quiet = nil
		}
		select {
		case <-more:
			continue
		case <-quiet:
		case <-late:
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		got := r.got
		r.got, r.due = nil, 0
		return got
	}
}
