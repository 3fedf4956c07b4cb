// Package crash kills saker forward again and again while alerts come in, and counts what arrives: every alert that was accepted
// has to be at each destination, and in the order in which it was accepted.
//
//	go test -v ./test/crash                                            # a short series
//	SAKER_KILLS=200 SAKER_ALERTS=20000 go test -v -timeout 30m ./test/crash
package crash

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/saker-sec/saker/internal/app" // the program that is built: what changes in it is to be tested again
	"github.com/saker-sec/saker/internal/sink/servertest"
)

const (
	senders = 8
	// longest is how long a process lives before it is killed, at most. It is random, from 0 on, so that some are killed while they start.
	longest = 300 * time.Millisecond
)

// destination remembers what it got, in order.
type destination struct {
	name  string
	flaps bool

	mu    sync.Mutex
	times map[string]int // that each alert came
	first []string       // in the order in which they came first
}

func (d *destination) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var a struct{ Rule string }
	if err := json.NewDecoder(r.Body).Decode(&a); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if d.flaps && rand.N(50) == 0 {
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	d.mu.Lock()
	if d.times[a.Rule]++; d.times[a.Rule] == 1 {
		d.first = append(d.first, a.Rule)
	}
	d.mu.Unlock()
	if d.flaps && rand.N(50) == 0 {
		panic(http.ErrAbortHandler) // it has the alert, and does not say so
	}
}

func (d *destination) distinct() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.first)
}

func number(name string, n int) int {
	if v, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return v
	}
	return n
}

// pause waits for the time.
func pause(d time.Duration) { <-time.After(d) }

// series is one run of the test.
type series struct {
	t           *testing.T
	binary, dir string
	url         string
	accepted    atomic.Int64
	budget      chan struct{} // one for each alert that may be sent
	log         *os.File
}

// start starts the process; it does not wait until it answers.
func (s *series) start() *exec.Cmd {
	s.t.Helper()
	c := exec.Command(s.binary, "forward", "-c", filepath.Join(s.dir, "config.yaml"))
	c.Stdout, c.Stderr = s.log, s.log
	if err := c.Start(); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// send sends one alert until it is accepted, as a careful sender does.
func (s *series) send(client *http.Client, name string) {
	body := fmt.Sprintf(`{"rule":%q,"priority":"Warning","time":"2026-11-23T18:46:58Z","output":"o","output_fields":{"proc.name":%q}}`, name, strings.Repeat("x", 500))
	for {
		answer, err := client.Post(s.url, "application/json", strings.NewReader(body))
		if err == nil {
			_, _ = io.Copy(io.Discard, answer.Body) // an answer that breaks off has its status already
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				s.accepted.Add(1)
				return
			}
		}
		pause(2 * time.Millisecond)
	}
}

// TestKill is the series.
func TestKill(t *testing.T) {
	kills, alerts := number("SAKER_KILLS", 10), number("SAKER_ALERTS", 1000)
	s := &series{t: t, dir: t.TempDir(), budget: make(chan struct{}, alerts)}
	s.binary = filepath.Join(s.dir, "saker")
	if out, err := exec.Command("go", "build", "-o", s.binary, "github.com/saker-sec/saker/cmd/saker").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, out)
	}
	port := servertest.Number(t, servertest.Free(t))
	s.url = fmt.Sprintf("http://127.0.0.1:%d/", port)
	destinations := []*destination{{name: "one"}, {name: "two", flaps: true}, {name: "three"}}
	config := fmt.Sprintf("listenaddress: 127.0.0.1\nlistenport: %d\nqueue: {dir: %s}\ndestinations:\n", port, filepath.Join(s.dir, "queue"))
	for _, d := range destinations {
		d.times = map[string]int{}
		server := httptest.NewServer(d)
		defer server.Close()
		config += fmt.Sprintf("  - {name: %s, type: webhook, address: %q}\n", d.name, server.URL)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "config.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.log, err = os.Create(filepath.Join(s.dir, "log")); err != nil {
		t.Fatal(err)
	}
	defer s.log.Close()

	var group sync.WaitGroup
	for i := range senders {
		group.Go(func() {
			client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for k := 0; ; k++ {
				if _, more := <-s.budget; !more {
					return
				}
				s.send(client, fmt.Sprintf("%d/%06d", i, k))
			}
		})
	}
	begin := time.Now()
	given, unanswered := 0, 0
	for i := range kills {
		running := s.start()
		for ; given < (i+1)*alerts/(kills+1); given++ {
			s.budget <- struct{}{}
		}
		pause(rand.N(longest))
		if int(s.accepted.Load()) < given {
			unanswered++
		}
		if err := running.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = running.Wait() // it says that it was killed
	}
	running := s.start()
	for ; given < alerts; given++ {
		s.budget <- struct{}{}
	}
	close(s.budget)
	group.Wait()
	for last, since := 0, time.Now(); last < alerts*len(destinations) && time.Since(since) < time.Minute; pause(20 * time.Millisecond) {
		n := 0
		for _, d := range destinations {
			n += d.distinct()
		}
		if n > last {
			last, since = n, time.Now()
		}
	}
	took := time.Since(begin)
	if err := running.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := running.Wait(); err != nil {
		t.Errorf("the last process: %v", err)
	}
	t.Logf("%d alerts accepted, %d kills in %v, %d of them with alerts that were not answered yet", s.accepted.Load(), kills, took.Round(time.Second), unanswered)
	if unanswered == 0 {
		t.Error("no process was killed while alerts came in")
	}
	for _, d := range destinations {
		s.check(d, alerts, destinations[0])
	}
	if t.Failed() {
		text, err := os.ReadFile(s.log.Name())
		t.Logf("the end of the log is (%v)\n%s", err, text[max(0, len(text)-4000):])
	}
}

// check compares what a destination got with what was accepted, and with the order at another one.
func (s *series) check(d *destination, alerts int, other *destination) {
	d.mu.Lock()
	defer d.mu.Unlock()
	twice := 0
	for _, n := range d.times {
		twice += n - 1
	}
	s.t.Logf("%-5s: lost %d, duplicated %d", d.name, alerts-len(d.first), twice)
	if len(d.first) != alerts {
		s.t.Errorf("%s has %d of %d alerts", d.name, len(d.first), alerts)
	}
	next := map[string]int{} // of each sender, which sends one after the other
	for _, name := range d.first {
		sender, place, _ := strings.Cut(name, "/")
		if want := fmt.Sprintf("%06d", next[sender]); place != want {
			s.t.Errorf("%s gets %s before %s", d.name, name, want)
			return
		}
		next[sender]++
	}
	if d != other && !slices.Equal(d.first, other.first) {
		s.t.Errorf("%s and %s get the alerts in different orders", d.name, other.name)
	}
}
