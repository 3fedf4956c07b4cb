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

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/servertest"
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
	dir, port := t.TempDir(), servertest.Number(t, servertest.Free(t))
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

// TestHealthDoesNotWait asks for the health while the cluster that has the queue does not answer.
func TestHealthDoesNotWait(t *testing.T) {
	proxy := servertest.NewProxy(t, servertest.StartNATS(t, "u", "p", nil, false).Addr)
	conf, _, err := loadForward("", environment("LISTENADDRESS=127.0.0.1", "LISTENPORT="+strconv.Itoa(servertest.Number(t, servertest.Free(t))), "BUS_URL=nats://"+proxy.Addr,
		"BUS_USER=u", "BUS_PASSWORD=p", "WEBHOOK_ADDRESS=http://127.0.0.1:1"))
	if err != nil {
		t.Fatal(err)
	}
	f := &forwarder{courier: &courier{log: &logger{w: &lines{}, now: time.Now}, conf: conf}}
	defer f.close()
	if err := f.start(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	proxy.Freeze()
	patient := make(chan bool)
	go func() {
		f.healthWithin(longWait)
		close(patient)
	}()
	defer func() { proxy.Thaw(); <-patient }()
	all := f.health()
	select {
	case <-patient:
		t.Error("it took as long as one that has time")
	default:
	}
	if len(all) != 2 || all[0].Name != "queue" || !all[0].Failing || all[1].Name != "webhook" {
		t.Errorf("the health is %+v", all)
	}
}
