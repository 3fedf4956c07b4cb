// Package wire keeps the connection of a sink whose destination speaks a protocol of its own. A sink makes a Link of a function
// that connects, and gives it what to do with the connection; connecting when there is none, time limits, and errors without
// secrets are here.
//
// Nothing is connected before the first alert, so a sink opens whether or not its destination can be reached. After an error
// that is not permanent the connection is closed, and the next alert makes another: what a library makes of a connection in
// an unknown state is not relied on. Trying again, with pauses, is route's.
//
// It differs from Falcosidekick in that a destination that is away at the start or goes away later is used as soon as it is
// there, that nothing waits longer than the time limit, and that no error shows a password (reference: sidekick.md §2).
package wire

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
)

// Config says what a link leads to.
type Config struct {
	Name    string        // of the destination, in errors
	Where   string        // its address, without secrets
	Secrets []string      // what must not be in an error
	Timeout time.Duration // of connecting and sending together; 0 is httpsink.DefaultTimeout
}

// Link is a connection that is made when it is needed. It may be used by several goroutines, in turns.
type Link[C any] struct {
	// Bye is what Close does before it closes a connection that works, within the time limit; nil is nothing.
	Bye func(context.Context, C)

	cfg  Config
	hide *strings.Replacer
	dial func(context.Context) (C, error)
	hang func(C)
	turn chan struct{} // holds one value, which who uses the connection takes
	conn C
	up   bool
}

// New returns a link. dial connects, and gives up when its context is done. hangUp closes a connection without waiting for
// the other side; it is also called while the connection is in use, and may be called more than once.
func New[C any](cfg Config, dial func(context.Context) (C, error), hangUp func(C)) *Link[C] {
	if cfg.Timeout <= 0 {
		cfg.Timeout = httpsink.DefaultTimeout
	}
	l := &Link[C]{cfg: cfg, hide: httpsink.Hide(cfg.Secrets...), dial: dial, hang: hangUp, turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l
}

// Do calls use with the connection, for one alert. Errors are of type *Error, or those of a context that is done.
func (l *Link[C]) Do(ctx context.Context, use func(context.Context, C) error) error {
	errs := l.DoAll(ctx, 1, func(ctx context.Context, conn C) []error {
		if err := use(ctx, conn); err != nil {
			return []error{err}
		}
		return nil
	})
	if errs == nil {
		return nil
	}
	return errs[0]
}

// DoAll calls use with the connection, for n alerts. What use returns, and DoAll, is nil or an error or nil for each.
func (l *Link[C]) DoAll(ctx context.Context, n int, use func(context.Context, C) []error) []error {
	if n == 0 {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
	defer cancel()
	select {
	case <-l.turn:
	case <-limited.Done():
		return Same(l.failure(ctx, limited, limited.Err()), n)
	}
	defer func() { l.turn <- struct{}{} }()
	if err := limited.Err(); err != nil { // both were ready
		return Same(l.failure(ctx, limited, err), n)
	}
	if !l.up {
		conn, err := l.dial(limited)
		if err != nil {
			return Same(l.failure(ctx, limited, err), n)
		}
		l.conn, l.up = conn, true
	}
	conn := l.conn
	stop := context.AfterFunc(limited, func() { l.hang(conn) }) // ends what does not look at the context
	errs := use(limited, conn)
	ended := !stop()
	failed := false
	for i, err := range errs {
		if err == nil {
			continue
		}
		errs[i] = l.failure(ctx, limited, err)
		failed = failed || !permanent(err)
	}
	if failed || ended {
		l.drop()
	}
	if errors.Join(errs...) == nil {
		return nil
	}
	return errs
}

func (l *Link[C]) drop() {
	var none C
	if l.up {
		l.hang(l.conn)
	}
	l.conn, l.up = none, false
}

// failure says what went wrong, without secrets.
func (l *Link[C]) failure(ctx, limited context.Context, err error) error {
	if permanent(err) {
		return l.errorf(err, true, "%v", err)
	}
	if over := ended(ctx); over != nil {
		return fmt.Errorf("%s: sending to %s: %w", l.cfg.Name, l.cfg.Where, over)
	}
	if over := ended(limited); over != nil {
		return l.errorf(over, false, "no answer within %v", l.cfg.Timeout)
	}
	return l.errorf(err, false, "%v", err)
}

// ended returns why a context is done, or nil. A context whose time is over may not know it yet when a read with the same deadline has failed.
func ended(ctx context.Context) error {
	if limit, ok := ctx.Deadline(); ctx.Err() == nil && ok && !time.Now().Before(limit) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

func (l *Link[C]) errorf(cause error, permanent bool, format string, args ...any) *Error {
	text := strings.Join(strings.Fields(fmt.Sprintf(format, args...)), " ") // some libraries write a line for each server
	text = httpsink.Excerpt(l.hide.Replace(text))
	return &Error{text: l.cfg.Name + ": sending to " + l.cfg.Where + ": " + text, cause: cause, permanent: permanent}
}

// Close closes the connection, after what is under way or when ctx is done.
func (l *Link[C]) Close(ctx context.Context) error {
	select {
	case <-l.turn:
		if l.up && l.Bye != nil {
			limited, cancel := context.WithTimeout(ctx, l.cfg.Timeout)
			l.Bye(limited, l.conn)
			cancel()
		}
		l.drop()
		l.turn <- struct{}{}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: closing the connection to %s: %w", l.cfg.Name, l.cfg.Where, ctx.Err())
	}
}

// Error is an alert that was not taken. It says whether it may be sent again, in the form that route asks for.
type Error struct {
	text      string
	cause     error
	permanent bool
}

// Error says what was being done and what went wrong, without secrets.
func (e *Error) Error() string { return e.text }

// Unwrap returns the cause, whose text may hold secrets.
func (e *Error) Unwrap() error { return e.cause }

// Permanent says that trying again is of no use.
func (e *Error) Permanent() bool { return e.permanent }

// Refuse returns a permanent error: why an alert cannot be taken. The connection stays.
func Refuse(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }

// Oversized returns a permanent error: an alert has more bytes than the destination takes.
func Oversized(size, most int64) error {
	return Refuse("the alert has %d bytes, the destination takes at most %d", size, most)
}

type refusal struct{ error }

// Permanent says that trying again is of no use.
func (refusal) Permanent() bool { return true }

// Unwrap returns the reason.
func (r refusal) Unwrap() error { return r.error }

func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}

// Same returns an error n times: all of several alerts have failed for one reason.
func Same(err error, n int) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}

// ID returns what names an alert to a destination that shall know it when it comes again: its uuid, or for an alert without
// one a uuid made of what it says (RFC 9562, version 8).
func ID(a *alert.Alert) string {
	if a.UUID != "" {
		return a.UUID
	}
	sum := sha256.Sum256(a.AppendSidekick(nil))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}
