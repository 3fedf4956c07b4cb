package app

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/saker-sec/saker/internal/event"
)

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		h := newHeartbeat(ctx)
		begin := time.Now()
		var e event.Event
		for range 25 {
			if err := h.Next(&e); err != nil {
				t.Fatal(err)
			}
		}
		if d := time.Duration(e.Time) - time.Duration(begin.UnixNano()); d != 2500*time.Millisecond {
			t.Errorf("25 beats take %v", d)
		}
		if e.Num != 25 || e.TID != -1 || e.Code != event.ScapeventE {
			t.Errorf("event %+v", e)
		}
		cancel()
		if err := h.Next(&e); err != io.EOF {
			t.Errorf("after the end: %v", err)
		}
	})
}
