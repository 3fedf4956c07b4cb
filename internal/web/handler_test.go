package web

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
)

func TestAnswers(t *testing.T) {
	const js, prom, plain = "application/json", "text/plain; version=0.0.4", "text/plain; charset=utf-8"
	var mu sync.Mutex
	reason := ""
	c := config()
	c.Health = func() (bool, string) { mu.Lock(); defer mu.Unlock(); return reason == "", reason }
	c.Metrics = func() []byte { return []byte("a 1\n") }
	s := start(t, c)
	c = config()
	c.HealthPath = "live/{x}" // a pattern elsewhere; here a path
	bare := start(t, c)
	c = config()
	c.Health, c.Destinations = func() (bool, string) { return false, "lost" }, func() []byte { return []byte(`[{"name":"slack"}]`) }
	failing := start(t, c)
	c.Health = func() (bool, string) { return true, "" }
	delivers := start(t, c)
	for _, x := range []struct {
		server       *Server
		method, path string
		reason       string
		status       int
		kind, body   string
	}{
		{s, "GET", "/healthz", "", 200, js, `{"status": "ok"}`},
		{s, "GET", "/healthz?x=1", "", 200, js, `{"status": "ok"}`},
		{s, "HEAD", "/healthz", "", 200, js, ""},
		{s, "GET", "/healthz", `no "event" for 25s`, 503, js, `{"status": "failing", "reason": "no \"event\" for 25s"}`},
		{s, "GET", "/versions", "", 200, js, `{"falco_version":"0.44.1"}`},
		{s, "GET", "/metrics", "", 200, prom, "a 1\n"},
		{s, "POST", "/healthz", "", 405, plain, "method not allowed\n"},
		{s, "DELETE", "/", "", 405, plain, "method not allowed\n"},
		{s, "GET", "/", "", 404, plain, "not found\n"},
		{s, "GET", "/healthz/", "", 404, plain, "not found\n"},
		{s, "GET", "/debug/pprof/", "", 404, plain, "not found\n"},
		{s, "GET", "/k8s-audit", "", 404, plain, "not found\n"},
		{s, "GET", "//metrics", "", 404, plain, "not found\n"},
		{bare, "GET", "/live/%7Bx%7D", "", 200, js, `{"status": "ok"}`},
		{failing, "GET", "/healthz", "", 503, js, `{"status": "failing", "reason": "lost", "destinations": [{"name":"slack"}]}`},
		{delivers, "GET", "/healthz", "", 200, js, `{"status": "ok", "destinations": [{"name":"slack"}]}`},
		{bare, "GET", "/healthz", "", 404, plain, "not found\n"},
		{bare, "GET", "/metrics", "", 404, plain, "not found\n"},
	} {
		mu.Lock()
		reason = x.reason
		mu.Unlock()
		status, kind, body := get(t, http.DefaultClient, x.method, "http://"+x.server.Address()+x.path)
		if status != x.status || kind != x.kind || body != x.body {
			t.Errorf("%s %s (reason %q): %d %s %q, want %d %s %q", x.method, x.path, x.reason, status, kind, body, x.status, x.kind, x.body)
		}
	}
}

// TestMetricsAreKept computes metrics once for requests that come at the same time.
func TestMetricsAreKept(t *testing.T) {
	made := 0
	h := newHandler(Config{Metrics: func() []byte { made++; return fmt.Appendf(nil, "a %d\n", made) }})
	first, again := string(h.measured()), string(h.measured())
	h.made = h.made.Add(-2 * metricsAge)
	later := string(h.measured())
	if first != "a 1\n" || again != first || later != "a 2\n" {
		t.Errorf("got %q, %q and later %q", first, again, later)
	}
}
