package app

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
)

// stuck is an output that takes nothing.
type stuck struct{}

// Send waits for the end.
func (stuck) Send(ctx context.Context, _ *alert.Alert, _ []byte) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestStopWaiting interrupts a replay that waits for an output which a reload has put into place.
func TestStopWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &run{}
		open := func() *route.Router {
			return route.New(route.Config{Outputs: []route.Output{{Name: "stuck", Sink: stuck{}, Capacity: 1, Wait: true}}})
		}
		before, after := open(), open()
		r.router = before
		r.latest.Store(before)
		r.exchange(after)
		published := 0
		go func() {
			for range 4 { // one is on its way, one waits, and the others wait for room
				r.publish(&alert.Alert{Rule: "r"})
				published++
			}
		}()
		synctest.Wait()
		if published == 4 {
			t.Error("it does not wait")
		}
		r.stopWaiting()
		synctest.Wait()
		if published != 4 {
			t.Error("it goes on waiting")
		}
		ended, end := context.WithCancel(t.Context())
		end()
		for _, o := range []*route.Router{before, after} {
			_ = o.Close(ended) // what is left is not delivered
		}
	})
}
