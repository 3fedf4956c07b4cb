package kafka

import (
	"context"
	"net"
	"sync/atomic"
	"testing"
)

// watched is a context that counts what waits for its end.
type watched struct {
	context.Context
	waiting atomic.Int64
}

// Value has nothing, so that package context asks AfterFunc.
func (w *watched) Value(any) any { return nil }

// AfterFunc counts until the function that it returns is called.
func (w *watched) AfterFunc(f func()) func() bool {
	w.waiting.Add(1)
	stop := context.AfterFunc(w.Context, f)
	return func() bool {
		w.waiting.Add(-1)
		return stop()
	}
}

// TestConnections holds on to no connection that the client has closed.
func TestConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ended, end := context.WithCancel(t.Context())
	life := &watched{Context: ended}
	s := &Sink{}
	open := func() net.Conn {
		c, err := s.connect(t.Context(), life, l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for range 3 {
		if err := open().Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n := life.waiting.Load(); n != 0 {
		t.Errorf("%d closed connections are held", n)
	}
	c := open()
	end()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a connection goes on after the end")
	}
}
