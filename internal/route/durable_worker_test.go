package route

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	durable "github.com/saker-sec/saker/internal/queue"
)

// watched is a context that counts what waits for its end.
type watched struct {
	context.Context
	waiting atomic.Int64
}

// Value has nothing, so that package context asks AfterFunc.
func (w *watched) Value(any) any { return nil }

// AfterFunc counts until the function that it returns is called.
func (w *watched) AfterFunc(f func()) func() bool {
	w.waiting.Add(1)
	stop := context.AfterFunc(w.Context, f)
	return func() bool {
		w.waiting.Add(-1)
		return stop()
	}
}

// batches is a Batcher that is never called.
type batches struct{}

func (batches) SendBatch(context.Context, []*alert.Alert) []error { return nil }

// TestFailedForLong says from time to time what fails, and which alert that holds up.
func TestFailedForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var j journal
		d := newDestination(Destination{Name: "pager"}, nil, t.Context(), t.Context(), j.log)
		m := &durable.Message{Alert: &alert.Alert{UUID: "that one", Rule: "r"}}
		for range 4 * 60 {
			d.sayFailed(errors.New("500"), m)
			time.Sleep(time.Minute)
		}
		lines := j.take()
		if len(lines) != 4 || !strings.Contains(lines[0], "its alerts are kept and tried again") ||
			!strings.Contains(lines[2], `pager: 500; that is so for 2h0m0s and 121 attempts, the alert that one of rule "r" is kept`) {
			t.Errorf("%d lines: %q", len(lines), lines)
		}
	})
}

// TestCollect leaves nothing behind when it has collected a batch: a process does so as long as it runs.
func TestCollect(t *testing.T) {
	q, err := durable.Open(t.Context(), durable.Config{Dir: t.TempDir(), Destinations: []durable.Destination{{Name: "d", Minimum: alert.Debug}}})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	taking := &watched{Context: t.Context()}
	w := &worker{
		destination: newDestination(Destination{Name: "d"}, q.Subscription("d"), taking, t.Context(), func(alert.Priority, string) {}),
		batcher:     batches{}, measure: measure{size: 2, bytes: 1 << 20, age: time.Hour},
	}
	for range 3 {
		for range 2 {
			if err := q.Publish(t.Context(), &alert.Alert{Time: time.Unix(1, 0), Rule: "r", Priority: alert.Notice, Message: "m"}); err != nil {
				t.Fatal(err)
			}
		}
		if batch, err := w.collect(); err != nil || len(batch) != 2 {
			t.Fatalf("got %d alerts, %v", len(batch), err)
		}
	}
	if n := taking.waiting.Load(); n != 0 {
		t.Errorf("%d contexts are left after 3 batches", n)
	}
}
