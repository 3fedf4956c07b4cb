package sinktest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	nethttp "net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
)

// batcher is a sink that can send several alerts at once.
type batcher interface {
	SendBatch(ctx context.Context, alerts []*alert.Alert) []error
}

// batch sends several alerts at once, to a destination that takes them, one that is busy, and one that refuses all that
// holds a certain alert. A sink whose destination answers for each alert has a test of its own, and Answer set.
func (h HTTP) batch(t *testing.T) {
	s := h.serve(t, false)
	sink, ok := h.open(t, s.URL).(batcher)
	if !ok || h.Answer != nil || h.Handle != nil {
		t.Skip("the sink sends alerts one by one")
	}
	var alerts []*alert.Alert
	for _, sample := range Samples()[:3] {
		alerts = append(alerts, sample.Alert(t))
	}
	if errs := sink.SendBatch(t.Context(), nil); errs != nil || len(s.taken()) > 0 {
		t.Errorf("no alerts: %v", errs)
	}
	if errs := sink.SendBatch(t.Context(), alerts); errs != nil {
		t.Errorf("%v", errs)
	}
	got := s.taken()
	if len(got) != 1 {
		t.Fatalf("%d requests, want one", len(got))
	}
	body := strings.ReplaceAll(string(got[0].body), s.URL, "SERVER")
	if h.Blur != nil {
		body = h.Blur(body)
	}
	golden(t, filepath.Join("testdata", "batch.golden"), fmt.Sprintf("%s\n%s", got[0].head, body))

	s.breakWith(func(w nethttp.ResponseWriter, _ *nethttp.Request) { w.WriteHeader(nethttp.StatusServiceUnavailable) })
	errs := sink.SendBatch(t.Context(), alerts)
	if len(errs) != len(alerts) {
		t.Fatalf("busy: %v", errs)
	}
	for _, err := range errs {
		if err == nil || route.Permanent(err) {
			t.Errorf("busy: %v", err)
		}
	}
	s.breakWith(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		body, err := io.ReadAll(r.Body)
		body = unzip(r, body)
		if h.Plain != nil {
			body = h.Plain(body)
		}
		if err != nil || bytes.Contains(body, []byte(alerts[1].Rule)) {
			w.WriteHeader(nethttp.StatusBadRequest)
		}
	})
	errs = sink.SendBatch(t.Context(), alerts)
	if len(errs) != len(alerts) || errs[0] != nil || !route.Permanent(errs[1]) || errs[2] != nil {
		t.Errorf("one is refused: %v", errs)
	}
}
