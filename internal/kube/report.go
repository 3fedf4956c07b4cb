package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Stats counts what a watcher did.
type Stats struct {
	Pods, Services, Owners uint64 // there are now
	Lists                  uint64 // complete listings, the first of each kind among them
	Lookups, LookupsFailed uint64
	Errors                 uint64 // requests and streams that failed
	Unreadable             uint64 // objects that could not be read, or were too large
	Shed                   uint64 // labels, containers, pods, services and the like beyond the bounds
}

// counters are Stats as they grow; any goroutine may add.
type counters struct {
	lists, lookups, lookupsFailed, errors, unreadable, shed atomic.Uint64
}

// reporter says what goes wrong, each thing once until it works again.
type reporter struct {
	log func(string)
	counters

	mu      sync.Mutex
	failing map[string]string // what fails to why
	reached time.Time         // when the server answered last
}

func newReporter(log func(string)) *reporter {
	if log == nil {
		log = func(string) {}
	}
	return &reporter{log: log, failing: map[string]string{}}
}

// failed reports that something that began at a time did not work. Whatever fails to reach the server is one thing; that it
// fails is no news when the server has answered something else in the meantime.
func (r *reporter) failed(what string, began time.Time, err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	r.errors.Add(1)
	why := reason(err)
	if why == unreachable {
		what = asking
	}
	r.mu.Lock()
	known := r.failing[what] == why || why == unreachable && began.Before(r.reached)
	if !known {
		r.failing[what] = why
	}
	r.mu.Unlock()
	if !known {
		r.log(fmt.Sprintf("Warning: %s: %s; it is tried again until it works", what, clip(err.Error())))
	}
}

// worked reports that something works.
func (r *reporter) worked(what string) {
	r.mu.Lock()
	_, a := r.failing[what]
	_, b := r.failing[asking]
	delete(r.failing, what)
	delete(r.failing, asking)
	r.reached = time.Now()
	r.mu.Unlock()
	if a || b {
		r.log(what + ": works again")
	}
}

// once reports something that will not change by itself.
func (r *reporter) once(what, line string) {
	r.mu.Lock()
	_, known := r.failing[what]
	r.failing[what] = line
	r.mu.Unlock()
	if !known {
		r.log("Warning: " + clip(line))
	}
}

// left counts what is left out of an object because there is too much of it, and reports it.
func (r *reporter) left(n int, what, kind string, m *metadata) {
	if n > 0 {
		r.shed.Add(uint64(n))
		r.once(what+" of "+kind, fmt.Sprintf("%s %s/%s has more than %d %s; further ones are left out", kind, m.Namespace, m.Name, maxImages, what))
	}
}

const (
	unreachable = "unreachable"
	asking      = "asking the API server of Kubernetes"
)

// reason is the kind of an error: errors of one kind are reported once.
func reason(err error) string {
	if status := apierrors.APIStatus(nil); errors.As(err, &status) {
		return fmt.Sprint(status.Status().Code, status.Status().Reason)
	}
	switch {
	case errors.Is(err, errTooLarge):
		return errTooLarge.Error()
	case errors.Is(err, errRubbish):
		return errRubbish.Error()
	}
	return unreachable
}

// clip makes a text of a server fit for a log line: cut to its beginning, and in one line.
func clip(s string) string {
	if len(s) > 500 {
		s = strings.ToValidUTF8(s[:500], "") + "…"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}
