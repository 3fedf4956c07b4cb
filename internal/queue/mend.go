package queue

import (
	"fmt"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/saker-sec/saker/internal/alert"
)

// mend starts JetStream again when one of its stores has given up: after an error of a write, as on a disk that is full, a store takes nothing
// more until it is opened anew (nats-server, filestore.go, setWriteErr). What is on disk stays, and what destinations hold stays theirs:
// an alert that is delivered again meanwhile is known by its sequence number (hold). It is called with the lock of bounds.
func (q *Queue) mend() error {
	health := q.server.Healthz(nil)
	if health.Status == "ok" {
		return nil
	}
	if err := q.server.ShutdownJetStream(); err != nil {
		return fmt.Errorf("stopping JetStream, which cannot write (%s): %w", health.Error, err)
	}
	if err := q.server.EnableJetStream(&server.JetStreamConfig{
		StoreDir: q.cfg.Dir, SyncAlways: true, SyncInterval: syncInterval, MaxMemory: maxMemory, MaxStore: maxStore, CompressOK: true, Strict: true,
	}); err != nil {
		return fmt.Errorf("starting JetStream, which could not write (%s): %w", health.Error, err)
	}
	for _, s := range q.subs {
		s.fetchAnew()
	}
	q.cfg.Log(alert.Notice, fmt.Sprintf("queue: JetStream was started again because it could not write: %s", health.Error))
	return nil
}
