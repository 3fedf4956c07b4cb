package otlptraces_test

import (
	"encoding/hex"
	"hash/fnv"
	"net/http"
	"strconv"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/otlptraces"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func open(v setting.Values) (route.Sink, error) {
	return setting.Open("otlp.traces", v, otlptraces.New)
}

func Test(t *testing.T) {
	sinktest.OTLP{
		Prefix: "otlp.traces", Open: open, Method: collector.TraceService_Export_FullMethodName,
		Request: func() proto.Message { return &collector.ExportTraceServiceRequest{} },
		Variants: map[string]setting.Values{
			"variables": {"otlp.traces.extraenvvars": "OTEL_EXPORTER_OTLP_COMPRESSION:gzip,OTEL_RESOURCE_ATTRIBUTES:cluster=one%2Cpart=a,OTEL_SERVICE_NAME:saker,OTEL_EXPORTER_OTLP_HEADERS:x-two=2"},
		},
	}.Run(t)
}

// TestTrace gives alerts of one pod, container or host the same trace (FNV-128a), and each alert a span of its own.
func TestTrace(t *testing.T) {
	var got []string
	url := sinktest.Serve(t, func(_ *http.Request, body []byte) string {
		var r collector.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &r); err != nil {
			t.Error(err)
		}
		span := r.ResourceSpans[0].ScopeSpans[0].Spans[0]
		got = append(got, hex.EncodeToString(span.TraceId), hex.EncodeToString(span.SpanId))
		if len(span.ParentSpanId) > 0 || span.EndTimeUnixNano-span.StartTimeUnixNano != 250_000_000 {
			t.Errorf("%v", span)
		}
		return ""
	})
	s, err := open(setting.Values{"otlp.traces.endpoint": url, "otlp.traces.duration": "250"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.(route.Closer).Close(t.Context())
	send := func(hostname, uuid string, pairs ...string) (trace, span string) {
		a := sinktest.Alert("x")
		a.Hostname, a.UUID, a.Source = hostname, uuid, "k8s_audit"
		for i := 0; i < len(pairs); i += 2 {
			a.Fields = append(a.Fields, alert.Field{Key: pairs[i], Value: alert.Value{Kind: alert.Text, Text: pairs[i+1]}})
		}
		got = nil
		if err := s.Send(t.Context(), a, nil); err != nil {
			t.Fatal(err)
		}
		return got[0], got[1]
	}
	sum := func(name string) string {
		h := fnv.New128a()
		h.Write([]byte(name))
		return hex.EncodeToString(h.Sum(nil))
	}
	spans := map[string]bool{}
	for i, c := range []struct {
		want  string
		pairs []string
	}{
		{"ns:pod", []string{"k8s.ns.name", "ns", "k8s.pod.name", "pod", "container.id", "c", "evt.hostname", "h"}},
		{"c", []string{"k8s.ns.name", "ns", "container.id", "c", "evt.hostname", "h"}},
		{"h", []string{"container.id", "host", "evt.hostname", "h"}},
		{"node", nil},
	} {
		trace, span := send("node", strconv.Itoa(i), c.pairs...)
		if trace != sum(c.want) {
			t.Errorf("%v: trace %s, want that of %s", c.pairs, trace, c.want)
		}
		if _, again := send("node", strconv.Itoa(i), c.pairs...); again != span {
			t.Error("an alert that is sent again has another span")
		}
		spans[span] = true
	}
	if trace, _ := send("", ""); trace != sum("k8s_audit") || len(spans) != 4 {
		t.Errorf("trace %s, %d spans", trace, len(spans))
	}
}
