package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// logged collects lines from any goroutine.
type logged struct {
	mu    sync.Mutex
	lines []string
}

func (l *logged) add(s string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, s)
}

// config is a server on a free port of the loopback that is well.
func config() Config {
	return Config{
		Address: "127.0.0.1", HealthPath: "/healthz", Health: func() (bool, string) { return true, "" },
		Versions: []byte(`{"falco_version":"0.44.1"}`), MetricsType: "text/plain; version=0.0.4",
	}
}

// start serves until the test ends.
func start(t *testing.T, c Config) *Server {
	t.Helper()
	s, err := Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return s
}

// get returns status, media type and body.
func get(t *testing.T, client *http.Client, method, url string) (int, string, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Content-Type"), string(body)
}

func TestInUse(t *testing.T) {
	s := start(t, config())
	_, port, err := net.SplitHostPort(s.Address())
	if err != nil {
		t.Fatal(err)
	}
	c := config()
	if _, err := fmt.Sscan(port, &c.Port); err != nil {
		t.Fatal(err)
	}
	_, err = Listen(c)
	if err == nil || !strings.Contains(err.Error(), s.Address()+" is in use") || !strings.Contains(err.Error(), "webserver.listen_port") {
		t.Errorf("error %v", err)
	}
	c.Address = "192.0.2.1" // TEST-NET-1 is nobody's
	if _, err = Listen(c); err == nil || !strings.Contains(err.Error(), "starting the web server on 192.0.2.1:"+port) {
		t.Errorf("error %v", err)
	}
}

// TestClose lets an answer under way end, refuses new ones, and closes a server that never served.
func TestClose(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	c := config()
	c.Health = func() (bool, string) { close(entered); <-leave; return true, "" }
	s, err := Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	answer := make(chan int, 1)
	go func() {
		resp, err := http.Get("http://" + s.Address() + "/healthz")
		if err != nil {
			answer <- 0
			return
		}
		resp.Body.Close()
		answer <- resp.StatusCode
	}()
	<-entered
	closed := make(chan error, 1)
	go func() { closed <- s.Close(context.Background()) }()
	if err := <-served; err != nil { // Serve returns as soon as closing begins
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", s.Address()); err == nil {
		conn.Close()
		t.Error("a closing server still takes connections")
	}
	close(leave)
	if got := <-answer; got != 200 {
		t.Errorf("the answer under way has status %d", got)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}

	idle, err := Listen(config())
	if err != nil {
		t.Fatal(err)
	}
	if err := idle.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", idle.Address()); err == nil {
		conn.Close()
		t.Error("a closed server still takes connections")
	}
}

// TestCloseInTime cuts off what does not end.
func TestCloseInTime(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	defer close(leave)
	c := config()
	c.Health = func() (bool, string) { close(entered); <-leave; return true, "" }
	s, err := Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	conn, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	<-entered
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Close(ctx); err == nil || !strings.Contains(err.Error(), "stopping the web server") {
		t.Errorf("error %v", err)
	}
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("the connection lives on")
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestLargeHeader refuses a request that is too large.
func TestLargeHeader(t *testing.T) {
	s := start(t, config())
	conn, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("x", 64<<10))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", resp.StatusCode)
	}
}
