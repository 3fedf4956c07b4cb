package web

import (
	"net"
	"net/http"
	"testing"
)

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
