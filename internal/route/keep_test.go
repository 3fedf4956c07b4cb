package route_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/queue"
	"github.com/saker-sec/saker/internal/route"
)

// TestKeep hands many alerts over at once; they arrive in order, but for one that is too large.
func TestKeep(t *testing.T) {
	f := &fake{}
	q, d := start(t, t.TempDir(), route.Destination{Name: "d", Open: sink(f)})
	var mu sync.Mutex
	var lines []string
	log := func(_ alert.Priority, line string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, line)
	}
	prepare := func(a *alert.Alert) *alert.Alert {
		copied := *a
		copied.UUID = "u"
		return &copied
	}
	r := route.New(route.Config{Log: log, Drain: time.Minute, Outputs: []route.Output{{Name: "forward", Sink: route.NewKeeper(q, log).Sink(prepare)}}})
	var want []string
	const n = 2000
	for i := range n {
		a := &alert.Alert{Time: time.Unix(1, 0), Rule: fmt.Sprint("r", i), Priority: alert.Notice, Message: "m"}
		if i == 7 {
			a.Message = strings.Repeat("x", queue.Largest)
		} else {
			want = append(want, a.Rule)
		}
		r.Publish(a)
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	until(t, d, 0, func(s route.DestinationStats) bool { return s.Sent == n-1 })
	if f.got() != strings.Join(want, " ") {
		t.Error("the alerts do not arrive in their order")
	}
	if s, err := q.Stats(t.Context()); err != nil || s.Syncs > n/20 {
		t.Errorf("%d syncs for %d alerts, %v", s.Syncs, n, err)
	}
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "1 alert not forwarded: the alert is larger than") {
		t.Errorf("the log has %q", lines)
	}
}

// TestKeepAcrossRouters has a queue that cannot be written to for a while, in which another router takes the place of the first. Every alert is
// written.
func TestKeepAcrossRouters(t *testing.T) {
	f := &fake{}
	q, d := start(t, t.TempDir(), route.Destination{Name: "d", Open: sink(f)})
	k := route.NewKeeper(q, func(_ alert.Priority, line string) { t.Log(line) })
	router := func(broken bool, drain time.Duration) *route.Router {
		return route.New(route.Config{Drain: drain, Outputs: []route.Output{{
			Name: "forward", MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond,
			Sink: failing{k.Sink(func(a *alert.Alert) *alert.Alert {
				copied := *a
				copied.UUID = alert.NewUUID()
				return &copied
			}), broken},
		}}})
	}
	old, next := router(true, 50*time.Millisecond), router(false, time.Minute)
	next.Publish(&alert.Alert{Time: time.Unix(1, 0), Rule: "r0", Priority: alert.Notice, Message: "m"})
	until(t, d, 0, func(s route.DestinationStats) bool { return s.Sent == 1 }) // nothing is left to it but to be woken
	const n = 1500
	for i := range n - 1 {
		old.Publish(&alert.Alert{Time: time.Unix(1, 0), Rule: fmt.Sprint("r", i+1), Priority: alert.Notice, Message: "m"})
	}
	until(t, d, 0, func(route.DestinationStats) bool { return old.Stats()[0].Sent == n-1 }) // none waits in a queue in memory
	if err := old.HandOver(t.Context(), next); err != nil {
		t.Error(err)
	}
	until(t, d, 0, func(s route.DestinationStats) bool { // what was being written when the time was over may come twice
		seen := map[string]bool{}
		for r := range strings.FieldsSeq(f.got()) {
			seen[r] = true
		}
		return len(seen) == n && s.Queued == 0
	})
	if err := errors.Join(next.Close(t.Context()), k.Close()); err != nil {
		t.Error(err)
	}
	// A queue that cannot be written to: what is left is said at the end.
	q.Close()
	last := router(false, 50*time.Millisecond)
	last.Publish(&alert.Alert{Time: time.Unix(1, 0), Rule: "late"})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_ = last.Close(ctx) // it may still have it itself
	if err := k.Close(); err == nil || err.Error() != "forwarding: 1 alert could not be written to the queue" {
		t.Errorf("closing: %v", err)
	}
}

// failing is a sink whose flushes fail if it is broken, as those to a full disk do.
type failing struct {
	route.Sink
	broken bool
}

func (f failing) Flush(ctx context.Context) error {
	if f.broken {
		return errors.New("the disk is full")
	}
	return f.Sink.(route.Flusher).Flush(ctx)
}

func (f failing) Wake() <-chan struct{} { return f.Sink.(route.Waker).Wake() }

func (f failing) Close(ctx context.Context) error { return f.Sink.(route.Closer).Close(ctx) }
