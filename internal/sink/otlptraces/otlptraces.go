// Package otlptraces sends each alert as a span to a receiver of OpenTelemetry's protocol.
//
// The span is Falcosidekick's: it is named after the rule, begins at the alert's time, lasts for a fixed duration, and has
// all fields as texts and the output as its event. Its trace is the same for all alerts of a pod, else of a container, else of
// a host: FNV-128a of their name. Its id is made of the alert's uuid, so that a span that comes twice can be recognised.
//
// It differs from Falcosidekick in that alerts of all sources are sent, not only those of system calls, and that one without a
// pod, container or evt.hostname belongs to the trace of its hostname or else of its source: none is left out.
package otlptraces

import (
	"context"
	"hash/fnv"
	"time"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/otlp"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	OTLP     otlp.Config   // what all of OpenTelemetry's destinations have
	Duration time.Duration // duration: of a span
	Synced   bool          // synced: without effect, every answer is waited for
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.OTLP.Settings(),
		setting.Milliseconds("duration", &c.Duration, time.Second, "duration of a span; a number without a unit is in milliseconds"),
		setting.Bool("synced", &c.Synced, false, "without effect: every answer is waited for"),
	)
}

// Sink sends spans.
type Sink struct {
	cfg    Config
	client *otlp.Client
}

// New returns a sink. It fails when the endpoint, a header or a certificate cannot be used.
func New(cfg Config) (*Sink, error) {
	client, err := otlp.New(otlp.Signal{Name: "otlp.traces", Word: "TRACES", Path: "/v1/traces", Service: "opentelemetry.proto.collector.trace.v1.TraceService"}, cfg.OTLP)
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, client: client}, nil
}

// Send sends an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error { return s.export(ctx, a) }

// SendBatch sends several alerts with one request. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	return s.client.Together(ctx, alerts, func() error { return s.export(ctx, alerts...) }, s.Send)
}

func (s *Sink) export(ctx context.Context, alerts ...*alert.Alert) error {
	spans := &trace.ScopeSpans{Scope: otlp.Scope("falco-event")}
	for _, a := range alerts {
		spans.Spans = append(spans.Spans, s.span(a))
	}
	// The request has the encoding of TracesData (opentelemetry/proto/collector/trace/v1).
	return s.client.Export(ctx, &trace.TracesData{ResourceSpans: []*trace.ResourceSpans{{
		Resource: s.client.Resource(), SchemaUrl: otlp.Schema, ScopeSpans: []*trace.ScopeSpans{spans},
	}}}, len(alerts))
}

func (s *Sink) span(a *alert.Alert) *trace.Span {
	attributes := []*common.KeyValue{
		otlp.Pair("uuid", otlp.String(a.UUID)),
		otlp.Pair("source", otlp.String(a.Source)),
		otlp.Pair("priority", otlp.String(a.Priority.String())),
		otlp.Pair("rule", otlp.String(a.Rule)),
		otlp.Pair("hostname", otlp.String(a.Hostname)),
		otlp.Pair("tags", otlp.Strings(a.Tags)),
	}
	seen := map[string]int{} // positions by name: of two with one name the last one counts, as in Falcosidekick
	for i, p := range attributes {
		seen[p.Key] = i
	}
	for _, f := range a.SortedFields() {
		p := otlp.Pair(f.Key, otlp.String(f.Value.String()))
		if i, ok := seen[p.Key]; ok {
			attributes[i] = p
			continue
		}
		seen[p.Key] = len(attributes)
		attributes = append(attributes, p)
	}
	begin := otlp.Nanoseconds(a.Time.UnixNano())
	return &trace.Span{
		TraceId: traceID(a), SpanId: spanID(a), Name: otlp.String(a.Rule).GetStringValue(), Kind: trace.Span_SPAN_KIND_SERVER, Flags: 1, // sampled
		StartTimeUnixNano: begin, EndTimeUnixNano: begin + uint64(s.cfg.Duration), Attributes: attributes,
		Events: []*trace.Span_Event{{TimeUnixNano: begin, Name: otlp.String(a.OutputText()).GetStringValue()}},
	}
}

// traceID returns the trace of an alert.
func traceID(a *alert.Alert) []byte {
	text := func(key string) string { return message.Field(a, key) }
	name := a.Source
	switch container := text("container.id"); {
	case text("k8s.ns.name") != "" && text("k8s.pod.name") != "":
		name = text("k8s.ns.name") + ":" + text("k8s.pod.name")
	case container != "" && container != "host":
		name = container
	case text("evt.hostname") != "":
		name = text("evt.hostname")
	case a.Hostname != "":
		name = a.Hostname
	}
	h := fnv.New128a()
	h.Write([]byte(name))
	return valid(h.Sum(nil))
}

// spanID returns the id of an alert's span.
func spanID(a *alert.Alert) []byte {
	h := fnv.New64a()
	if h.Write([]byte(a.UUID)); a.UUID == "" {
		h.Write(a.AppendSidekick(nil))
	}
	return valid(h.Sum(nil))
}

// valid returns an id that is not all zeroes, which would be none.
func valid(id []byte) []byte {
	for _, b := range id {
		if b != 0 {
			return id
		}
	}
	id[len(id)-1] = 1
	return id
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.client.Close()
	return nil
}
