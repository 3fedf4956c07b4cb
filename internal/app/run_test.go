package app

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
)

// TestBrokenPipe ends without a word when nobody reads the answer to its end, as in saker --list | head.
func TestBrokenPipe(t *testing.T) {
	for _, args := range [][]string{{"--list"}, {"--list-events"}, {"--version"}} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		_ = r.Close()
		var said strings.Builder
		if code := Run(t.Context(), Env{Args: args, Stdout: w, Stderr: &said, Getenv: os.Getenv}); code != exitPipe || said.Len() > 0 {
			t.Errorf("%v: exit code %d, %q", args, code, said.String())
		}
		_ = w.Close()
	}
}

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
