package route

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	durable "github.com/saker-sec/saker/internal/queue"
)

// keepAtOnce is the most alerts that are written to the queue at once.
const keepAtOnce = 512

// Keeper writes alerts to the durable queue for the sinks that it makes, of Routers one after the other: what one has handed over and could not
// write when another takes its place is written for that one.
type Keeper struct {
	queue *durable.Queue
	log   func(alert.Priority, string)
	wake  chan struct{} // holds a value when a sink was closed that has left something

	mu      sync.Mutex // a sink that was cancelled may write for a moment beside the next one
	waiting []*alert.Alert
	refused uint64 // since the last line about it
	why     error
	said    time.Time
}

// NewKeeper returns a keeper for a queue. Close must be called when the last sink is closed.
func NewKeeper(q *durable.Queue, log func(alert.Priority, string)) *Keeper {
	return &Keeper{queue: q, log: log, wake: make(chan struct{}, 1)}
}

// Sink returns a sink, for a Router, that writes alerts to the durable queue: those that come while others are being written share a write.
// So the event loop hands alerts over without waiting, and what the disk cannot take for a while waits in the bounds of the Output.
// Prepare returns an alert as it is to be kept; it must not change the one it gets, which other sinks have too. What the queue
// refuses for good (it is full of more severe alerts, or the alert is too large) is counted by the queue and logged.
func (k *Keeper) Sink(prepare func(*alert.Alert) *alert.Alert) Sink { return keeping{k, prepare} }

// keeping is one of the sinks.
type keeping struct {
	*Keeper
	prepare func(*alert.Alert) *alert.Alert
}

// Send keeps the alert until Flush, or writes what there is.
func (k keeping) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.waiting) >= keepAtOnce {
		if err := k.write(ctx); err != nil {
			return err
		}
	}
	k.waiting = append(k.waiting, k.prepare(a))
	return nil
}

// Flush writes what is kept back.
func (k keeping) Flush(ctx context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.write(ctx)
}

// Wake yields a value when there is something to flush that another sink has left.
func (k keeping) Wake() <-chan struct{} { return k.wake }

// Close leaves what could not be written to the next sink.
func (k keeping) Close(context.Context) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.sayRefused(0)
	if len(k.waiting) > 0 {
		select {
		case k.wake <- struct{}{}:
		default:
		}
	}
	return nil
}

// write writes what is kept back. It is called with the lock.
func (k *Keeper) write(ctx context.Context) error {
	if len(k.waiting) > 0 {
		var again []*alert.Alert
		var failed error
		for i, err := range k.queue.PublishEach(ctx, k.waiting) {
			switch {
			case err == nil:
			case errors.Is(err, durable.ErrFull) || errors.Is(err, durable.ErrLarge):
				k.refused++
				k.why = err
			default:
				again, failed = append(again, k.waiting[i]), err
			}
		}
		k.waiting = again
		if failed != nil {
			return failed
		}
	}
	k.sayRefused(sayEvery)
	return nil
}

// sayRefused logs what the queue has refused, not too often.
func (k *Keeper) sayRefused(after time.Duration) {
	if now := time.Now(); k.refused > 0 && now.Sub(k.said) >= after {
		k.log(alert.Error, fmt.Sprintf("%s not forwarded: %v", alerts(k.refused), k.why))
		k.refused, k.said = 0, now
	}
}

// Close says what could not be written.
func (k *Keeper) Close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.waiting) > 0 {
		return fmt.Errorf("forwarding: %s could not be written to the queue", alerts(len(k.waiting)))
	}
	return nil
}
