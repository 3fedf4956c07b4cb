package otlpmetrics_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/protobuf/proto"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/otlpmetrics"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

// backend keeps the last value of each counter as a database does, and notes when one goes down.
type backend struct {
	t      *testing.T
	mu     sync.Mutex
	values map[string]int64 // by metric and texts of attributes; the sum, of differences
	starts map[uint64]bool
	down   []string
	code   int  // status to answer with
	deaf   bool // the value is kept and the answer is no success
}

func serve(t *testing.T) (*backend, string) {
	b := &backend{t: t, values: map[string]int64{}, starts: map[uint64]bool{}, code: http.StatusOK}
	s := httptest.NewServer(b)
	t.Cleanup(s.Close)
	return b, s.URL
}

// ServeHTTP takes a request.
func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	var request collector.ExportMetricsServiceRequest
	if err := proto.Unmarshal(body, &request); err != nil {
		b.t.Error(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.code == http.StatusOK || b.deaf {
		for _, m := range request.ResourceMetrics[0].ScopeMetrics[0].Metrics {
			b.take(m.Name, m.GetSum())
		}
	}
	w.WriteHeader(b.code)
}

func (b *backend) take(name string, sum *metrics.Sum) {
	for _, p := range sum.DataPoints {
		var texts []string
		for _, a := range p.Attributes {
			if text := a.Value.GetStringValue(); text != "" && a.Key != "hostname" && a.Key != "source" || a.Key == "otel.metric.overflow" {
				texts = append(texts, text)
			}
		}
		key := strings.TrimPrefix(name, "falcosecurity_") + " " + strings.Join(texts, " ")
		b.starts[p.StartTimeUnixNano] = true
		if sum.AggregationTemporality == metrics.AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA {
			b.values[key] += p.GetAsInt()
			continue
		}
		if p.GetAsInt() < b.values[key] {
			b.down = append(b.down, fmt.Sprintf("%s from %d to %d", key, b.values[key], p.GetAsInt()))
		}
		b.values[key] = p.GetAsInt()
	}
}

func (b *backend) answer(code int, deaf bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.code, b.deaf = code, deaf
}

// want compares the counters.
func (b *backend) want(what string, want map[string]int64) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !maps.Equal(b.values, want) || len(b.down) > 0 {
		b.t.Errorf("%s: %v, want %v; went down: %q", what, b.values, want, b.down)
	}
}

func sink(t *testing.T, url, variables string) *otlpmetrics.Sink {
	t.Helper()
	s, err := setting.Open("otlp.metrics", setting.Values{"otlp.metrics.endpoint": url, "otlp.metrics.extraenvvars": variables}, otlpmetrics.New)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func match(rule string, i int) *alert.Alert {
	a := sinktest.Alert("x")
	a.Rule, a.UUID = rule, fmt.Sprint(rule, i)
	return a
}

// The counters of the rules a and b.
const (
	ruleA = "falco_rules_matches_total Notice a"
	ruleB = "falco_rules_matches_total Notice b"
)

// TestCounts counts each alert once, whatever becomes of the attempts, and never goes down.
func TestCounts(t *testing.T) {
	for _, temporality := range []string{"cumulative", "delta"} {
		b, url := serve(t)
		s := sink(t, url, "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE:"+temporality)
		send := func(x *alert.Alert) error { return s.Send(t.Context(), x, nil) }
		for i := range 3 {
			if err := send(match("a", i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := send(match("b", 0)); err != nil {
			t.Fatal(err)
		}
		b.want(temporality, map[string]int64{ruleA: 3, ruleB: 1})
		b.answer(http.StatusServiceUnavailable, false)
		for range 3 {
			if err := send(match("a", 3)); err == nil || route.Permanent(err) {
				t.Fatal(err)
			}
		}
		b.want(temporality+", away", map[string]int64{ruleA: 3, ruleB: 1})
		b.answer(http.StatusOK, false)
		if err := send(match("a", 3)); err != nil {
			t.Fatal(err)
		}
		b.want(temporality+", back", map[string]int64{ruleA: 4, ruleB: 1})
		b.answer(http.StatusBadRequest, false)
		if err := send(match("a", 4)); !route.Permanent(err) {
			t.Fatal(err)
		}
		b.answer(http.StatusOK, false)
		if errs := s.SendBatch(t.Context(), []*alert.Alert{match("a", 5), match("b", 1), match("a", 6)}); errs != nil {
			t.Fatal(errs)
		}
		b.want(temporality+", after a refusal", map[string]int64{ruleA: 6, ruleB: 2})
		if temporality == "cumulative" { // the answer is lost: the value is repeated, and not counted again
			b.answer(http.StatusServiceUnavailable, true)
			if err := send(match("a", 7)); err == nil {
				t.Fatal("no error")
			}
			b.answer(http.StatusOK, false)
			if err := send(match("a", 7)); err != nil {
				t.Fatal(err)
			}
			b.want("the answer is lost", map[string]int64{ruleA: 7, ruleB: 2})
			if len(b.starts) != 1 {
				t.Errorf("%d start times", len(b.starts))
			}
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestWatch sends the program's counters, and all others again, from time to time and at the end.
func TestWatch(t *testing.T) {
	b, url := serve(t)
	s := sink(t, url, "OTEL_METRIC_EXPORT_INTERVAL:5")
	var mu sync.Mutex
	n := uint64(1)
	s.Watch(func() (map[[2]string]uint64, map[[2]string]uint64) {
		mu.Lock()
		defer mu.Unlock()
		return map[[2]string]uint64{{"requests", "accepted"}: n}, map[[2]string]uint64{{"slack", "ok"}: 10 * n, {"slack", "error"}: 0}
	})
	if err := s.Send(t.Context(), match("a", 0), nil); err != nil {
		t.Fatal(err)
	}
	seen := func(want int64) func() error {
		return func() error {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.values["falcosidekick_inputs accepted"] != want {
				return fmt.Errorf("%v", b.values)
			}
			return nil
		}
	}
	servertest.Await(t, "the first values", seen(1))
	mu.Lock()
	n = 2
	mu.Unlock()
	servertest.Await(t, "the next values", seen(2))
	b.mu.Lock()
	clear(b.values) // a receiver that forgets
	b.mu.Unlock()
	servertest.Await(t, "all values again", func() error {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.values[ruleA] != 1 {
			return fmt.Errorf("%v", b.values)
		}
		return nil
	})
	mu.Lock()
	n = 3
	mu.Unlock()
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	b.want("at the end", map[string]int64{ruleA: 1, "falcosidekick_inputs accepted": 3, "falcosidekick_outputs slack ok": 30, "falcosidekick_outputs slack error": 0})
}

// TestOverflow counts together what has too many combinations.
func TestOverflow(t *testing.T) {
	b, url := serve(t)
	s := sink(t, url, "")
	var alerts []*alert.Alert
	for i := range 2100 {
		alerts = append(alerts, match(fmt.Sprint("rule ", i), i))
	}
	for part := range slices.Chunk(alerts, 300) {
		if errs := s.SendBatch(t.Context(), part); errs != nil {
			t.Fatal(errs)
		}
	}
	if n := b.values["falco_rules_matches_total "]; n != 100 || len(b.values) != 2001 {
		t.Errorf("%d are counted together, %d counters", n, len(b.values))
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestConfig(t *testing.T) {
	_, err := setting.Open("otlp.metrics", setting.Values{"otlp.metrics.endpoint": "http://h", "otlp.metrics.extraenvvars": "OTEL_METRIC_EXPORT_INTERVAL:soon"}, otlpmetrics.New)
	if err == nil || !strings.Contains(err.Error(), "OTEL_METRIC_EXPORT_INTERVAL") {
		t.Error(err)
	}
}
