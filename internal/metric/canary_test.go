package metric

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestCanary lets hours go by in no time: events come, stop, come again; the call fails; the loop lags.
func TestCanary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var delivered atomic.Bool
		var fault atomic.Pointer[error]
		delivered.Store(true)
		var c *Canary
		c = NewCanary(CanaryConfig{Every: 5 * time.Second, Within: 20 * time.Second, Emit: func() error {
			if err := fault.Load(); err != nil {
				return *err
			}
			if delivered.Load() {
				c.Seen(uint64(time.Now().UnixNano()))
			}
			return nil
		}})
		healthy := func(when string, want string) {
			t.Helper()
			synctest.Wait()
			ok, reason := c.Healthy(time.Now())
			if ok != (want == "") || !strings.Contains(reason, want) {
				t.Errorf("%s: healthy %t, reason %q, want %q", when, ok, reason, want)
			}
		}
		time.Sleep(time.Second)
		healthy("before Run", "no event of our own came since the start 1s ago (0 made)")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { c.Run(ctx); close(done) }()
		healthy("as soon as Run began", "")
		time.Sleep(time.Hour)
		healthy("after an hour of events", "")

		delivered.Store(false)
		time.Sleep(19 * time.Second)
		healthy("19 s after the last", "")
		time.Sleep(6 * time.Second)
		healthy("25 s after the last", "no event of our own came for 25s (726 made, 721 came)")
		delivered.Store(true)
		time.Sleep(5 * time.Second)
		healthy("when they came again", "")

		broken := errors.New("no such call")
		fault.Store(&broken)
		time.Sleep(time.Minute)
		healthy("when the call fails", "cannot be made: no such call")
		fault.Store(nil)
		time.Sleep(5 * time.Second)
		healthy("when it works again", "")

		c.Seen(uint64(time.Now().Add(-3 * time.Second).UnixNano()))
		if got := c.Lag(); got != 3*time.Second {
			t.Errorf("lag %s, want 3s", got)
		}
		c.Seen(uint64(time.Now().Add(time.Second).UnixNano())) // the clock was set back
		if got := c.Lag(); got != 0 {
			t.Errorf("lag %s, want 0", got)
		}
		cancel()
		<-done
	})
}

func TestCanaryDefaults(t *testing.T) {
	c := NewCanary(CanaryConfig{})
	if c.cfg.Every != 5*time.Second || c.cfg.Within != 20*time.Second {
		t.Errorf("every %s, within %s", c.cfg.Every, c.cfg.Within)
	}
}

func TestCanaryAllocatesNothing(t *testing.T) {
	c := NewCanary(CanaryConfig{})
	if n := testing.AllocsPerRun(100, func() { c.Seen(1) }); n != 0 {
		t.Errorf("Seen allocates %v times", n)
	}
}
