package app

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
)

// counter is a destination that wants the program's counters.
type counter struct {
	mu     sync.Mutex
	counts []func() (inputs, outputs map[[2]string]uint64)
}

func (c *counter) Send(context.Context, *alert.Alert, []byte) error { return nil }

func (c *counter) Watch(counts func() (inputs, outputs map[[2]string]uint64)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts = append(c.counts, counts)
}

// TestWatched gives the counters to one of the sinks of a destination.
func TestWatched(t *testing.T) {
	dir, port := t.TempDir(), freePort(t)
	path := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(path, []byte(fmt.Sprintf("queue: {dir: %s}\nwebhook: {address: 'http://x', maxconcurrentrequests: 3}\n", filepath.Join(dir, "queue"))), 0o600); err != nil {
		t.Fatal(err)
	}
	conf, _, err := loadForward(path, environment("LISTENADDRESS=127.0.0.1", "LISTENPORT="+strconv.Itoa(port)))
	if err != nil {
		t.Fatal(err)
	}
	var c counter
	conf.destinations[0].Open = func() (route.Sink, error) { return &c, nil }
	f := &forwarder{courier: &courier{log: &logger{w: &lines{}, now: time.Now}, conf: conf}}
	defer f.close()
	if err := f.start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"a", "b", ""} {
		answer, err := http.Post(fmt.Sprintf("http://127.0.0.1:%d", port), "", body(text, "error"))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
	}
	eventually(t, "the counters have all", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.counts) != 1 {
			return false
		}
		inputs, outputs := c.counts[0]()
		return inputs[[2]string{"requests", "accepted"}] == 2 && inputs[[2]string{"requests", "rejected"}] == 1 && outputs[[2]string{"webhook", "ok"}] == 2
	})
	if n := len(c.counts); n != 1 {
		t.Errorf("the counters are given to %d sinks", n)
	}
}

// TestLongPath delivers from a directory whose path is too long for a socket in it.
func TestLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("x", 108))
	conf, _, err := loadForward("", environment("WEBHOOK_ADDRESS=http://127.0.0.1:1", "QUEUE_DIR="+dir))
	if err != nil {
		t.Fatal(err)
	}
	var log lines
	f := &courier{log: &logger{w: &log, now: time.Now, level: alert.Debug}, conf: conf}
	if err := f.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.close(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.text(), "making the control socket: ") {
		t.Errorf("the log is %s", log.text())
	}
}

// TestHealthWithoutCluster answers soon when the NATS cluster is away: a probe must not have the process restarted that waits for it.
func TestHealthWithoutCluster(t *testing.T) {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server is not ready")
	}
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte("webhook: {address: 'http://127.0.0.1:1'}\nbus: {url: "+s.ClientURL()+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	conf, _, err := loadForward(path, environment())
	if err != nil {
		t.Fatal(err)
	}
	f := &courier{log: &logger{w: &lines{}, now: time.Now}, conf: conf}
	defer f.close()
	if err := f.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := f.health(); len(got) != 1 || got[0].Failing {
		t.Errorf("with the cluster: %+v", got)
	}
	s.Shutdown()
	s.WaitForShutdown()
	start := time.Now()
	got := f.health()
	if took := time.Since(start); took > 2*healthTime {
		t.Errorf("it takes %v", took)
	}
	if len(got) != 2 || got[0].Name != "queue" || !got[0].Failing || got[1].Name != "webhook" {
		t.Errorf("without the cluster: %+v", got)
	}
}
