package route_test

import (
	"context"
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
	r := route.New(route.Config{Log: log, Drain: time.Minute, Outputs: []route.Output{{Name: "forward", Sink: route.Keep(q, prepare, log)}}})
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
	// A queue that cannot be written to: what is left is said at the end.
	q.Close()
	r = route.New(route.Config{Log: log, Drain: 50 * time.Millisecond, Outputs: []route.Output{{Name: "forward", Sink: route.Keep(q, prepare, log)}}})
	r.Publish(&alert.Alert{Time: time.Unix(1, 0), Rule: "late"})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := r.Close(ctx); err == nil || !strings.Contains(err.Error(), `closing the "forward" output: 1 alert could not be written to the queue`) {
		t.Errorf("closing: %v", err)
	}
}
