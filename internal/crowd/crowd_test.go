package crowd

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"testing"
)

// watched is a connection that says when it is closed.
type watched struct {
	net.Conn
	closed *bool
}

func (w *watched) Close() error { *w.closed = true; return w.Conn.Close() }

// TestCrowd closes, of too many connections, the one that does the same for the longest time, and forgets those that end.
func TestCrowd(t *testing.T) {
	told := 0
	c := New(3, func() { told++ })
	var conns []net.Conn
	closed := make([]bool, 6)
	for i := range closed {
		here, there := net.Pipe()
		defer there.Close()
		conns = append(conns, &watched{here, &closed[i]})
	}
	want := func(want ...bool) {
		t.Helper()
		if fmt.Sprint(closed) != fmt.Sprint(want) {
			t.Errorf("closed %v, want %v", closed, want)
		}
	}
	for _, i := range []int{0, 1, 2} {
		c.Changed(conns[i], http.StateNew)
	}
	c.Changed(conns[1], http.StateActive) // slow with its request
	c.Changed(conns[0], http.StateActive)
	c.Changed(conns[0], http.StateIdle)
	c.Changed(conns[3], http.StateNew) // 2 has asked for nothing
	want(false, false, true, false, false, false)
	c.Changed(conns[2], http.StateClosed)
	c.Changed(conns[4], http.StateNew)
	want(false, true, true, false, false, false)
	c.Changed(conns[1], http.StateActive) // it is closed, and not counted again
	c.Changed(conns[1], http.StateClosed)
	c.Changed(conns[0], http.StateClosed)
	c.Changed(tls.Server(conns[5], &tls.Config{MinVersion: tls.VersionTLS12}), http.StateNew)
	want(false, true, true, false, false, false)
	if told != 2 || c.order.Len() != 3 || len(c.at) != 3 {
		t.Errorf("told %d times, %d are open", told, c.order.Len())
	}
}
