package route

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	durable "github.com/saker-sec/saker/internal/queue"
)

// keepAtOnce is the most alerts that are written to the queue at once.
const keepAtOnce = 512

// Keep returns a sink, for a Router, that writes alerts to the durable queue: those that come while others are being written share a write.
// So the event loop hands alerts over without waiting, and what the disk cannot take for a while waits in the bounds of the Output.
// Prepare returns an alert as it is to be kept; it must not change the one it gets, which other sinks have too. What the queue
// refuses for good (it is full of more severe alerts, or the alert is too large) is counted by the queue and logged.
func Keep(q *durable.Queue, prepare func(*alert.Alert) *alert.Alert, log func(alert.Priority, string)) Sink {
	return &keeper{queue: q, prepare: prepare, log: log}
}

// keeper implements Keep.
type keeper struct {
	queue   *durable.Queue
	prepare func(*alert.Alert) *alert.Alert
	log     func(alert.Priority, string)
	waiting []*alert.Alert

	refused uint64 // since the last line about it
	why     error
	said    time.Time
}

// Send keeps the alert until Flush, or writes what there is.
func (k *keeper) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	if len(k.waiting) >= keepAtOnce {
		if err := k.Flush(ctx); err != nil {
			return err
		}
	}
	k.waiting = append(k.waiting, k.prepare(a))
	return nil
}

// Flush writes what is kept back.
func (k *keeper) Flush(ctx context.Context) error {
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
func (k *keeper) sayRefused(after time.Duration) {
	if now := time.Now(); k.refused > 0 && now.Sub(k.said) >= after {
		k.log(alert.Error, fmt.Sprintf("%s not forwarded: %v", alerts(k.refused), k.why))
		k.refused, k.said = 0, now
	}
}

// Close says what could not be written.
func (k *keeper) Close(context.Context) error {
	k.sayRefused(0)
	if len(k.waiting) > 0 {
		return fmt.Errorf("%s could not be written to the queue", alerts(len(k.waiting)))
	}
	return nil
}
