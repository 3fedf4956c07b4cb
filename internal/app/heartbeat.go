package app

import (
	"context"
	"io"
	"time"

	"github.com/saker-sec/saker/internal/event"
)

// heartbeat is the source of engine.kind nodriver: one event without meaning every 100 ms, so that time goes on.
type heartbeat struct {
	ctx  context.Context
	tick *time.Ticker
	enc  event.Encoder
	num  uint64
}

func newHeartbeat(ctx context.Context) *heartbeat {
	return &heartbeat{ctx: ctx, tick: time.NewTicker(100 * time.Millisecond)}
}

// Next waits for the next beat. It returns io.EOF when the context is done.
func (h *heartbeat) Next(e *event.Event) error {
	select {
	case <-h.ctx.Done():
		h.tick.Stop()
		return io.EOF
	case now := <-h.tick.C:
		h.num++
		h.enc.Begin(event.ScapeventE, uint64(now.UnixNano()), -1)
		h.enc.Uint32(0)
		h.enc.Uint64(0)
		e.Num, e.CPU, e.Dump = h.num, 0, 0
		return e.Decode(h.enc.Bytes())
	}
}
