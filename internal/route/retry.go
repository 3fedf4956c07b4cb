package route

import (
	"errors"
	"math/rand/v2"
	"sync"
	"time"
)

// Permanent says whether an error means that sending the alert again is of no use: whether it, or one it wraps, has a method
// Permanent() bool that returns true.
func Permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}

// retryAfter returns the pause that an error asks for, if it does: by a method RetryAfter() (time.Duration, bool).
func retryAfter(err error) (time.Duration, bool) {
	var r interface {
		RetryAfter() (time.Duration, bool)
	}
	if errors.As(err, &r) {
		return r.RetryAfter()
	}
	return 0, false
}

// backoff computes the pauses between attempts.
type backoff struct{ least, most time.Duration }

func newBackoff(least, most time.Duration) backoff {
	if least <= 0 {
		least = DefaultMinBackoff
	}
	if most <= 0 {
		most = DefaultMaxBackoff
	}
	return backoff{least, max(least, most)}
}

// pause returns how long to wait after the given failed attempt, counted from 0. It doubles up to the most, less a random
// part of up to a half, so that many that failed together do not come back together. An error that asks for a pause gets at
// least that, and up to a tenth more.
func (b backoff) pause(attempt int, err error) time.Duration {
	if d, ok := retryAfter(err); ok {
		if d <= 0 {
			return 0
		}
		return d + rand.N(d/10+1)
	}
	d := b.most
	if attempt < 32 && b.least<<attempt > 0 {
		d = min(d, b.least<<attempt)
	}
	return d/2 + rand.N(d/2+1)
}

// sayEvery is the shortest time between two lines about different failures of one output.
const sayEvery = time.Second

// remindEvery is the time after which the failure that was logged last is logged again while it lasts.
const remindEvery = time.Hour

// trouble is what there is to say about an output that fails. One goroutine changes it, others read its text.
type trouble struct {
	mu       sync.Mutex
	last     string // failure, while there is trouble
	logged   string // failure that was logged last, while there is trouble
	loggedAt time.Time
	since    time.Time
	failures uint64
}

// begin notes a failure and says whether to log it: when it is not the one that was logged last, or that is long ago, and not too soon after.
func (t *trouble) begin(err error, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failures == 0 {
		t.since = now
	}
	t.failures++
	t.last = err.Error()
	if t.last == t.logged && now.Sub(t.loggedAt) < remindEvery || t.failures > 1 && now.Sub(t.loggedAt) < sayEvery {
		return false
	}
	t.logged, t.loggedAt = t.last, now
	return true
}

// note notes a failure that is reported otherwise.
func (t *trouble) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last == "" {
		t.last = err.Error()
	}
}

// end notes a success and returns how many failures it ends, and how long they lasted.
func (t *trouble) end(now time.Time) (failures uint64, lasted time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failures == 0 {
		return 0, 0
	}
	failures, lasted = t.failures, now.Sub(t.since)
	t.last, t.logged, t.failures = "", "", 0
	return failures, lasted
}

// lasting returns how many failures there have been since the last success, and for how long: 0 when there are none.
func (t *trouble) lasting(now time.Time) (failures uint64, lasted time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failures > 0 {
		lasted = now.Sub(t.since)
	}
	return t.failures, lasted
}

// text returns the last failure, or "" when the last delivery succeeded.
func (t *trouble) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}
