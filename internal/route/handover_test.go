package route

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// TestHandOver puts another router in place of one with an output that fails, one that hangs, one that works, and one that there is no
// more.
func TestHandOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		away := func(context.Context, string) error { return errors.New("away") }
		hold := make(chan struct{})
		var old, now [4]*fake
		names := []string{"fails", "hangs", "works", "gone"}
		config := func(sinks *[4]*fake, n int) (c Config) {
			c.Drain = 5 * time.Second
			for i := range n {
				sinks[i] = &fake{}
				c.Outputs = append(c.Outputs, Output{Name: names[i], Sink: sinks[i]})
			}
			return c
		}
		c := config(&old, 4)
		old[0].send, old[3].send = away, away
		old[1].send = func(context.Context, string) error { <-hold; return nil }
		r := New(c)
		publish(r, 0, 3, alert.Notice)
		publish(r, 3, 4, alert.Critical)
		synctest.Wait()
		next := New(config(&now, 3))
		publish(next, 10, 12, alert.Notice)
		err := r.HandOver(t.Context(), next)
		want := `closing the "hangs" output: it does not end` + "\n" + `closing the "gone" output: 4 alerts not delivered: away`
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		close(hold)
		synctest.Wait()
		drain(t, next)
		after := append(numbers(10, 12), numbers(0, 4)...)
		expect(t, "what failed", now[0].lines(), after)
		expect(t, "what hung", now[1].lines(), after)
		expect(t, "what worked", now[2].lines(), numbers(10, 12))
		expect(t, "what worked before", old[2].lines(), numbers(0, 4))
	})
}
