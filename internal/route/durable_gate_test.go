package route

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

type slowDown struct {
	error
	after time.Duration
}

func (s slowDown) RetryAfter() (time.Duration, bool) { return s.after, true }

// TestGate has four goroutines send to a destination that is away for an hour.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(newBackoff(time.Second, time.Minute))
		ctx, cancel := context.WithCancel(t.Context())
		var attempts, successes atomic.Int64
		down := time.Now().Add(time.Hour)
		for range 4 {
			go func() {
				for attempt := 0; g.enter(ctx); attempt++ {
					attempts.Add(1)
					time.Sleep(time.Millisecond)
					if time.Now().Before(down) {
						err := errors.New("refused")
						g.leave(err)
						g.pause(ctx, attempt, err)
					} else {
						g.leave(nil)
						successes.Add(1)
						<-ctx.Done()
					}
				}
			}()
		}
		time.Sleep(59 * time.Minute)
		if n := attempts.Load(); n < 60 || n > 140 {
			t.Errorf("%d attempts in an hour, want one or two a minute", n)
		}
		if _, shut := g.state(); !shut {
			t.Error("the gate is not shut")
		}
		time.Sleep(3 * time.Minute)
		if n := successes.Load(); n != 4 {
			t.Errorf("%d goroutines have sent when it was back, want all", n)
		}
		if failures, shut := g.state(); failures != 0 || shut {
			t.Errorf("after success: %d failures, shut %t", failures, shut)
		}
		cancel()
		synctest.Wait()
	})
}

// TestGateRetryAfter shows that all wait when the destination asks for it.
func TestGateRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(newBackoff(time.Second, time.Minute))
		start := time.Now()
		g.enter(t.Context())
		g.leave(slowDown{errors.New("429"), 10 * time.Minute})
		if !g.enter(t.Context()) {
			t.Fatal("the gate does not open")
		}
		if d := time.Since(start); d < 10*time.Minute || d > 11*time.Minute {
			t.Errorf("the next attempt is after %v, want 10 to 11 minutes", d)
		}
		ended, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if g.enter(ended) {
			t.Error("a second attempt is made while the first one is on its way")
		}
	})
}

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limiter{rate: 10, burst: 5}
		start := time.Now()
		for range 25 {
			l.wait(t.Context())
		}
		if d := time.Since(start).Round(time.Millisecond); d != 2*time.Second {
			t.Errorf("25 alerts at 10 a second with a burst of 5 take %v, want 2s", d)
		}
		if l.allow() {
			t.Error("there is a token at once")
		}
		time.Sleep(250 * time.Millisecond)
		var got []bool
		for range 3 {
			got = append(got, l.allow())
		}
		if !slices.Equal(got, []bool{true, true, false}) {
			t.Error("there are not two tokens after two and a half times the time for one")
		}
		l.give()
		if !l.allow() {
			t.Error("a token that was given back is not there")
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if l.wait(ended) {
			t.Error("the limiter does not end with its context")
		}
	})
}
