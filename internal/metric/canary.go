package metric

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// Canary tells whether events flow: every few seconds it makes a system call that the driver watches, and the event loop says
// when it saw it. When the driver is detached, the rings are stuck, or the loop stands still, nothing is seen any more.
//
// Times are measured with the monotonic clock, so that setting the clock changes nothing.
type Canary struct {
	cfg   CanaryConfig
	start time.Time
	seen  atomic.Int64 // ns after start when the last one was seen; 0 for never
	lag   atomic.Int64 // ns
	sent  atomic.Uint64
	back  atomic.Uint64
	fault atomic.Pointer[error] // why the last call could not be made; nil when it was
}

// CanaryConfig sets up a Canary.
type CanaryConfig struct {
	// Emit makes the system call. It must be one that is watched whatever the rules are, and nobody else makes.
	Emit func() error
	// Every is the time between two; 5 s if 0.
	Every time.Duration
	// Within is how long none may be seen before that counts as failing; four times Every if 0, because single events are
	// lost when the machine is overloaded.
	Within time.Duration
}

// NewCanary returns a canary that Run sets going.
func NewCanary(cfg CanaryConfig) *Canary {
	if cfg.Every <= 0 {
		cfg.Every = 5 * time.Second
	}
	if cfg.Within <= 0 {
		cfg.Within = 4 * cfg.Every
	}
	return &Canary{cfg: cfg, start: time.Now()}
}

// Run makes the calls until ctx is done, the first one at once.
func (c *Canary) Run(ctx context.Context) {
	tick := time.NewTicker(c.cfg.Every)
	defer tick.Stop()
	for {
		if err := c.cfg.Emit(); err != nil {
			c.fault.Store(&err)
		} else {
			c.fault.Store(nil)
			c.sent.Add(1)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Seen says that the loop saw an event of ours, which happened at ns since the epoch. It does not allocate.
func (c *Canary) Seen(ns uint64) {
	now := time.Now()
	c.lag.Store(max(0, now.UnixNano()-int64(ns)))
	c.back.Add(1)
	c.seen.Store(max(1, int64(now.Sub(c.start))))
}

// Lag returns how old the last event was when it was seen; 0 before the first.
func (c *Canary) Lag() time.Duration { return time.Duration(c.lag.Load()) }

// Healthy reports whether an event was seen lately, and if not, why that may be. Any goroutine may call it.
func (c *Canary) Healthy(now time.Time) (ok bool, reason string) {
	seen := time.Duration(c.seen.Load())
	age := now.Sub(c.start) - seen
	if seen > 0 && age <= c.cfg.Within {
		return true, ""
	}
	if fault := c.fault.Load(); fault != nil {
		return false, fmt.Sprintf("the system call that shows whether events flow cannot be made: %v", *fault)
	}
	if seen == 0 {
		return false, fmt.Sprintf("no event of our own came since the start %s ago (%d made)", round(now.Sub(c.start)), c.sent.Load())
	}
	return false, fmt.Sprintf("no event of our own came for %s (%d made, %d came)", round(age), c.sent.Load(), c.back.Load())
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }
