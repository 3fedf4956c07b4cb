package route

import (
	"context"
	"sync"
	"time"
)

// breakAfter is how many attempts in a row fail before a destination counts as down.
const breakAfter = 5

// gate is the circuit breaker of a destination. While the destination is down it lets one attempt through after each pause,
// and the pauses grow; one success opens it for all.
type gate struct {
	backoff backoff

	mu       sync.Mutex
	failures int // in a row
	pauses   int // since it shut
	shut     bool
	until    time.Time // no attempt before, while it is shut
	probing  bool
	changed  chan struct{} // closed when something of the above changes
}

func newGate(b backoff) *gate { return &gate{backoff: b, changed: make(chan struct{})} }

// enter waits until an attempt may be made. It returns false when ctx ends first.
func (g *gate) enter(ctx context.Context) bool {
	for {
		if ctx.Err() != nil {
			return false
		}
		g.mu.Lock()
		wait := time.Until(g.until)
		if !g.shut || !g.probing && wait <= 0 {
			g.probing = g.shut
			g.mu.Unlock()
			return true
		}
		if g.probing {
			wait = time.Hour
		}
		changed := g.changed
		g.mu.Unlock()
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-changed:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// leave tells how the attempt ended. A destination that refuses an alert for good is not down.
func (g *gate) leave(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err == nil || Permanent(err) {
		if g.failures > 0 {
			g.failures, g.shut, g.probing, g.pauses = 0, false, false, 0
			g.notify()
		}
		return
	}
	g.failures++
	_, asked := retryAfter(err)
	if !asked && g.failures < breakAfter {
		return
	}
	if g.shut && !g.probing {
		return // began before it shut
	}
	g.shut, g.probing = true, false
	g.until = time.Now().Add(g.backoff.pause(g.pauses+min(g.failures-1, breakAfter-1), err))
	g.pauses++
	g.notify()
}

func (g *gate) notify() {
	close(g.changed)
	g.changed = make(chan struct{})
}

// pause waits after a failed attempt, unless the gate is shut, which waits by itself.
func (g *gate) pause(ctx context.Context, attempt int, err error) bool {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	return shut || sleep(ctx, g.backoff.pause(attempt, err))
}

// state returns how many attempts have failed in a row, and whether the gate is shut.
func (g *gate) state() (failures int, shut bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.failures, g.shut
}

// limiter is a token bucket. It is used by several goroutines.
type limiter struct {
	rate, burst float64 // tokens a second, and most of them; rate 0 is no limit

	mu     sync.Mutex
	tokens float64
	last   time.Time
}

// wait takes a token, and waits for it. It returns false when ctx ends first.
func (l *limiter) wait(ctx context.Context) bool {
	if l.rate <= 0 {
		return true
	}
	l.mu.Lock()
	now := time.Now()
	if l.last.IsZero() {
		l.tokens = l.burst
	} else {
		l.tokens = min(l.burst, l.tokens+l.rate*now.Sub(l.last).Seconds())
	}
	l.last = now
	l.tokens-- // below 0 it is a place in the line
	pause := time.Duration(-l.tokens / l.rate * float64(time.Second))
	l.mu.Unlock()
	return pause <= 0 || sleep(ctx, pause)
}

// allow takes a token if one is there now.
func (l *limiter) allow() bool {
	if l.rate <= 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	l.tokens = min(l.burst, l.tokens+l.rate*now.Sub(l.last).Seconds())
	l.last = now
	if l.tokens < 1 {
		return false
	}
	l.tokens--
	return true
}

// give puts a token back that was not used.
func (l *limiter) give() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens++
}
