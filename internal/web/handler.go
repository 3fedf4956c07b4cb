package web

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// handler answers by path. It is no http.ServeMux, because the path of health is the user's and need not be a pattern.
type handler struct {
	Config

	mu      sync.Mutex // of metrics
	metrics []byte
	made    time.Time
}

func newHandler(c Config) *handler { return &handler{Config: c} }

// metricsAge is how old metrics may be that are served again: the loop's counters are as old anyway.
const metricsAge = time.Second

// ServeHTTP answers GET and HEAD.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	switch path := r.URL.Path; {
	case path == h.HealthPath:
		h.health(w)
	case path == "/versions":
		h.answer(w, http.StatusOK, "application/json", h.Versions)
	case path == "/metrics" && h.Metrics != nil:
		h.answer(w, http.StatusOK, h.MetricsType, h.measured())
	default:
		http.Error(w, "not found", http.StatusNotFound)
	}
}

// health answers with Falco's words when all is well; Falco itself always says so.
func (h *handler) health(w http.ResponseWriter) {
	end := "}"
	if h.Destinations != nil {
		end = `, "destinations": ` + string(h.Destinations()) + "}"
	}
	ok, reason := h.Health()
	if ok {
		h.answer(w, http.StatusOK, "application/json", []byte(`{"status": "ok"`+end))
		return
	}
	quoted, err := json.Marshal(reason)
	if err != nil {
		quoted = []byte(`""`) // A string always has a JSON form.
	}
	h.answer(w, http.StatusServiceUnavailable, "application/json", append(append([]byte(`{"status": "failing", "reason": `), quoted...), end...))
}

// measured returns the metrics of now or of shortly before.
func (h *handler) measured() []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now(); h.made.IsZero() || now.Sub(h.made) >= metricsAge {
		h.metrics, h.made = h.Metrics(), now
	}
	return h.metrics
}

// answer sends a body that must not be kept by caches. Where the client is gone there is nobody to tell.
func (h *handler) answer(w http.ResponseWriter, status int, kind string, body []byte) {
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
