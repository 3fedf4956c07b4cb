package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/saker-sec/saker/internal/alert"
)

// open opens a queue that is closed at the end of the test.
func open(t testing.TB, cfg Config) *Queue {
	t.Helper()
	if cfg.Log == nil {
		cfg.Log = func(p alert.Priority, line string) { t.Logf("%s: %s", p, line) }
	}
	q, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

func to(names ...string) (out []Destination) {
	for _, n := range names {
		out = append(out, Destination{Name: n, Minimum: alert.Debug})
	}
	return out
}

func make1(rule string, p alert.Priority) *alert.Alert {
	return &alert.Alert{Time: time.Unix(1795459618, 5).UTC(), Rule: rule, Priority: p, Source: "syscall", Message: "m", UUID: rule}
}

func publish(t testing.TB, q *Queue, p alert.Priority, rules ...string) {
	t.Helper()
	for _, r := range rules {
		if err := q.Publish(context.Background(), make1(r, p)); err != nil {
			t.Fatalf("publishing %s: %v", r, err)
		}
	}
}

// take returns the next n messages.
func take(t testing.TB, q *Queue, name string, n int) []*Message {
	t.Helper()
	return takeFrom(t, q.Subscription(name), n)
}

func takeFrom(t testing.TB, s *Subscription, n int) (out []*Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for range n {
		m, err := s.Next(ctx)
		if err != nil {
			t.Fatalf("next for %s: %v", s.name, err)
		}
		if m.Err != nil {
			t.Fatal(m.Err)
		}
		out = append(out, m)
	}
	return out
}

func rules(messages []*Message) string {
	var out []string
	for _, m := range messages {
		out = append(out, m.Alert.Rule)
	}
	return strings.Join(out, " ")
}

// nothing fails when a message comes soon.
func nothing(t testing.TB, q *Queue, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if m, err := q.Subscription(name).Next(ctx); err == nil {
		t.Errorf("%s gets %s, want nothing", name, m.Alert.Rule)
	}
}

func ack(t testing.TB, messages ...*Message) {
	t.Helper()
	for _, m := range messages {
		if err := m.Ack(); err != nil {
			t.Fatal(err)
		}
	}
}

// state waits until the statistics of a destination are as wanted.
func state(t testing.TB, q *Queue, name string, want func(DestinationStats) bool) {
	t.Helper()
	var got DestinationStats
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		s, err := q.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, got = range s.Destinations {
			if got.Name == name && want(got) {
				return
			}
		}
	}
	t.Fatalf("the statistics of %s stay %+v", name, got)
}

// TestReopen lets a process end with alerts in all states.
func TestReopen(t *testing.T) {
	dir := t.TempDir()
	q := open(t, Config{Dir: dir, Destinations: to("slack", "aws.s3")})
	publish(t, q, alert.Notice, "a", "b", "c", "d", "e")
	held := take(t, q, "slack", 4)
	if got := rules(held); got != "a b c d" {
		t.Errorf("slack gets %s", got)
	}
	ack(t, held[0], held[2])
	ack(t, take(t, q, "aws.s3", 5)...)
	state(t, q, "slack", func(s DestinationStats) bool { return s.Queued == 3 })
	if _, err := Open(t.Context(), Config{Dir: dir}); !errors.Is(err, ErrInUse) {
		t.Errorf("the directory is opened twice: %v", err)
	}
	q.Close()
	if err := q.Publish(t.Context(), make1("late", alert.Notice)); !errors.Is(err, ErrClosed) {
		t.Errorf("publishing to a closed queue: %v", err)
	}

	q = open(t, Config{Dir: dir, Destinations: to("slack", "aws.s3", "new")})
	kept := func() uint64 {
		s, err := q.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.Alerts
	}
	before := kept()
	if err := q.tendOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := kept(); n != before && q.Subscription("slack").restoring(q.now()) {
		t.Errorf("%d alerts of %d are left: some were removed before what was held is delivered again", n, before)
	}
	publish(t, q, alert.Notice, "f")
	again := take(t, q, "slack", 4)
	if got := rules(again); got != "b d e f" {
		t.Errorf("slack gets %s after the restart, want b d e f", got)
	}
	if again[0].Alert.UUID != "b" || !again[0].Again || again[3].Again {
		t.Errorf("b is %+v", again[0])
	}
	if got := rules(take(t, q, "aws.s3", 1)); got != "f" {
		t.Errorf("aws.s3 gets %s after the restart, want f", got)
	}
	if got := rules(take(t, q, "new", 1)); got != "f" {
		t.Errorf("a new destination gets %s, want what came after it", got)
	}
	nothing(t, q, "slack")
	q.Close()

	var logged []string
	open(t, Config{Dir: dir, Destinations: to("aws.s3"), Log: func(_ alert.Priority, s string) { logged = append(logged, s) }})
	if !strings.Contains(strings.Join(logged, "\n"), "destination slack is not configured any more: 4 alerts") {
		t.Errorf("logged %q", logged)
	}
}

// TestReap shows that what everybody has goes, and only that.
func TestReap(t *testing.T) {
	q := open(t, Config{Dir: t.TempDir(), Destinations: []Destination{
		{Name: "all", Minimum: alert.Debug}, {Name: "severe", Minimum: alert.Error},
	}})
	kept := func(want uint64) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; {
			if err := q.tendOnce(t.Context()); err != nil {
				t.Fatal(err)
			}
			s, err := q.Stats(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if s.Alerts == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%d alerts are kept, want %d", s.Alerts, want)
			}
		}
	}
	publish(t, q, alert.Debug, "a", "b")
	publish(t, q, alert.Error, "c")
	publish(t, q, alert.Debug, "d")
	kept(4)
	all := take(t, q, "all", 4)
	severe := take(t, q, "severe", 1)
	if got := rules(severe); got != "c" {
		t.Errorf("severe gets %s", got)
	}
	ack(t, all...)
	kept(4)
	ack(t, severe...)
	kept(0)
	publish(t, q, alert.Debug, "e")
	kept(1)
	ack(t, take(t, q, "all", 1)...)
	kept(0)
}

// TestReapEarly asks what a consumer needs before it has been told of an alert that is published: it says that nothing is pending.
func TestReapEarly(t *testing.T) {
	q := open(t, Config{Dir: t.TempDir(), Destinations: to("d")})
	publish(t, q, alert.Debug, "a", "b")
	publish(t, q, alert.Error, "c")
	if err := q.PublishTo(t.Context(), "d", make1("d", alert.Notice)); err != nil {
		t.Fatal(err)
	}
	info := func(delivered uint64, filters ...string) *jetstream.ConsumerInfo {
		return &jetstream.ConsumerInfo{Delivered: jetstream.SequenceInfo{Stream: delivered}, Config: jetstream.ConsumerConfig{FilterSubjects: filters}}
	}
	one, behind := info(0), info(9)
	one.Config.FilterSubject = "saker.to.*"
	behind.NumAckPending, behind.AckFloor.Stream = 1, 1
	for name, c := range map[string]struct {
		info *jetstream.ConsumerInfo
		want uint64
	}{
		"new": {info(0, "saker.to.d", "saker.alert.7"), 1}, "one behind": {info(1, "saker.to.d", "saker.alert.7"), 2}, "severe alerts only": {info(0, "saker.to.d", "saker.alert.3"), 3},
		"its own only": {info(1, "saker.to.d"), 4}, "has all": {info(4, "saker.to.d", "saker.alert.7"), 5}, "wants none of it": {info(0, "saker.to.other", "saker.alert.0"), 5},
		"somebody else's": {info(1), 2}, "somebody else's with one filter": {one, 4}, "behind": {behind, 2},
	} {
		if got, err := q.needs(t.Context(), c.info, 5); got != c.want || err != nil {
			t.Errorf("%s: %d, %v, want %d", name, got, err, c.want)
		}
	}
	if !wants(one, "saker.alert.1") || !wants(info(0), "saker.alert.1") || wants(info(0, "saker.alert.0"), "saker.alert.1") {
		t.Error("it is not what they say that consumers want")
	}
	if idle, err := q.Idle(t.Context()); idle || err != nil {
		t.Errorf("with alerts: %t, %v", idle, err)
	}
	ack(t, take(t, q, "d", 4)...)
	for deadline := time.Now().Add(time.Minute); ; {
		idle, err := q.Idle(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if idle {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("it is not idle when all is acknowledged")
		}
	}
}

// TestShed fills the queue: the least severe go first, the oldest of them, and what is less severe than all is refused.
func TestShed(t *testing.T) {
	q := open(t, Config{Dir: t.TempDir(), Bytes: 200 << 10, Destinations: to("there")})
	away, err := q.subscribe(t.Context(), to("away")[0]) // nothing is on its way to it until fetch is called
	if err != nil {
		t.Fatal(err)
	}
	reported := func(at time.Time) {
		q.bounds.counts.Lock()
		defer q.bounds.counts.Unlock()
		q.bounds.reported = at
	}
	reported(q.now()) // so that no report comes between the alerts
	published := 0
	push := func(p alert.Priority) error {
		a := make1(fmt.Sprintf("%d/%d", p, published), p)
		if a.Message = strings.Repeat("x", 1800); p == alert.Debug {
			a.Message = strings.Repeat("x", 18000)
		}
		err := q.Publish(t.Context(), a)
		if err == nil {
			published++
			ack(t, take(t, q, "there", 1)...)
		}
		return err
	}
	for i := range 90 {
		if err := push(alert.Notice - alert.Priority(i%2)); err != nil {
			t.Fatal(err)
		}
	}
	for range 60 {
		if err := push(alert.Critical); err != nil {
			t.Fatal(err)
		}
	}
	if err := push(alert.Debug); !errors.Is(err, ErrFull) {
		t.Errorf("a debug alert in a queue of warnings: %v, want %v", err, ErrFull)
	}
	if err := push(alert.Warning); err != nil {
		t.Errorf("a warning in a queue of warnings: %v", err)
	}
	s, err := q.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	shed := int(q.bounds.shed["away"].Full)
	if s.Destinations[0].Shed.Full != 0 || s.Refused != 1 || s.Bytes > 200<<10 || int(s.Alerts)+shed != published {
		t.Errorf("%d are shed, statistics are %+v", shed, s)
	}
	go away.fetch(t.Context())
	count, last := map[string]int{}, ""
	for range s.Alerts {
		m := takeFrom(t, away, 1)[0]
		last = m.Alert.Rule
		count[last[:1]]++
		ack(t, m)
	}
	if m := away.Take(); m != nil {
		t.Errorf("away gets %s too", m.Alert.Rule)
	}
	t.Logf("shed %d, got %v", shed, count)
	if count["2"] != 60 || count["5"] != 0 || count["4"] < 30 || last != fmt.Sprintf("4/%d", published-1) {
		t.Errorf("away gets %v and at last %s", count, last)
	}
	reported(time.Time{})
	q.report(reportEvery)
	if m := take(t, q, "there", 1)[0]; !m.Alert.Internal || m.Alert.Rule != "Saker internal: alerts shed" || len(m.Alert.UUID) != 36 {
		t.Errorf("the last alert is %+v, want the report", m.Alert)
	}
}

// TestShedUnwanted has a destination that is away and wants severe alerts only. What it does not want and all others have had makes room.
func TestShedUnwanted(t *testing.T) {
	const bound = 200 << 10
	q := open(t, Config{Dir: t.TempDir(), Bytes: bound, Destinations: to("there")})
	away, err := q.subscribe(t.Context(), Destination{Name: "away", Minimum: alert.Error}) // nothing is on its way to it until fetch is called
	if err != nil {
		t.Fatal(err)
	}
	publish(t, q, alert.Error, "severe")
	ack(t, take(t, q, "there", 1)...)
	a := make1("notice", alert.Notice)
	a.Message = strings.Repeat("x", 1800)
	for range bound/2000 - 10 {
		if err := q.Publish(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		ack(t, take(t, q, "there", 1)...)
	}
	a = make1("debug", alert.Debug)
	a.Message = strings.Repeat("x", 40000)
	if err := q.Publish(t.Context(), a); err != nil {
		t.Errorf("a debug alert in a queue of notices that nobody waits for: %v", err)
	}
	if got := rules(take(t, q, "there", 1)); got != "debug" {
		t.Errorf("there gets %s", got)
	}
	go away.fetch(t.Context())
	if got := rules(takeFrom(t, away, 1)); got != "severe" {
		t.Errorf("away gets %s", got)
	}
	s, err := q.Stats(t.Context())
	if err != nil || s.Destinations[0].Shed.Full != 0 || q.bounds.shed["away"].Full != 0 {
		t.Errorf("%+v, %v: something counts as shed", s, err)
	}
}

// TestShedFails cannot look for what is less severe for a moment: the alert is refused, but not for good.
func TestShedFails(t *testing.T) {
	q := open(t, Config{Dir: t.TempDir(), Bytes: 1, Destinations: to("d")})
	it, err := newItem(q.subject(alert.Notice), make1("a", alert.Notice))
	if err != nil {
		t.Fatal(err)
	}
	q.bounds.mu.Lock()
	defer q.bounds.mu.Unlock()
	q.conn.Close()
	if left, _ := q.makeRoom([]*item{it}, it.size()); len(left) != 0 {
		t.Error("it is taken")
	}
	if err := <-it.done; err == nil || errors.Is(err, ErrFull) {
		t.Errorf("it is refused with %v, which the engine does not try again", err)
	}
}

// TestExpire lets the clock go on.
func TestExpire(t *testing.T) {
	q := open(t, Config{Dir: t.TempDir(), Age: time.Hour, Destinations: to("away")})
	publish(t, q, alert.Notice, "a", "b", "c")
	held := take(t, q, "away", 1)[0]
	if held.Alert.Rule != "a" {
		t.Fatalf("got %s", held.Alert.Rule)
	}
	first := held.At
	m, err := following(t.Context(), q.alerts, 2, "saker.>")
	if err != nil {
		t.Fatal(err)
	}
	between := first.Add(m.Time.Sub(first) / 2)
	q.bounds.mu.Lock()
	q.now = func() time.Time { return between.Add(time.Hour) }
	q.bounds.mu.Unlock()
	if err := q.tendOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	s, err := q.Stats(t.Context())
	if err != nil || s.Alerts != 2 {
		t.Errorf("%+v, %v: want 2 alerts", s, err)
	}
	q.bounds.mu.Lock()
	q.now = func() time.Time { return between.Add(2 * time.Hour) }
	q.bounds.mu.Unlock()
	if err := q.tendOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err = q.Stats(t.Context()); err != nil || s.Alerts != 0 || s.Destinations[0].Shed.Expired != 3 || s.Destinations[0].Oldest != 0 {
		t.Errorf("%+v, %v: want no alerts, 3 that have expired, and none in delivery", s, err)
	}
	if !held.Shed() {
		t.Error("the alert that was taken is not shed")
	}
	nothing(t, q, "away")
}

// TestShedHeld sheds what a destination was given and has not acknowledged: that is counted, too.
func TestShedHeld(t *testing.T) {
	q := open(t, Config{Dir: t.TempDir(), Bytes: 100 << 10, Destinations: to("away")})
	first := make1("first", alert.Debug)
	if err := q.Publish(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	publish(t, q, alert.Notice, "severe")
	held := take(t, q, "away", 2)
	published := 2
	for shed := false; !shed; {
		a := make1(fmt.Sprint(published), alert.Debug)
		a.Message = strings.Repeat("x", 5000)
		if err := q.Publish(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		published++
		s, err := q.Stats(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		shed = s.Alerts < uint64(published)
	}
	s, err := q.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if shed := s.Destinations[0].Shed.Full; shed+s.Alerts != uint64(published) || shed < 2 {
		t.Errorf("of %d alerts %d are kept and %d counted as shed", published, s.Alerts, shed)
	}
	if !held[0].Shed() || held[1].Shed() {
		t.Errorf("shed: the debug alert %v, want true; the notice %v, want false", held[0].Shed(), held[1].Shed())
	}
	ack(t, held[1])
	for m := range s.Alerts - 1 {
		if got := take(t, q, "away", 1)[0]; got.Shed() {
			t.Errorf("alert %d that is given out, %s, is shed", m, got.Alert.Rule)
		} else {
			ack(t, got)
		}
	}
	nothing(t, q, "away")
}

// TestShedOnTheWay sheds an alert that is on its way to a destination.
func TestShedOnTheWay(t *testing.T) {
	q := open(t, Config{Dir: t.TempDir(), Destinations: to("d")})
	q.Subscription("d").drop(q.subject(alert.Notice), floor{3, func(s *Shed) *uint64 { return &s.Full }})
	publish(t, q, alert.Notice, "a")
	publish(t, q, alert.Error, "b")
	publish(t, q, alert.Notice, "c")
	if got := rules(take(t, q, "d", 2)); got != "b c" {
		t.Errorf("got %s", got)
	}
	state(t, q, "d", func(s DestinationStats) bool { return s.Shed.Full == 1 && s.Queued == 2 })
}

// TestDisk refuses alerts while there is no room, and takes them afterwards.
func TestDisk(t *testing.T) {
	q := open(t, Config{Dir: t.TempDir(), Destinations: to("d")})
	now, free := time.Now(), int64(Reserve-1)
	q.bounds.mu.Lock()
	q.now, q.free = func() time.Time { return now }, func() (int64, error) { return free, nil }
	q.bounds.mu.Unlock()
	if err := q.Publish(t.Context(), make1("a", alert.Notice)); !errors.Is(err, ErrDisk) {
		t.Errorf("with a full disk: %v", err)
	}
	q.bounds.mu.Lock()
	now, free = now.Add(time.Second), Reserve
	q.bounds.mu.Unlock()
	publish(t, q, alert.Notice, "b")
	if got := rules(take(t, q, "d", 1)); got != "b" {
		t.Errorf("got %s", got)
	}
	large := make1("large", alert.Notice)
	large.Message = strings.Repeat("x", Largest)
	if err := q.Publish(t.Context(), large); !errors.Is(err, ErrLarge) {
		t.Errorf("a large alert: %v", err)
	}
}

// TestDead buries alerts and has them come back.
func TestDead(t *testing.T) {
	dir := t.TempDir()
	q := open(t, Config{Dir: dir, Destinations: to("slack", "pager duty")})
	publish(t, q, alert.Notice, "a", "b", "c")
	for _, m := range take(t, q, "slack", 2) {
		if err := m.Bury(t.Context(), "400 Bad\nRequest"); err != nil {
			t.Fatal(err)
		}
	}
	if err := take(t, q, "pager duty", 1)[0].Bury(t.Context(), "too long"); err != nil {
		t.Fatal(err)
	}
	q.Close()
	q = open(t, Config{Dir: dir, Inspect: true})
	list := func(name string) string {
		var out []string
		if err := q.DeadLetters(t.Context(), name, func(d Dead) bool {
			out = append(out, fmt.Sprintf("%d %s %s: %s", d.Seq, d.Destination, d.Alert.Rule, d.Reason))
			return true
		}); err != nil {
			t.Fatal(err)
		}
		return strings.Join(out, "\n")
	}
	if got, want := list(""), "1 slack a: 400 Bad Request\n2 slack b: 400 Bad Request\n3 pager duty a: too long"; got != want {
		t.Errorf("dead letters:\n%s\nwant\n%s", got, want)
	}
	if got, want := list("pager duty"), "3 pager duty a: too long"; got != want {
		t.Errorf("dead letters of one: %s", got)
	}
	if n, err := q.Replay(t.Context(), "", 2); n != 1 || err != nil {
		t.Errorf("replaying one: %d, %v", n, err)
	}
	if n, err := q.Replay(t.Context(), "pager duty", 0); n != 1 || err != nil {
		t.Errorf("replaying those of a destination: %d, %v", n, err)
	}
	if got := list(""); got != "1 slack a: 400 Bad Request" {
		t.Errorf("dead letters left: %s", got)
	}
	q.Close()
	q = open(t, Config{Dir: dir, Destinations: to("slack", "pager duty")})
	if got := rules(take(t, q, "slack", 2)); got != "c b" {
		t.Errorf("slack gets %s", got)
	}
	if got := rules(take(t, q, "pager duty", 3)); got != "b c a" {
		t.Errorf("pager duty gets %s", got)
	}
	state(t, q, "slack", func(s DestinationStats) bool { return s.Dead == 1 && s.Queued == 2 })
}

// TestDeadBounds gives up the oldest dead letters for new ones, and those that are too old. Each is counted and reported.
func TestDeadBounds(t *testing.T) {
	var mu sync.Mutex
	var logged []string
	dir := t.TempDir()
	q := open(t, Config{Dir: dir, Destinations: to("slack", "pager", "reads")})
	old, err := q.js.Stream(t.Context(), "saker-dead")
	if err != nil {
		t.Fatal(err)
	}
	c := old.CachedInfo().Config // as an earlier version has made it
	c.Discard, c.MaxBytes, c.MaxAge = jetstream.DiscardOld, 256<<20, deadAge
	if _, err := q.js.UpdateStream(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	q.Close()
	q = open(t, Config{Dir: dir, Destinations: to("slack", "pager", "reads"), Log: func(_ alert.Priority, s string) {
		mu.Lock()
		defer mu.Unlock()
		logged = append(logged, s)
	}})
	q.graves.Lock()
	q.deadBytes = 20 << 10
	q.graves.Unlock()
	q.bounds.counts.Lock()
	q.bounds.reported = q.now() // so that no report comes between
	q.bounds.counts.Unlock()
	const buried = 60
	for i := range buried {
		a := make1(fmt.Sprint(i), alert.Notice)
		a.Message = strings.Repeat("x", 1000)
		if err := q.Publish(t.Context(), a); err != nil {
			t.Fatal(err)
		}
		name, other := "slack", "pager"
		if i%3 == 0 {
			name, other = other, name
		}
		if err := take(t, q, name, 1)[0].Bury(t.Context(), "400"); err != nil {
			t.Fatal(err)
		}
		ack(t, take(t, q, other, 1)...)
		ack(t, take(t, q, "reads", 1)...)
	}
	shed := func(name string) Shed {
		q.bounds.counts.Lock()
		defer q.bounds.counts.Unlock()
		return q.bounds.shed[name]
	}
	s, err := q.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	left, gone := s.Destinations[0].Dead+s.Destinations[1].Dead, s.Destinations[0].Shed.DeadFull+s.Destinations[1].Shed.DeadFull
	if left+gone != buried || left < 10 || left > 18 || s.Destinations[1].Shed.DeadFull*3 < gone-6 || s.Destinations[1].Shed.DeadFull*3 > gone+6 {
		t.Errorf("%d are left and %d counted as given up, of which the pager has %d", left, gone, s.Destinations[1].Shed.DeadFull)
	}
	if err := q.DeadLetters(t.Context(), "", func(d Dead) bool {
		if d.Alert.Rule != fmt.Sprint(gone) {
			t.Errorf("the oldest left is %s, want %d", d.Alert.Rule, gone)
		}
		return false
	}); err != nil {
		t.Fatal(err)
	}
	q.bounds.mu.Lock()
	q.now = func() time.Time { return time.Now().Add(deadAge + time.Hour) }
	q.bounds.mu.Unlock()
	q.bounds.counts.Lock()
	q.bounds.reported = q.now()
	q.bounds.counts.Unlock()
	if err := q.expireDead(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a, b := shed("slack"), shed("pager"); a.DeadExpired+b.DeadExpired != left {
		t.Errorf("%+v, %+v: want all %d that were left as too old", a, b, left)
	}
	q.report(reportEvery)
	mu.Lock()
	if said := strings.Join(logged, "\n"); strings.Contains(said, "given up") {
		t.Errorf("reported before the time: %s", said)
	}
	mu.Unlock()
	q.report(0)
	reports := take(t, q, "reads", 2)
	for _, m := range reports {
		if m.Alert.Rule != "Saker internal: dead letters given up" || !m.Alert.Internal || len(m.Alert.UUID) != 36 {
			t.Errorf("the report is %+v", m.Alert)
		}
	}
	q.countShed("slack", func(s *Shed) *uint64 { return &s.Full }, 7) // just before the end
	q.Close()
	mu.Lock()
	defer mu.Unlock()
	if want := "alerts for slack were shed: 7 because the queue is full"; !strings.Contains(logged[len(logged)-1], want) {
		t.Errorf("logged at last %q, want %s", logged[len(logged)-1], want)
	}
	if want := fmt.Sprintf("dead letters of pager were given up: %d because there are too many", s.Destinations[1].Shed.DeadFull); !strings.Contains(strings.Join(logged, "\n"), want) {
		t.Errorf("logged %q, want %s", logged, want)
	}
}

// TestDeadOfNobody does not replay what no destination would take.
func TestDeadOfNobody(t *testing.T) {
	dir := t.TempDir()
	q := open(t, Config{Dir: dir, Destinations: to("old", "slack")})
	publish(t, q, alert.Notice, "a")
	for _, name := range []string{"old", "slack"} {
		if err := take(t, q, name, 1)[0].Bury(t.Context(), "400"); err != nil {
			t.Fatal(err)
		}
	}
	q.Close()
	q = open(t, Config{Dir: dir, Destinations: to("slack")})
	if n, err := q.Replay(t.Context(), "", 0); n != 1 || err == nil || err.Error() != "the destination old is not configured: its dead letters stay" {
		t.Errorf("replaying all: %d, %v", n, err)
	}
	if got := rules(take(t, q, "slack", 1)); got != "a" {
		t.Errorf("slack gets %s", got)
	}
	left := 0
	if err := q.DeadLetters(t.Context(), "", func(d Dead) bool { left++; return d.Destination == "old" }); err != nil || left != 1 {
		t.Errorf("%d dead letters are left, %v; want that of old", left, err)
	}
}

// TestNotes keeps notes across a restart, one for each key.
func TestNotes(t *testing.T) {
	dir := t.TempDir()
	q := open(t, Config{Dir: dir, Destinations: to("slack", "aws.s3")})
	s := q.Subscription("slack")
	notes := func(want string) {
		t.Helper()
		all, err := q.Subscription("slack").Notes(t.Context())
		if err != nil || fmt.Sprintf("%s", all) != want {
			t.Errorf("the notes are %s, %v, want %s", all, err, want)
		}
	}
	notes("map[]")
	if err := s.Forget(t.Context(), "a"); err != nil {
		t.Error(err)
	}
	for _, n := range []string{"a=1", "b.*=2", "a=3", "c=4"} {
		key, text, _ := strings.Cut(n, "=")
		if err := s.Note(t.Context(), key, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := q.Subscription("aws.s3").Note(t.Context(), "a", []byte("other")); err != nil {
		t.Error(err)
	}
	notes("map[a:3 b.*:2 c:4]")
	if err := s.Forget(t.Context(), "c"); err != nil {
		t.Error(err)
	}
	q.Close()
	q = open(t, Config{Dir: dir, Destinations: to("slack", "aws.s3")})
	notes("map[a:3 b.*:2]")
	q.Close()
	open(t, Config{Dir: dir, Inspect: true}).Close() // names no destination, and changes nothing
	var logged []string
	q = open(t, Config{Dir: dir, Destinations: to("slack"), Log: func(_ alert.Priority, s string) { logged = append(logged, s) }})
	notes("map[a:3 b.*:2]")
	if want := "destination aws.s3 is not configured any more: the repeats of 1 groups that were held back for it are given up"; strings.Join(logged, "\n") != want {
		t.Errorf("logged %q, want %s", logged, want)
	}
	q.Close()
	q = open(t, Config{Dir: dir, Destinations: to("slack", "aws.s3")})
	if all, err := q.Subscription("aws.s3").Notes(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("the notes of what was not configured meanwhile are %s, %v", all, err)
	}
}

// TestAhead gives out no more than may be held.
func TestAhead(t *testing.T) {
	q := open(t, Config{Dir: t.TempDir(), Destinations: []Destination{{Name: "d", Minimum: alert.Debug, Ahead: 2}}})
	if m := q.Subscription("d").Take(); m != nil {
		t.Errorf("there is %v in an empty queue", m)
	}
	publish(t, q, alert.Notice, "a", "b", "c")
	if err := q.PublishTo(t.Context(), "d", make1("only", alert.Notice)); err != nil {
		t.Fatal(err)
	}
	first := take(t, q, "d", 2)
	nothing(t, q, "d")
	ack(t, first...)
	rest := take(t, q, "d", 2)
	if got := rules(rest); got != "c only" || rest[0].Only || !rest[1].Only || rest[0].Seq != 3 {
		t.Errorf("got %s: %+v", got, rest[1])
	}
}

// TestPublishEach writes many at once, in order, but for the one that is too large.
func TestPublishEach(t *testing.T) {
	q := open(t, Config{Dir: t.TempDir(), Destinations: []Destination{{Name: "d", Minimum: alert.Debug, Ahead: 2000}}})
	var alerts []*alert.Alert
	for i := range 1500 {
		alerts = append(alerts, make1(fmt.Sprint(i), alert.Notice))
	}
	if errs := q.PublishEach(t.Context(), alerts); errs != nil {
		t.Fatal(errors.Join(errs...))
	}
	for i, m := range take(t, q, "d", 1500) {
		if m.Alert.Rule != fmt.Sprint(i) {
			t.Fatalf("%s comes, want %d", m.Alert.Rule, i)
		}
		ack(t, m)
	}
	alerts[1].Message = strings.Repeat("x", Largest)
	if errs := q.PublishEach(t.Context(), alerts[:3]); len(errs) != 3 || errs[0] != nil || !errors.Is(errs[1], ErrLarge) || errs[2] != nil {
		t.Errorf("%v", errs)
	}
	if got := rules(take(t, q, "d", 2)); got != "0 2" {
		t.Errorf("got %s", got)
	}
	if s := q.syncs.Load(); s > 20 {
		t.Errorf("%d syncs", s)
	}
}

// TestManyPublishers shows that they share syncs and that each one's alerts stay in order.
func TestManyPublishers(t *testing.T) {
	q := open(t, Config{Dir: t.TempDir(), Destinations: to("d")})
	const publishers, each = 64, 30
	var group sync.WaitGroup
	for p := range publishers {
		group.Go(func() {
			for i := range each {
				if err := q.Publish(context.Background(), make1(fmt.Sprintf("%d/%d", p, i), alert.Priority(rand.N(8)))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	next := map[int]int{}
	for range publishers * each {
		m := take(t, q, "d", 1)[0]
		var p, i int
		if _, err := fmt.Sscanf(m.Alert.Rule, "%d/%d", &p, &i); err != nil || next[p] != i {
			t.Fatalf("%s comes, want %d/%d", m.Alert.Rule, p, next[p])
		}
		next[p]++
		ack(t, m)
	}
	s, err := q.Stats(t.Context())
	if err != nil || s.Accepted != publishers*each || s.Syncs > s.Accepted/4 {
		t.Errorf("%+v, %v: want few syncs", s, err)
	}
	t.Logf("%d alerts, %d syncs", s.Accepted, s.Syncs)
}

func TestEscape(t *testing.T) {
	for _, name := range []string{"slack", "aws.s3", "pager duty", "a=2e", "ü*>", "="} {
		if got := unescape(escape(name)); got != name || strings.ContainsAny(escape(name), ".*> ") {
			t.Errorf("%q becomes %q and %q", name, escape(name), got)
		}
	}
}

// BenchmarkPublish is how many alerts are on disk for each second of one core, with many senders.
func BenchmarkPublish(b *testing.B) {
	q := open(b, Config{Dir: b.TempDir(), Destinations: to("away")})
	a := make1("Read sensitive file untrusted", alert.Warning)
	a.Message = strings.Repeat("file=/etc/shadow ", 30)
	b.SetParallelism(128)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := q.Publish(context.Background(), a); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(q.accepted.Load())/float64(q.syncs.Load()), "alerts/sync")
}
