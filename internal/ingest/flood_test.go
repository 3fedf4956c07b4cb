package ingest

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFlood sends an alert while thousands of connections are held open by senders that do not go on.
func TestFlood(t *testing.T) {
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil || files.Cur < 2*mostConnections+1000 {
		t.Skipf("too few files may be open: %d, %v", files.Cur, err)
	}
	said := make(chan string, 10)
	s, err := Start(Listen{Address: "127.0.0.1"}, handler(t, &kept{}, TransformConfig{}), log.New(writer(func(p []byte) { said <- string(p) }), "", 0))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	address := s.Addrs()[0].String()
	var first net.Conn
	for i := range mostConnections + 20 {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if i == 0 {
			first = conn
		}
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
	}
	_, _ = io.ReadAll(first) // the first one is closed, with an answer or without
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Post("http://"+address, "", strings.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("status %d", answer.StatusCode)
	}
	if line := <-said; !strings.HasPrefix(line, "there are 4096 connections") || len(said) > 0 {
		t.Errorf("it says %q, and %d lines more", line, len(said))
	}
}

// writer is a function that takes what is written.
type writer func([]byte)

func (w writer) Write(p []byte) (int, error) { w(p); return len(p), nil }
