package web

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"testing"
)

// TestCrowd closes the oldest of too many connections, and forgets those that end.
func TestCrowd(t *testing.T) {
	c := newCrowd(2)
	var conns []net.Conn
	closed := make([]bool, 4)
	for i := range closed {
		here, there := net.Pipe()
		defer there.Close()
		conns = append(conns, &watched{here, &closed[i]})
	}
	c.changed(conns[0], http.StateNew)
	c.changed(conns[1], http.StateNew)
	c.changed(conns[0], http.StateActive)
	c.changed(conns[2], http.StateNew)
	if want := []bool{true, false, false, false}; fmt.Sprint(closed) != fmt.Sprint(want) {
		t.Errorf("closed %v, want %v", closed, want)
	}
	c.changed(conns[0], http.StateClosed)
	c.changed(conns[1], http.StateClosed)
	c.changed(conns[3], http.StateNew)
	if closed[2] || closed[3] || c.order.Len() != 2 || len(c.at) != 2 {
		t.Errorf("closed %v with %d open", closed, c.order.Len())
	}
	c.changed(tls.Server(conns[0], &tls.Config{MinVersion: tls.VersionTLS12}), http.StateNew)
	if !closed[2] {
		t.Error("the third connection lives on")
	}
}

// watched is a connection that says when it is closed.
type watched struct {
	net.Conn
	closed *bool
}

func (w *watched) Close() error { *w.closed = true; return w.Conn.Close() }

// TestFlood asks while hundreds of connections are held open.
func TestFlood(t *testing.T) {
	s := start(t, config())
	for range maxConnections + 50 {
		conn, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	if status, _, _ := get(t, client, "GET", "http://"+s.Address()+"/healthz"); status != 200 {
		t.Errorf("status %d", status)
	}
}
