package route

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// fake is a sink whose answers a test decides.
type fake struct {
	send func(ctx context.Context, line string) error

	mu       sync.Mutex
	got      []string
	times    []time.Duration // of the attempts, since start
	start    time.Time
	reopened int
	flushed  int
	flushErr error
	closed   bool
}

func (f *fake) Send(ctx context.Context, a *alert.Alert, line []byte) error {
	f.mu.Lock()
	f.times = append(f.times, time.Since(f.start))
	f.mu.Unlock()
	if f.send != nil {
		if err := f.send(ctx, string(line)); err != nil {
			return err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, a.Message)
	return nil
}

func (f *fake) Flush(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flushed++
	return f.flushErr
}

func (f *fake) Reopen(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reopened++
	return nil
}

func (f *fake) Close(context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	return nil
}

func (f *fake) lines() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got)
}

// journal collects log lines.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) log(p alert.Priority, line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, p.String()+" "+line)
}

func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := j.lines
	j.lines = nil
	return out
}

func numbered(i int, p alert.Priority) *alert.Alert {
	return &alert.Alert{Message: fmt.Sprint(i), Priority: p, Time: time.Unix(int64(i), 0)}
}

func publish(r *Router, from, to int, p alert.Priority) {
	for i := from; i < to; i++ {
		r.Publish(numbered(i, p))
	}
}

func numbers(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprint(i))
	}
	return out
}

func drain(t *testing.T, r *Router) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if err := r.Close(ctx); err != nil {
		t.Error(err)
	}
}

func expect(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\ngot  %q\nwant %q", what, got, want)
	}
}

func TestOneThatHangsDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		slow := &fake{send: func(context.Context, string) error { <-hold; return nil }}
		fast := &fake{}
		var j journal
		r := New(Config{
			Outputs: []Output{{Name: "slow", Sink: slow}, {Name: "fast", Sink: fast}}, Timeout: 2 * time.Second, Log: j.log,
		})
		publish(r, 0, 1000, alert.Notice)
		synctest.Wait()
		expect(t, "the fast one", fast.lines(), numbers(0, 1000))
		if n := len(j.take()); n != 0 {
			t.Errorf("%d lines before the timeout", n)
		}
		time.Sleep(3 * time.Second)
		expect(t, "log", j.take(), []string{`Critical "slow" output timeout, this output channel is blocked: its alerts wait, those of the others do not`})
		if s := r.Stats()[0]; !s.Blocked || s.Queued != 1000 || s.Oldest != 3*time.Second || s.Bytes < 1000 {
			t.Errorf("%+v", s)
		}
		close(hold)
		synctest.Wait()
		expect(t, "the slow one", slow.lines(), numbers(0, 1000))
		expect(t, "log", j.take(), []string{`Notice "slow" output is not blocked any more, after 3s`})
		if s := r.Stats()[0]; s.Blocked || s.Queued != 0 || s.Oldest != 0 || s.Bytes != 0 || s.Sent != 1000 {
			t.Errorf("%+v", s)
		}
		drain(t, r)
		if !slow.closed || !fast.closed {
			t.Error("a sink is not closed")
		}
	})
}

func TestFullQueue(t *testing.T) {
	const d, n, w, c = alert.Debug, alert.Notice, alert.Warning, alert.Critical
	one := size(numbered(0, d))
	for _, test := range []struct {
		name            string
		capacity, bytes int
		in              []alert.Priority
		want            []string // the first is taken at once and waits in the sink
	}{
		{"there is room", 3, 0, []alert.Priority{n, n, n, n}, []string{"0", "1", "2", "3"}},
		{"the newest of equals goes", 3, 0, []alert.Priority{n, n, n, n, n, n}, []string{"0", "1", "2", "3"}},
		{"a less severe one makes room", 3, 0, []alert.Priority{n, w, d, w, w}, []string{"0", "1", "3", "4"}},
		{"the least severe goes first", 3, 0, []alert.Priority{n, n, d, w, c, c}, []string{"0", "3", "4", "5"}},
		{"of those the newest", 3, 0, []alert.Priority{n, d, d, d, c}, []string{"0", "1", "2", "4"}},
		{"what is less severe than all goes", 3, 0, []alert.Priority{n, c, c, c, d}, []string{"0", "1", "2", "3"}},
		{"bytes", 100, 3 * one, []alert.Priority{n, n, n, n, n, c}, []string{"0", "1", "2", "5"}},
		{"one that is too large for all has an empty queue", 100, 1, []alert.Priority{n, n, n}, []string{"0", "1"}},
		{"a priority there is not", 1, 0, []alert.Priority{n, 99, d}, []string{"0", "1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				hold := make(chan struct{})
				f := &fake{send: func(context.Context, string) error { <-hold; return nil }}
				r := New(Config{Outputs: []Output{{Name: "f", Sink: f, Capacity: test.capacity, Bytes: test.bytes}}})
				for i, p := range test.in {
					r.Publish(numbered(i, p))
					synctest.Wait()
				}
				if got, want := int(r.Stats()[0].Dropped), len(test.in)-len(test.want); got != want {
					t.Errorf("%d dropped, want %d", got, want)
				}
				close(hold)
				drain(t, r)
				expect(t, "sent", f.lines(), test.want)
			})
		})
	}
}

// TestLargeAlertDropsNoneInVain publishes a large alert for which dropping all that is less severe would not make room.
func TestLargeAlertDropsNoneInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		f := &fake{send: func(context.Context, string) error { <-hold; return nil }}
		one := size(numbered(0, 0))
		r := New(Config{Outputs: []Output{{Name: "f", Sink: f, Bytes: 4 * one}}})
		for i, p := range []alert.Priority{alert.Notice, alert.Critical, alert.Debug, alert.Debug} {
			r.Publish(numbered(i, p))
			synctest.Wait()
		}
		r.Publish(&alert.Alert{Message: strings.Repeat("x", 2*one), Priority: alert.Warning})
		close(hold)
		drain(t, r)
		expect(t, "sent", f.lines(), numbers(0, 4))
	})
}

func TestDropsAreSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		f := &fake{send: func(context.Context, string) error { <-hold; return nil }}
		var j journal
		r := New(Config{Outputs: []Output{{Name: "f", Sink: f, Capacity: 1}}, Log: j.log})
		publish(r, 0, 1, alert.Notice)
		synctest.Wait()
		publish(r, 1, 2, alert.Notice)
		start := time.Now()
		for i := range 10 * 60 * 20 { // 10 minutes, 20 a second
			publish(r, i, i+1, alert.Notice)
			time.Sleep(time.Second / 20)
		}
		lines := j.take()
		if len(lines) < 10 || len(lines) > 20 || !strings.HasPrefix(lines[0], `Error "f" output queue is full (1 alert, 64 MiB): 1 alert dropped`) {
			t.Errorf("%d lines in %v, the first of them %q", len(lines), time.Since(start), lines[0])
		}
		close(hold)
		drain(t, r)
		if last := j.take(); len(last) != 1 || !strings.HasSuffix(last[0], "12000 since the start") {
			t.Errorf("at the end: %q", last)
		}
		publish(r, 0, 1, alert.Notice)
		if n := r.Stats()[0].Dropped; n != 12001 {
			t.Errorf("%d dropped after Close", n)
		}
	})
}

func TestWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{send: func(context.Context, string) error { time.Sleep(time.Millisecond); return nil }}
		r := New(Config{Outputs: []Output{{Name: "f", Sink: f, Capacity: 2, Wait: true}}})
		start := time.Now()
		publish(r, 0, 1000, alert.Notice)
		if since := time.Since(start); since < 900*time.Millisecond {
			t.Errorf("1000 alerts were published in %v", since)
		}
		drain(t, r)
		expect(t, "sent", f.lines(), numbers(0, 1000))
	})
}

// TestStopWaiting interrupts a replay whose output does not move.
func TestStopWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{send: func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }}
		r := New(Config{Outputs: []Output{{Name: "f", Sink: f, Capacity: 2, Wait: true}}})
		published := make(chan struct{})
		go func() {
			publish(r, 0, 10, alert.Notice)
			close(published)
		}()
		synctest.Wait()
		select {
		case <-published:
			t.Error("Publish does not wait")
		default:
		}
		r.StopWaiting()
		<-published
		over, cancel := context.WithCancel(t.Context())
		cancel()
		if err := r.Close(over); err == nil || !strings.Contains(err.Error(), "3 alerts not delivered") {
			t.Error(err)
		}
	})
}

// TestDrain gives the outputs with Wait all the time there is, and the others a limited one.
func TestDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &fake{send: func(context.Context, string) error { time.Sleep(time.Minute); return nil }}
		dead := &fake{send: func(context.Context, string) error { return errors.New("no route to host") }}
		hold := make(chan struct{})
		deaf := &fake{send: func(context.Context, string) error { <-hold; return nil }}
		r := New(Config{Drain: 5 * time.Second, Outputs: []Output{
			{Name: "deaf", Sink: deaf}, {Name: "dead", Sink: dead}, {Name: "slow", Sink: slow, Wait: true},
		}})
		publish(r, 0, 10, alert.Notice)
		start := time.Now()
		err := r.Close(t.Context())
		expect(t, "error", strings.Split(fmt.Sprint(err), "\n"), []string{
			`closing the "deaf" output: 10 alerts not delivered: it is blocked`,
			`closing the "dead" output: 10 alerts not delivered: no route to host`,
		})
		expect(t, "slow", slow.lines(), numbers(0, 10))
		if d := time.Since(start); d != 10*time.Minute+grace {
			t.Errorf("closing took %v", d)
		}
		if last := dead.times[len(dead.times)-1] - dead.times[0]; last > 5*time.Second {
			t.Errorf("the last attempt was made after %v", last)
		}
		close(hold)
	})
}

// TestDrainInVain gives up an output with Wait that has failed for as long as Drain since Close began, and not one that works again.
func TestDrainInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone := &fake{send: func(context.Context, string) error { return errors.New("no such directory") }}
		start := time.Now()
		full := &fake{send: func(context.Context, string) error {
			if time.Since(start) < 63*time.Second {
				return errors.New("disk is full")
			}
			time.Sleep(time.Second)
			return nil
		}}
		r := New(Config{Drain: 5 * time.Second, Outputs: []Output{
			{Name: "gone", Sink: gone, Wait: true}, {Name: "full", Sink: full, Wait: true, MaxBackoff: time.Second},
		}})
		publish(r, 0, 10, alert.Notice)
		<-time.After(time.Minute)
		err := r.Close(t.Context())
		expect(t, "error", strings.Split(fmt.Sprint(err), "\n"), []string{
			`closing the "gone" output: 10 alerts not delivered: no such directory`,
		})
		expect(t, "full", full.lines(), numbers(0, 10))
		if took := time.Since(start); took < 72*time.Second || took > 75*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// answer is an error with advice.
type answer struct {
	text      string
	permanent bool
	after     time.Duration
	immediate bool
}

func (e answer) Error() string   { return e.text }
func (e answer) Permanent() bool { return e.permanent }
func (e answer) RetryAfter() (time.Duration, bool) {
	return e.after, e.after > 0 || e.immediate
}

func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := 12
		f := &fake{start: time.Now()}
		f.send = func(context.Context, string) error {
			if failures--; failures >= 0 {
				return errors.New("disk is full")
			}
			return nil
		}
		var j journal
		r := New(Config{Outputs: []Output{{Name: "f", Sink: f}}, Log: j.log})
		publish(r, 0, 3, alert.Notice)
		time.Sleep(time.Second)
		if s := r.Stats()[0]; s.Trouble != "disk is full" || s.Queued != 3 || s.Retried < 1 {
			t.Errorf("%+v", s)
		}
		drain(t, r)
		expect(t, "sent", f.lines(), numbers(0, 3))
		for i := range 12 {
			most := min(DefaultMinBackoff<<i, DefaultMaxBackoff)
			if d := f.times[i+1] - f.times[i]; d < most/2 || d > most {
				t.Errorf("pause %d is %v, want %v to %v", i, d, most/2, most)
			}
		}
		lines := j.take()
		if len(lines) != 2 || lines[0] != `Error "f" output: disk is full; its alerts are kept and tried again` ||
			!strings.HasPrefix(lines[1], `Notice "f" output works again after `) || !strings.HasSuffix(lines[1], " and 12 failed attempts") {
			t.Errorf("log: %q", lines)
		}
		if s := r.Stats()[0]; s.Trouble != "" || s.Sent != 3 || s.Retried != 12 {
			t.Errorf("%+v", s)
		}
	})
}

func TestErrorsGiveAdvice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answers := []error{
			fmt.Errorf("posting: %w", answer{text: "busy", after: 100 * time.Second}),
			answer{text: "timeout", immediate: true},
			nil,
			answer{text: "bad request", permanent: true},
			answer{text: "bad request", permanent: true},
			nil,
		}
		f := &fake{start: time.Now()}
		f.send = func(context.Context, string) error {
			err := answers[0]
			answers = answers[1:]
			return err
		}
		var j journal
		r := New(Config{Outputs: []Output{{Name: "f", Sink: f}}, Log: j.log})
		publish(r, 0, 4, alert.Notice)
		drain(t, r)
		expect(t, "sent", f.lines(), []string{"0", "3"})
		if d := f.times[1]; d < 100*time.Second || d > 110*time.Second {
			t.Errorf("asked for a pause of 100 s, got %v", d)
		}
		if f.times[2] != f.times[1] {
			t.Error("asked for no pause, got one")
		}
		if s := r.Stats()[0]; s.Failed != 2 || s.Retried != 2 || s.Sent != 2 {
			t.Errorf("%+v", s)
		}
		lines := j.take()
		for i, want := range []string{"posting: busy; its alerts are kept", "timeout;", "works again", "bad request; the alert is not delivered here", "works again"} {
			if i >= len(lines) || !strings.Contains(lines[i], want) {
				t.Fatalf("line %d is not about %q: %q", i, want, lines)
			}
		}
	})
}

func TestFailuresAreNotLoggedFasterThanOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		f := &fake{send: func(context.Context, string) error {
			n++
			time.Sleep(10 * time.Millisecond)
			return answer{text: fmt.Sprint("request ", n), permanent: true}
		}}
		var j journal
		r := New(Config{Outputs: []Output{{Name: "f", Sink: f}}, Log: j.log})
		publish(r, 0, 1000, alert.Notice)
		drain(t, r)
		if got := len(j.take()); got < 9 || got > 11 {
			t.Errorf("%d lines in ten seconds", got)
		}
	})
}

func TestCloseSaysWhatIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		r := New(Config{Outputs: []Output{
			{Name: "fine", Sink: &fake{}},
			{Name: "failing", Sink: &fake{send: func(context.Context, string) error { return errors.New("no route to host") }}},
			{Name: "obedient", Sink: &fake{send: func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }}},
			{Name: "deaf", Sink: &fake{send: func(context.Context, string) error { <-hold; return nil }}},
		}})
		publish(r, 0, 5, alert.Notice)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		err := r.Close(ctx)
		if d := time.Since(start); d != 5*time.Second+grace {
			t.Errorf("closing took %v", d)
		}
		expect(t, "error", strings.Split(err.Error(), "\n"), []string{
			`closing the "failing" output: 5 alerts not delivered: no route to host`,
			`closing the "obedient" output: 5 alerts not delivered: context canceled`,
			`closing the "deaf" output: 5 alerts not delivered: it is blocked`,
		})
		close(hold)
	})
}

func TestReopen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := true
		f := &fake{start: time.Now()}
		f.send = func(context.Context, string) error {
			if full && f.reopened < 2 {
				return errors.New("disk is full")
			}
			return nil
		}
		r := New(Config{Outputs: []Output{{Name: "f", Sink: f, MinBackoff: time.Hour, MaxBackoff: time.Hour}}})
		r.Reopen()
		synctest.Wait()
		if f.reopened != 1 {
			t.Errorf("reopened %d times while idle", f.reopened)
		}
		publish(r, 0, 2, alert.Notice)
		synctest.Wait()
		r.Reopen()
		synctest.Wait()
		expect(t, "sent after reopening", f.lines(), numbers(0, 2))
		if time.Since(f.start) != 0 {
			t.Error("reopening does not bring the next attempt forward")
		}
		drain(t, r)
	})
}

// TestReopenFreesOneThatHangs reopens a sink whose delivery hangs, and one whose delivery is only slow.
func TestReopenFreesOneThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{start: time.Now()}
		f.send = func(ctx context.Context, _ string) error {
			if f.reopened > 1 {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		}
		r := New(Config{Outputs: []Output{{Name: "f", Sink: f}}, Timeout: 2 * time.Second})
		r.Reopen()
		synctest.Wait()
		publish(r, 0, 2, alert.Notice)
		time.Sleep(time.Second)
		r.Reopen()
		synctest.Wait()
		if f.reopened != 1 || len(f.times) != 1 {
			t.Error("a delivery is given up before the timeout")
		}
		time.Sleep(2 * time.Second)
		r.Reopen()
		synctest.Wait()
		expect(t, "sent after reopening", f.lines(), numbers(0, 2))
		drain(t, r)
	})
}

func TestFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{flushErr: errors.New("pipe is full")}
		var j journal
		r := New(Config{Outputs: []Output{{Name: "f", Sink: f}}, Log: j.log})
		publish(r, 0, 100, alert.Notice)
		time.Sleep(10 * time.Second)
		f.mu.Lock()
		if f.flushed < 3 {
			t.Errorf("%d attempts to flush", f.flushed)
		}
		f.flushErr = nil
		f.mu.Unlock()
		publish(r, 100, 101, alert.Notice)
		drain(t, r)
		lines := j.take()
		if len(lines) != 2 || !strings.Contains(lines[0], "pipe is full; what it holds back is kept") || !strings.Contains(lines[1], "works again") {
			t.Errorf("log: %q", lines)
		}
	})
}

type waking struct {
	fake
	wake chan struct{}
}

func (w *waking) Wake() <-chan struct{} { return w.wake }

func TestWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &waking{wake: make(chan struct{}, 1)}
		r := New(Config{Outputs: []Output{{Name: "f", Sink: w}}})
		synctest.Wait()
		before := w.flushed
		w.wake <- struct{}{}
		synctest.Wait()
		if w.flushed != before+1 {
			t.Errorf("%d flushes, want %d", w.flushed, before+1)
		}
		drain(t, r)
	})
}

func TestEncodingIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		got := map[string][]string{}
		sink := func(name string) *fake {
			return &fake{send: func(_ context.Context, line string) error {
				mu.Lock()
				defer mu.Unlock()
				got[name] = append(got[name], line)
				return nil
			}}
		}
		text := alert.Style{Zone: time.UTC}
		r := New(Config{Outputs: []Output{
			{Name: "a", Sink: sink("a"), Style: text},
			{Name: "b", Sink: sink("b"), Style: text},
			{Name: "c", Sink: sink("c"), JSON: true},
		}})
		if len(r.encodings) != 2 {
			t.Errorf("%d encodings", len(r.encodings))
		}
		for range 50 {
			publish(r, 0, 2, alert.Notice)
			synctest.Wait()
		}
		drain(t, r)
		for name, want := range map[string][2]string{
			"a": {"00:00:00.000000000: Notice 0", "00:00:01.000000000: Notice 1"},
			"b": {"00:00:00.000000000: Notice 0", "00:00:01.000000000: Notice 1"},
			"c": {
				`{"hostname":"","priority":"Notice","rule":"","source":"","time":"1970-01-01T00:00:00.000000000Z"}`,
				`{"hostname":"","priority":"Notice","rule":"","source":"","time":"1970-01-01T00:00:01.000000000Z"}`,
			},
		} {
			for i, line := range got[name] {
				if line != want[i%2] {
					t.Errorf("%s got %s", name, line)
				}
			}
		}
	})
}

func TestNoOutputs(t *testing.T) {
	r := New(Config{})
	publish(r, 0, 1, alert.Notice)
	r.Reopen()
	drain(t, r)
}

// TestManyPublishers is for the race detector.
func TestManyPublishers(t *testing.T) {
	a, b := &fake{}, &fake{}
	r := New(Config{Outputs: []Output{{Name: "a", Sink: a, Capacity: 10, Wait: true}, {Name: "b", Sink: b, Capacity: 10}}, Timeout: time.Minute})
	var g sync.WaitGroup
	for i := range 4 {
		g.Go(func() { publish(r, 1000*i, 1000*(i+1), alert.Priority(i)) })
	}
	g.Go(func() {
		for range 100 {
			r.Stats()
			r.Reopen()
		}
	})
	g.Wait()
	drain(t, r)
	s := r.Stats()
	if s[0].Sent != 4000 || s[0].Dropped != 0 || s[1].Sent+s[1].Dropped != 4000 {
		t.Errorf("%+v", s)
	}
}

type discard struct{}

func (discard) Send(context.Context, *alert.Alert, []byte) error { return nil }

func waiting(r *Router) bool {
	return slices.ContainsFunc(r.Stats(), func(s Stats) bool { return s.Queued > 0 })
}

// BenchmarkPublish measures what an alert costs in the event loop, with five outputs.
func BenchmarkPublish(b *testing.B) {
	var outputs []Output
	for i := range 5 {
		outputs = append(outputs, Output{Name: fmt.Sprint(i), Sink: discard{}})
	}
	a := numbered(1, alert.Notice)
	for i := range 20 {
		a.Fields = append(a.Fields, alert.Field{Key: fmt.Sprint("proc.field", i), Value: alert.Value{Kind: alert.Text, Text: "a value"}})
	}
	r := New(Config{Outputs: outputs, Timeout: 2 * time.Second})
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		r.Publish(a)
		if n%64 == 63 {
			b.StopTimer()
			for waiting(r) { // the outputs keep up
				runtime.Gosched()
			}
			b.StartTimer()
		}
	}
	if err := r.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}
