package elasticsearch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
)

// action says what to do with the document in the next line.
type action struct {
	Create target `json:"create"`
}

type target struct {
	Index string `json:"_index"`
	ID    string `json:"_id,omitempty"`
}

// SendBatch puts alerts into their indices with one request. It returns nil when all are there, or else an error or nil for
// each alert: those that have one may be sent again unless it is permanent.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	if len(alerts) == 0 {
		return nil
	}
	if err := s.prepare(ctx); err != nil {
		return same(err, len(alerts))
	}
	var body []byte
	for _, a := range alerts {
		head, err := httpsink.Encode(action{target{s.index(a), a.UUID}})
		if err != nil {
			return same(s.sender.Refuse(err.Error()), len(alerts))
		}
		body = append(append(append(body, head...), s.document(a)...), '\n')
	}
	path := "_bulk"
	if s.cfg.Pipeline != "" {
		path += "?pipeline=" + url.QueryEscape(s.cfg.Pipeline)
	}
	answer, err := s.sender.Do(ctx, httpsink.Request{URL: httpsink.Join(s.cfg.HostPort, path), ContentType: "application/x-ndjson", Body: body})
	if err != nil { // refused for good, as for its size, it may be taken in parts
		return httpsink.Together(ctx, alerts, func() error { return err }, s.Send)
	}
	var said struct {
		Errors bool                `json:"errors"`
		Items  []map[string]result `json:"items"` // by the name of the action
	}
	if err := json.Unmarshal(answer, &said); err != nil || len(said.Items) != len(alerts) {
		return same(s.sender.Fail(fmt.Sprintf("the answer to a bulk request of %d alerts has results for %d", len(alerts), len(said.Items))), len(alerts))
	}
	errs := make([]error, len(alerts))
	for i, item := range said.Items {
		for _, r := range item {
			errs[i] = s.item(ctx, alerts[i], r)
		}
	}
	if errors.Join(errs...) == nil {
		return nil
	}
	return errs
}

// result is what became of one document.
type result struct {
	Status int     `json:"status"`
	Error  failure `json:"error"`
}

// item returns the error of one document. One that does not fit the mapping is sent by itself.
func (s *Sink) item(ctx context.Context, a *alert.Alert, r result) error {
	switch {
	case r.Status/100 == 2, r.Status == http.StatusConflict: // it is there now, or was already
		return nil
	case r.Status == http.StatusBadRequest && r.Error.field() != "":
		return s.Send(ctx, a, nil)
	}
	e := s.sender.Fail(fmt.Sprintf("the document is refused with status %d: %s: %s", r.Status, r.Error.Type, r.Error.Reason))
	if r.Status == http.StatusTooManyRequests || r.Status >= 500 || r.Error.blocked() {
		return e
	}
	return e.Permanently()
}

func same(err error, n int) []error {
	errs := make([]error, n)
	for i := range errs {
		errs[i] = err
	}
	return errs
}
