// Package sinktest is the conformance suite that every sink passes: a sink's test says how to make one and how to look at
// what arrived, and calls Run.
package sinktest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
)

// Target is one sink and its destination, made anew for each test.
type Target struct {
	Sink route.Sink
	// Lines returns what has arrived, without line feeds and what the destination adds. It is called when the sink is closed.
	Lines func() []string
	// Break makes the destination fail, and Mend makes it work again; both nil when a test cannot do that.
	Break, Mend func()
}

// patience is how long a test waits for what must happen.
const patience = 60 * time.Second

// Run runs the suite over the targets that open makes.
func Run(t *testing.T, open func(t *testing.T) Target) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Target)
	}{
		{"order", order},
		{"contents", contents},
		{"line is not kept", lineIsNotKept},
		{"reopen", reopen},
		{"slow neighbour", slowNeighbour},
		{"outage", outage},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

// Alert returns an alert whose message is the given text.
func Alert(message string) *alert.Alert {
	return &alert.Alert{Time: time.Unix(0, 0), Rule: "a rule", Priority: alert.Notice, Source: "syscall", Hostname: "host", Message: message}
}

// Line returns the line that the suite sends for such an alert.
func Line(message string) string { return string(Alert(message).AppendText(nil, style())) }

func style() alert.Style { return alert.Style{Zone: time.UTC} }

func order(t *testing.T, target Target) {
	b := start(t, target)
	b.publish(0, 300)
	b.close()
	b.expect(300)
}

func contents(t *testing.T, target Target) {
	b := start(t, target)
	var want []string
	for _, m := range []string{
		"", "a\nb\tc\x1b[0m\"\\", "müßig \xff", "100% %s %n", "$(id) `id` 'x'", strings.Repeat("long ", 10_000), "after",
	} {
		b.router.Publish(Alert(m))
		want = append(want, Line(m))
	}
	b.close()
	b.compare(want)
}

// lineIsNotKept overwrites the line when Send has returned, as the next alert would.
func lineIsNotKept(t *testing.T, target Target) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	line := make([]byte, 0, 1024)
	var want []string
	for i := range 20 {
		m := fmt.Sprint("alert ", i)
		line = Alert(m).AppendText(line[:0], style())
		if err := target.Sink.Send(ctx, Alert(m), line); err != nil {
			t.Fatal(err)
		}
		for j := range line {
			line[j] = '#'
		}
		want = append(want, Line(m))
	}
	s := &observer{Sink: target.Sink}
	if err := errors.Join(s.Flush(ctx), s.Close(ctx)); err != nil {
		t.Error(err)
	}
	(&bench{t: t, target: target}).compare(want)
}

func reopen(t *testing.T, target Target) {
	b := start(t, target)
	b.router.Reopen()
	for i := range 10 {
		b.publish(20*i, 20*(i+1))
		b.await(20 * (i + 1))
		b.router.Reopen()
	}
	b.close()
	b.expect(200)
}

// slowNeighbour delivers everything while another output does not move.
func slowNeighbour(t *testing.T, target Target) {
	hold := make(chan struct{})
	b := start(t, target, route.Output{Name: "neighbour", Sink: held(hold)})
	b.publish(0, 50)
	b.await(50)
	close(hold)
	b.close()
	b.expect(50)
}

// outage lets the destination fail for a while: everything arrives, in order.
func outage(t *testing.T, target Target) {
	if target.Break == nil {
		t.Skip("the destination cannot be broken")
	}
	b := start(t, target)
	b.publish(0, 20)
	b.await(20)
	target.Break()
	b.publish(20, 40)
	b.awaitFailure()
	target.Mend()
	b.publish(40, 60)
	b.await(60)
	b.close()
	b.expect(60)
}

// held is a sink that does not answer until its channel is closed.
type held chan struct{}

func (h held) Send(ctx context.Context, _ *alert.Alert, _ []byte) error {
	select {
	case <-h:
	case <-ctx.Done():
	}
	return nil
}

// bench is a router with the target's sink.
type bench struct {
	t      *testing.T
	target Target
	router *route.Router
	seen   *observer
}

func start(t *testing.T, target Target, others ...route.Output) *bench {
	seen := &observer{Sink: target.Sink, sent: make(chan struct{}, 10_000), failed: make(chan struct{}, 1), log: t.Log}
	outputs := append(others, route.Output{
		Name: "target", Sink: seen, Style: style(), MinBackoff: time.Millisecond, MaxBackoff: 50 * time.Millisecond,
	})
	router := route.New(route.Config{Outputs: outputs})
	t.Cleanup(func() { // after a test that failed nothing may go on
		over, cancel := context.WithCancel(context.Background())
		cancel()
		_ = router.Close(over)
	})
	return &bench{t, target, router, seen}
}

func message(i int) string { return fmt.Sprintf("alert %d", i) }

func (b *bench) publish(from, to int) {
	for i := from; i < to; i++ {
		b.router.Publish(Alert(message(i)))
	}
}

// await waits until the sink has taken n alerts since the start.
func (b *bench) await(n int) {
	b.t.Helper()
	late := time.After(patience)
	for b.seen.counted < n {
		select {
		case <-b.seen.sent:
			b.seen.counted++
		case <-late:
			b.t.Fatalf("%d alerts of %d were taken after %v; %+v", b.seen.counted, n, patience, b.router.Stats())
		}
	}
}

func (b *bench) awaitFailure() {
	b.t.Helper()
	select {
	case <-b.seen.failed:
	case <-time.After(patience):
		b.t.Fatal("the broken destination is not noticed")
	}
}

func (b *bench) close() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	if err := b.router.Close(ctx); err != nil {
		b.t.Error(err)
	}
}

func (b *bench) expect(n int) {
	b.t.Helper()
	var want []string
	for i := range n {
		want = append(want, Line(message(i)))
	}
	b.compare(want)
}

func (b *bench) compare(want []string) {
	b.t.Helper()
	got := b.target.Lines()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			b.t.Fatalf("%d lines arrived, want %d", len(got), len(want))
		case i >= len(want):
			b.t.Fatalf("%d lines arrived, want %d; the next is %.100q", len(got), len(want), got[i])
		case got[i] != want[i]:
			b.t.Fatalf("line %d is %.100q (%d bytes), want %.100q (%d bytes)", i, got[i], len(got[i]), want[i], len(want[i]))
		}
	}
}

// observer passes everything on to a sink and tells when an alert was taken and when something failed.
type observer struct {
	route.Sink
	sent, failed chan struct{}
	counted      int
	log          func(...any)
	once         sync.Once
}

// Send sends.
func (o *observer) Send(ctx context.Context, a *alert.Alert, line []byte) error {
	err := o.Sink.Send(ctx, a, line)
	if err == nil {
		o.sent <- struct{}{}
		return nil
	}
	return o.fail(err)
}

func (o *observer) fail(err error) error {
	if err == nil || o.failed == nil {
		return err
	}
	o.once.Do(func() { o.log("first failure: ", err) })
	select {
	case o.failed <- struct{}{}:
	default:
	}
	return err
}

// Flush flushes when the sink can.
func (o *observer) Flush(ctx context.Context) error {
	if f, ok := o.Sink.(route.Flusher); ok {
		return o.fail(f.Flush(ctx))
	}
	return nil
}

// Reopen reopens when the sink can.
func (o *observer) Reopen(ctx context.Context) error {
	if r, ok := o.Sink.(route.Reopener); ok {
		return o.fail(r.Reopen(ctx))
	}
	return nil
}

// Close closes when the sink can.
func (o *observer) Close(ctx context.Context) error {
	if c, ok := o.Sink.(route.Closer); ok {
		return c.Close(ctx)
	}
	return nil
}

// Wake returns the sink's channel, if it has one.
func (o *observer) Wake() <-chan struct{} {
	if w, ok := o.Sink.(route.Waker); ok {
		return w.Wake()
	}
	return nil
}
