package httpsink

import (
	"context"
	"errors"

	"github.com/saker-sec/saker/internal/alert"
)

// Together sends several alerts with one request, for a destination that takes all of them or none. It returns nil when all
// are taken, or else an error or nil for each alert. When the destination refuses the request for good, which one alert may be
// the reason for, each is sent by itself.
func Together(ctx context.Context, alerts []*alert.Alert, all func() error, one func(context.Context, *alert.Alert, []byte) error) []error {
	if len(alerts) == 0 {
		return nil
	}
	err := all()
	if err == nil {
		return nil
	}
	errs := make([]error, len(alerts))
	var e interface{ Permanent() bool }
	if !errors.As(err, &e) || !e.Permanent() {
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	for i, a := range alerts {
		errs[i] = one(ctx, a, nil)
	}
	if errors.Join(errs...) == nil {
		return nil
	}
	return errs
}

// Parts sends alerts with as few requests as a destination's limits allow, each of which it takes whole or not at all.
type Parts struct {
	Bytes int // most bytes of the items of one request; an item is not divided
	Count int // most items of one request; 0 is any number
	// Item returns what a request has of one alert; the error is that of the alert.
	Item func(*alert.Alert) ([]byte, error)
	// Post sends one request.
	Post func(ctx context.Context, items [][]byte) error
}

// Send sends the alerts. It returns nil when all are taken, or else an error or nil for each alert. When the destination refuses
// a request for good, each alert in it is sent by itself.
func (p Parts) Send(ctx context.Context, alerts []*alert.Alert) []error {
	errs := make([]error, len(alerts))
	var items [][]byte
	var which []int // alerts of the items
	size := 0
	post := func() {
		if len(items) == 0 {
			return
		}
		err := p.Post(ctx, items)
		var e *Error
		alone := len(items) > 1 && errors.As(err, &e) && e.Permanent()
		for i, at := range which {
			if errs[at] = err; alone {
				errs[at] = p.Post(ctx, items[i:i+1])
			}
		}
		items, which, size = nil, nil, 0
	}
	for i, a := range alerts {
		item, err := p.Item(a)
		if err != nil {
			errs[i] = err
			continue
		}
		if size+len(item) > p.Bytes || p.Count > 0 && len(items) == p.Count {
			post()
		}
		items, which, size = append(items, item), append(which, i), size+len(item)
	}
	post()
	if errors.Join(errs...) == nil {
		return nil
	}
	return errs
}
