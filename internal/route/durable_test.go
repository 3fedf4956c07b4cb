package route_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/queue"
	"github.com/saker-sec/saker/internal/route"
)

// fake is a destination that the test rules.
type fake struct {
	send func(rule string) error // nil takes all

	mu      sync.Mutex
	rules   []string
	texts   []string
	batches []string
	closed  bool
}

func (f *fake) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	if f.send != nil {
		if err := f.send(a.Rule); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, a.Rule)
	text := strings.Fields(a.Message)
	f.texts = append(f.texts, strings.Join(text[:max(len(text)-1, 1)], " ")) // without how long it took
	return nil
}

func (f *fake) Close(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return nil
}

func (f *fake) got() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.rules, " ")
}

// batched is a destination that takes several alerts at once.
type batched struct {
	*fake
	together func(rules []string) []error // nil takes all
	bytes    int
	wait     time.Duration
	ok       bool
}

func (b *batched) SendBatch(_ context.Context, alerts []*alert.Alert) []error {
	var rules []string
	for _, a := range alerts {
		rules = append(rules, a.Rule)
	}
	var errs []error
	if b.together != nil {
		errs = b.together(rules)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.batches = append(b.batches, strings.Join(rules, "+"))
	for i, r := range rules {
		if i >= len(errs) || errs[i] == nil {
			b.rules = append(b.rules, r)
		}
	}
	return errs
}

func (b *batched) Batch() (int, time.Duration, bool) { return b.bytes, b.wait, b.ok }

func (b *batched) sent() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.batches, " ")
}

type refusal struct{ error }

func (refusal) Permanent() bool { return true }

// start starts a queue in dir with the delivery to the destinations.
func start(t *testing.T, dir string, destinations ...route.Destination) (*queue.Queue, *route.Delivery) {
	t.Helper()
	q, deliver := open(t, dir, destinations...)
	return q, deliver()
}

// open opens a queue in dir for the destinations, and returns what starts the delivery to them.
func open(t *testing.T, dir string, destinations ...route.Destination) (*queue.Queue, func() *route.Delivery) {
	t.Helper()
	log := func(p alert.Priority, line string) { t.Logf("%s: %s", p, line) }
	cfg := queue.Config{Dir: dir, Log: log}
	for i := range destinations {
		d := &destinations[i]
		d.MinBackoff, d.MaxBackoff = time.Millisecond, 4*time.Millisecond
		cfg.Destinations = append(cfg.Destinations, queue.Destination{Name: d.Name, Minimum: alert.Debug, Concurrency: d.Concurrency, Ahead: ahead(*d)})
	}
	q, err := queue.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q, func() *route.Delivery {
		d, err := route.Deliver(q, destinations, log)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if err := d.Close(ctx); err != nil {
				t.Error(err)
			}
		})
		return d
	}
}

// ahead asks one of the destination's sinks, as far as it can be opened.
func ahead(d route.Destination) int {
	if s, err := d.Open(); err == nil {
		return d.Ahead(s)
	}
	return 0
}

func post(t *testing.T, q *queue.Queue, rules ...string) {
	t.Helper()
	for _, r := range rules {
		if err := q.Publish(t.Context(), &alert.Alert{Time: time.Unix(1, 0), Rule: r, Priority: alert.Notice, Message: "m"}); err != nil {
			t.Fatal(err)
		}
	}
}

// until waits until the statistics of the i-th destination are as wanted, for as long as deliveries go on.
func until(t *testing.T, d *route.Delivery, i int, want func(route.DestinationStats) bool) route.DestinationStats {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var got route.DestinationStats
	done := func() uint64 { return got.Sent + got.Retried + got.Filtered + got.Grouped }
	for moved := time.Now(); time.Since(moved) < time.Minute; <-tick.C {
		before := done()
		_, all, err := d.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got = all[i]; want(got) {
			return got
		}
		if done() != before {
			moved = time.Now()
		}
	}
	t.Fatalf("the statistics stay %+v", got)
	return got
}

func condition(t *testing.T, text string) *route.Filter {
	t.Helper()
	f, err := route.ParseFilter(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func sink(s route.Sink) func() (route.Sink, error) {
	return func() (route.Sink, error) { return s, nil }
}

// TestDelivery has a destination that works, one that fails now and then, one that never comes back, and one that refuses
// some alerts. None disturbs the others, and the order is kept.
func TestDelivery(t *testing.T) {
	dir := t.TempDir()
	var tries atomic.Int64
	good, filtered := &fake{}, &fake{}
	flapping := &fake{send: func(string) error {
		if tries.Add(1)%3 != 0 {
			return errors.New("503")
		}
		return nil
	}}
	picky := &fake{send: func(rule string) error {
		if rule == "a3" {
			return refusal{errors.New("400 Bad Request")}
		}
		return nil
	}}
	hanging := make(chan struct{})
	away := &fake{send: func(string) error { <-hanging; return errors.New("reset") }}
	q, d := start(t, dir,
		route.Destination{Name: "good", Open: sink(good)}, route.Destination{Name: "flapping", Open: sink(flapping)},
		route.Destination{Name: "picky", Open: sink(picky)}, route.Destination{Name: "away", Open: sink(away)},
		route.Destination{Name: "filtered", Open: sink(filtered), Filter: condition(t, "rule = a7")},
	)
	var rules []string
	for i := range 20 {
		rules = append(rules, fmt.Sprint("a", i))
	}
	post(t, q, rules...)
	all := strings.Join(rules, " ")
	for i := range 3 {
		until(t, d, i, func(s route.DestinationStats) bool { return s.Queued == 0 })
	}
	if got := good.got(); got != all {
		t.Errorf("good gets %s", got)
	}
	if got := flapping.got(); got != all {
		t.Errorf("flapping gets %s", got)
	}
	if got := picky.got(); got != strings.ReplaceAll(all, " a3 ", " ") {
		t.Errorf("picky gets %s", got)
	}
	if s := until(t, d, 1, func(s route.DestinationStats) bool { return s.Sent == 20 }); s.Retried != 40 || s.Trouble != "" || s.Latency.Counts[0] == 0 {
		t.Errorf("the statistics of flapping are %+v", s)
	}
	if s := until(t, d, 2, func(s route.DestinationStats) bool { return s.Dead == 1 }); s.Sent != 19 || s.Buried != 1 {
		t.Errorf("the statistics of picky are %+v", s)
	}
	if s := until(t, d, 3, func(s route.DestinationStats) bool { return s.Oldest > 0 }); s.Queued != 20 || s.Sent != 0 {
		t.Errorf("the statistics of away are %+v", s)
	}
	until(t, d, 4, func(s route.DestinationStats) bool { return s.Filtered == 19 && s.Sent == 1 && s.Queued == 0 })
	close(hanging)
	until(t, d, 3, func(s route.DestinationStats) bool { return s.Down && s.Trouble == "reset" })
	picky.send = nil
	if n, err := q.Replay(t.Context(), "picky", 0); n != 1 || err != nil {
		t.Errorf("replaying: %d, %v", n, err)
	}
	until(t, d, 2, func(s route.DestinationStats) bool { return s.Dead == 0 && s.Queued == 0 })
	if got := picky.got(); !strings.HasSuffix(got, "a19 a3") {
		t.Errorf("picky gets %s after the replay", got)
	}
	if err := d.Close(t.Context()); err != nil || !good.closed {
		t.Errorf("closing: %v, closed %t", err, good.closed)
	}
	q.Close()

	back := &fake{}
	_, d = start(t, dir, route.Destination{Name: "away", Open: sink(back)})
	until(t, d, 0, func(s route.DestinationStats) bool { return s.Queued == 0 && s.Sent == 20 })
	if got := back.got(); got != all {
		t.Errorf("the one that was away gets %s when it is back", got)
	}
}

// TestBatches has batches bounded by number, bytes and age, and results for each alert.
func TestBatches(t *testing.T) {
	first := true
	mixed := &batched{fake: &fake{}, ok: true, bytes: 1 << 20, wait: time.Second, together: func(rules []string) []error {
		errs := make([]error, len(rules))
		for i, r := range rules {
			if r == "b" {
				errs[i] = refusal{errors.New("400")}
			} else if r == "c" && first {
				first = false
				errs[i] = errors.New("429")
			}
		}
		return errs
	}}
	small := &batched{fake: &fake{}, ok: true, bytes: 1, wait: time.Hour}
	single := &batched{fake: &fake{}}
	chosen := &batched{fake: &fake{}}
	q, deliver := open(t, t.TempDir(),
		route.Destination{Name: "mixed", Open: sink(mixed), BatchSize: 3}, route.Destination{Name: "small", Open: sink(small)},
		route.Destination{Name: "single", Open: sink(single)},
		route.Destination{Name: "chosen", Open: sink(chosen), BatchSize: 4, BatchAge: time.Hour, Filter: condition(t, "rule != c")},
	)
	post(t, q, "a", "b", "c", "d", "e")
	d := deliver() // now that all are there: none has to come before a batch is old
	until(t, d, 0, func(s route.DestinationStats) bool {
		return s.Queued == 0 && s.Sent == 4 && s.Dead == 1 && s.Retried == 1
	})
	if got := mixed.got(); got != "a c d e" {
		t.Errorf("mixed gets %s", got)
	}
	if got := mixed.sent(); got != "a+b+c c d+e" {
		t.Errorf("mixed gets the batches %s", got)
	}
	for i := 1; i < 4; i++ {
		until(t, d, i, func(s route.DestinationStats) bool { return s.Queued == 0 })
	}
	if small.sent() != "" || small.got() != "a b c d e" {
		t.Errorf("small gets the batches %q and %s, want each alone: they are large", small.sent(), small.got())
	}
	if single.sent() != "" || single.got() != "a b c d e" {
		t.Errorf("single gets the batches %q and %s, want each alone: it wants no batches", single.sent(), single.got())
	}
	if chosen.sent() != "a+b+d+e" {
		t.Errorf("chosen gets the batches %s", chosen.sent())
	}
	if n := (route.Destination{BatchSize: 100, Concurrency: 3}).Ahead(single); n != 600 {
		t.Errorf("%d alerts ahead for batches of 100 in three goroutines", n)
	}
	if n := (route.Destination{}).Ahead(single); n != 0 {
		t.Errorf("%d alerts ahead without batches", n)
	}
}

// TestConcurrentBatches has several goroutines collect batches: an alert does not wait for the next one, for which others wait.
func TestConcurrentBatches(t *testing.T) {
	q, d := start(t, t.TempDir(), route.Destination{Name: "d", Concurrency: 4, BatchSize: 10, Open: sink(&batched{fake: &fake{}})})
	for n := range uint64(5) {
		post(t, q, "a")
		until(t, d, 0, func(s route.DestinationStats) bool { return s.Sent == n+1 && s.Queued == 0 })
	}
}

// TestPoison has one alert that makes the destination fail, in a batch of others: only that one is given up.
func TestPoison(t *testing.T) {
	fail := func(rule string) error {
		if strings.Contains(rule, "poison") {
			return errors.New("500")
		}
		return nil
	}
	s := &batched{fake: &fake{send: fail}, ok: true, bytes: 1 << 20, wait: time.Hour, together: func(rules []string) []error {
		if err := fail(strings.Join(rules, " ")); err != nil {
			return []error{err, err, err}
		}
		return nil
	}}
	q, d := start(t, t.TempDir(), route.Destination{Name: "d", Open: sink(s), Attempts: 3, BatchSize: 3})
	post(t, q, "a", "poison", "b")
	until(t, d, 0, func(s route.DestinationStats) bool { return s.Queued == 0 && s.Sent == 2 && s.Dead == 1 })
	if got := s.sent(); got != "a+poison+b a+poison+b" || s.got() != "a b" {
		t.Errorf("got the batches %s, and %s", got, s.got())
	}
	if err := q.DeadLetters(t.Context(), "d", func(l queue.Dead) bool {
		if l.Reason != "500 (after 3 attempts)" || l.Alert.Rule != "poison" {
			t.Errorf("the dead letter is %+v", l)
		}
		return true
	}); err != nil {
		t.Error(err)
	}
}

// TestShed has alerts that make the destination fail, one by one and together, until the queue sheds them. Others come to their turn then.
func TestShed(t *testing.T) {
	fail := func(rules string) error {
		if strings.Contains(rules, "poison") {
			return errors.New("500")
		}
		return nil
	}
	for name, s := range map[string]route.Sink{
		"alone": &fake{send: fail},
		"together": &batched{fake: &fake{send: fail}, ok: true, bytes: 1 << 20, together: func(rules []string) []error {
			if err := fail(strings.Join(rules, " ")); err != nil {
				return slices.Repeat([]error{err}, len(rules))
			}
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			q, err := queue.Open(t.Context(), queue.Config{Dir: t.TempDir(), Bytes: 100 << 10, Destinations: []queue.Destination{{Name: "d", Minimum: alert.Debug}}})
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close()
			poison := &alert.Alert{Time: time.Unix(1, 0), UUID: "that one", Rule: "poison", Priority: alert.Debug, Message: strings.Repeat("m", 10<<10)}
			for range 2 {
				if err := q.Publish(t.Context(), poison); err != nil {
					t.Fatal(err)
				}
			}
			d, err := route.Deliver(q, []route.Destination{{Name: "d", Open: sink(s), MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close(t.Context())
			until(t, d, 0, func(s route.DestinationStats) bool {
				return s.Retried > 3 && s.UUID == "that one" && s.Trouble == "500"
			})
			severe := *poison
			severe.Rule, severe.Priority = "severe", alert.Error
			for range 8 {
				if err := q.Publish(t.Context(), &severe); err != nil {
					t.Fatal(err)
				}
			}
			until(t, d, 0, func(s route.DestinationStats) bool {
				return s.Sent == 8 && s.Shed.Full == 2 && s.Queued == 0 && s.Trouble == ""
			})
		})
	}
}

// TestGroups holds repeats back, across a restart.
func TestGroups(t *testing.T) {
	dir := t.TempDir()
	f := &fake{}
	group := route.Group{By: []string{"rule"}, Window: time.Hour, Count: 500}
	q, d := start(t, dir, route.Destination{Name: "d", Open: sink(f), Group: group}, route.Destination{Name: "all", Open: sink(&fake{})})
	var rules []string
	for range 400 {
		rules = append(rules, "a", "b")
	}
	post(t, q, rules...)
	until(t, d, 0, func(s route.DestinationStats) bool { return s.Queued == 0 && s.Sent == 2 && s.Grouped == 798 })
	if got := f.got(); got != "a b" {
		t.Errorf("got %s", got)
	}
	if err := d.Close(t.Context()); err != nil {
		t.Error(err)
	}
	q.Close()

	f = &fake{}
	q, d = start(t, dir, route.Destination{Name: "d", Open: sink(f), Group: group}, route.Destination{Name: "all", Open: sink(&fake{})})
	rules = nil
	for range 101 {
		rules = append(rules, "a")
	}
	post(t, q, rules...)
	until(t, d, 0, func(s route.DestinationStats) bool { return s.Queued == 0 && s.Sent == 1 && s.Grouped == 101 })
	if err := d.Close(t.Context()); err != nil {
		t.Error(err)
	}
	q.Close()
	last := &fake{}
	_, d = start(t, dir, route.Destination{Name: "d", Open: sink(last)}, route.Destination{Name: "all", Open: sink(&fake{})})
	until(t, d, 0, func(s route.DestinationStats) bool { return s.Queued == 0 && s.Sent == 1 })
	if f.texts[0] != "m (500 like this within" || last.texts[0] != "m (399 like this within" {
		t.Errorf("the reports are %q and, when nothing is grouped any more, %q", f.texts, last.texts)
	}
}

// TestAttempts gives an alert up that always fails, and opens a sink that cannot be opened at first.
func TestAttempts(t *testing.T) {
	opened := 0
	f := &fake{send: func(rule string) error {
		if rule == "poison" {
			return errors.New("500")
		}
		return nil
	}}
	q, d := start(t, t.TempDir(), route.Destination{Name: "d", Attempts: 3, Timeout: time.Second, Open: func() (route.Sink, error) {
		if opened++; opened < 4 {
			return nil, errors.New("no such host")
		}
		return f, nil
	}}, route.Destination{Name: "never", Open: func() (route.Sink, error) { return nil, refusal{errors.New("no such key")} }})
	post(t, q, "a", "poison", "b")
	until(t, d, 0, func(s route.DestinationStats) bool { return s.Queued == 0 && s.Sent == 2 && s.Dead == 1 })
	if got := f.got(); got != "a b" {
		t.Errorf("got %s", got)
	}
	if err := q.DeadLetters(t.Context(), "d", func(l queue.Dead) bool {
		if l.Reason != "500 (after 3 attempts)" || l.Alert.Rule != "poison" {
			t.Errorf("the dead letter is %+v", l)
		}
		return true
	}); err != nil {
		t.Error(err)
	}
	until(t, d, 1, func(s route.DestinationStats) bool { return s.Down && s.Queued == 3 })
}

// TestConcurrency delivers as many at once as it may.
func TestConcurrency(t *testing.T) {
	var now, most atomic.Int64
	release := make(chan struct{})
	f := &fake{send: func(string) error {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n == 4 {
			close(release)
		}
		<-release
		now.Add(-1)
		return nil
	}}
	q, d := start(t, t.TempDir(), route.Destination{Name: "d", Concurrency: 4, Open: sink(f)})
	post(t, q, "a", "b", "c", "d")
	until(t, d, 0, func(s route.DestinationStats) bool { return s.Sent == 4 && s.Queued == 0 })
	if most.Load() != 4 {
		t.Errorf("%d at once, want 4", most.Load())
	}
}
