// Package ingest takes alerts over HTTP as Falcosidekick does, for saker forward: a Falco, or anything that posts its JSON,
// is pointed at it without a change (reference: sidekick.md §1.2 and §1.4).
//
// POST / takes one alert. The answer 200 means that the alert is kept durably, not that it was received: whoever gets another answer, or
// none, may send it again, and does not lose it. 400 is for what will never be taken, 413 for what is too large, 503 for what may be taken later.
//
// It differs from Falcosidekick in these points. An alert with empty output_fields is taken. A uuid that the sender gives is kept
// when it is one, so that an alert that is sent again can be recognised at the end; else it gets a new one.
// Alerts are not cut: a destination with a limit cuts what it sends itself. Errors say what is wrong with the alert.
package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
)

// DefaultLimit is the size in bytes of the largest body that is taken.
const DefaultLimit = 1 << 20

// testRule is the rule of test alerts. They pass every minimum priority.
const testRule = "Test rule"

// Config says what happens to alerts.
type Config struct {
	// Publish keeps an alert durably. An error means that the alert is not kept, or that it is not known.
	Publish func(context.Context, *alert.Alert) error
	// PublishTest is Publish for alerts of the rule "Test rule", which every destination gets; nil is Publish.
	PublishTest func(context.Context, *alert.Alert) error
	Transform   *Transform
	Metrics     *Metrics
	Limit       int64                // bytes of a body, at most 16 MiB; 0 is DefaultLimit
	Health      func() []Destination // what /healthz says beside that it works; nil is nothing
	// Debug takes each alert as it is passed on; nil drops it.
	Debug func(*alert.Alert)
}

// Destination is what /healthz says about one.
type Destination struct {
	Name    string `json:"name"`
	Queued  uint64 `json:"queued"`
	Failing bool   `json:"failing"`
	Error   string `json:"error,omitempty"`
	// Of what it is failing with: the alert that is tried before others, and for how many seconds it has waited.
	UUID   string `json:"uuid,omitempty"`
	Waited int    `json:"waited_seconds,omitempty"`
}

// Handler answers the endpoints.
type Handler struct {
	cfg  Config
	mux  *http.ServeMux
	room room
}

// New returns a handler.
func New(cfg Config) *Handler {
	if cfg.Limit <= 0 {
		cfg.Limit = DefaultLimit
	}
	cfg.Limit = min(cfg.Limit, largestBody)
	if cfg.PublishTest == nil {
		cfg.PublishTest = cfg.Publish
	}
	h := &Handler{cfg: cfg, mux: http.NewServeMux()}
	h.mux.HandleFunc("/", h.take)
	h.mux.HandleFunc("/test", h.test)
	h.mux.HandleFunc("/ping", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "pong") })
	h.mux.HandleFunc("/healthz", h.health)
	h.mux.HandleFunc("/metrics", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		cfg.Metrics.write(r.Context(), w)
	})
	return h
}

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// take takes an alert.
func (h *Handler) take(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		h.reject(w, http.StatusBadRequest, errors.New("send alerts with POST"))
		return
	}
	if !h.room.enter() {
		h.later(w, errBusy)
		return
	}
	defer h.room.leave()
	body, held, err := h.room.read(http.MaxBytesReader(w, r.Body, h.cfg.Limit), r.ContentLength)
	defer h.room.bytes.Add(-held)
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, errBusy):
		h.later(w, err)
		return
	case errors.As(err, &large):
		h.reject(w, http.StatusRequestEntityTooLarge, fmt.Errorf("the alert is larger than %d bytes", h.cfg.Limit))
		return
	case err != nil:
		h.reject(w, http.StatusBadRequest, fmt.Errorf("reading the alert: %w", err))
		return
	}
	a, err := alert.Decode(body)
	if err != nil {
		h.reject(w, http.StatusBadRequest, err)
		return
	}
	h.publish(w, r, a)
}

// test makes an alert of its own.
func (h *Handler) test(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		h.reject(w, http.StatusBadRequest, errors.New("ask for a test alert with POST"))
		return
	}
	h.publish(w, r, TestAlert(time.Now()))
}

// TestAlert returns the alert of /test.
func TestAlert(now time.Time) *alert.Alert {
	text := func(s string) alert.Value { return alert.Value{Kind: alert.Text, Text: s} }
	const message = "This is a test from falcosidekick"
	return &alert.Alert{
		Time: now.UTC().Truncate(time.Second), Rule: testRule, Priority: alert.Debug, Source: "internal", Message: message, Output: message,
		Fields: []alert.Field{{Key: "proc.name", Value: text("falcosidekick")}, {Key: "user.name", Value: text("falcosidekick")}},
		Tags:   []string{"example", "test"}, Hostname: "falcosidekick",
	}
}

// publish completes an alert and keeps it.
func (h *Handler) publish(w http.ResponseWriter, r *http.Request, a *alert.Alert) {
	h.cfg.Transform.Complete(a)
	publish := h.cfg.Publish
	if a.Rule == testRule {
		publish = h.cfg.PublishTest
	}
	if h.cfg.Debug != nil {
		h.cfg.Debug(a)
	}
	switch err := publish(r.Context(), a); {
	case route.Permanent(err):
		h.reject(w, http.StatusRequestEntityTooLarge, err)
		return
	case err != nil:
		h.later(w, err)
		return
	}
	h.cfg.Metrics.accept(a)
}

// later asks the sender to send the alert again.
func (h *Handler) later(w http.ResponseWriter, why error) {
	w.Header().Set("Retry-After", "5")
	h.reject(w, http.StatusServiceUnavailable, fmt.Errorf("the alert is not taken, send it again later: %w", why))
}

func (h *Handler) reject(w http.ResponseWriter, code int, why error) {
	h.cfg.Metrics.reject()
	http.Error(w, why.Error(), code)
}

// health says that the process works, and which destinations do not. They do not make it unhealthy: restarting it would not
// help them.
func (h *Handler) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if h.cfg.Health == nil {
		fmt.Fprint(w, `{"status": "ok"}`)
		return
	}
	text, err := json.Marshal(h.cfg.Health())
	if err != nil {
		text = []byte("[]") // strings and numbers can always be marshalled
	}
	fmt.Fprintf(w, `{"status": "ok", "destinations": %s}`, text)
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hex := c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
		if dash && c != '-' || !dash && !hex {
			return false
		}
	}
	return true
}
