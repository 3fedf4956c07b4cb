// Package otlplogs sends each alert as a log record to a receiver of OpenTelemetry's protocol.
//
// The record's body is the output, and its attributes are those that Falcosidekick sends. Unlike Falcosidekick's it has the
// alert's time, the severity that belongs to the priority, the uuid, and all fields with their types (reference: sidekick.md
// §2.3; a field whose name is that of another attribute is left out).
package otlplogs

import (
	"context"
	"strings"

	common "go.opentelemetry.io/proto/otlp/common/v1"
	logs "go.opentelemetry.io/proto/otlp/logs/v1"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/otlp"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	OTLP   otlp.Config // what all of OpenTelemetry's destinations have
	Synced bool        // synced: without effect, every answer is waited for
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.OTLP.Settings(), setting.Bool("synced", &c.Synced, false, "without effect: every answer is waited for"))
}

// Sink sends log records.
type Sink struct{ client *otlp.Client }

// New returns a sink. It fails when the endpoint, a header or a certificate cannot be used.
func New(cfg Config) (*Sink, error) {
	client, err := otlp.New(otlp.Signal{Name: "otlp.logs", Word: "LOGS", Path: "/v1/logs", Service: "opentelemetry.proto.collector.logs.v1.LogsService"}, cfg.OTLP)
	if err != nil {
		return nil, err
	}
	return &Sink{client}, nil
}

// Send sends an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error { return s.export(ctx, a) }

// SendBatch sends several alerts with one request. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	return s.client.Together(ctx, alerts, func() error { return s.export(ctx, alerts...) }, s.Send)
}

func (s *Sink) export(ctx context.Context, alerts ...*alert.Alert) error {
	records := &logs.ScopeLogs{Scope: otlp.Scope("falco")}
	for _, a := range alerts {
		records.LogRecords = append(records.LogRecords, record(a))
	}
	// The request has the encoding of LogsData (opentelemetry/proto/collector/logs/v1).
	return s.client.Export(ctx, &logs.LogsData{ResourceLogs: []*logs.ResourceLogs{{
		Resource: s.client.Resource(), SchemaUrl: otlp.Schema, ScopeLogs: []*logs.ScopeLogs{records},
	}}}, len(alerts))
}

// severities are those of the priorities, which are syslog's (opentelemetry.io/docs/specs/otel/logs/data-model-appendix, "Appendix B").
var severities = [...]logs.SeverityNumber{
	alert.Emergency:     logs.SeverityNumber_SEVERITY_NUMBER_FATAL,
	alert.Alarm:         logs.SeverityNumber_SEVERITY_NUMBER_ERROR3,
	alert.Critical:      logs.SeverityNumber_SEVERITY_NUMBER_ERROR2,
	alert.Error:         logs.SeverityNumber_SEVERITY_NUMBER_ERROR,
	alert.Warning:       logs.SeverityNumber_SEVERITY_NUMBER_WARN,
	alert.Notice:        logs.SeverityNumber_SEVERITY_NUMBER_INFO2,
	alert.Informational: logs.SeverityNumber_SEVERITY_NUMBER_INFO,
	alert.Debug:         logs.SeverityNumber_SEVERITY_NUMBER_DEBUG,
}

func record(a *alert.Alert) *logs.LogRecord {
	attributes := []*common.KeyValue{
		otlp.Pair("uuid", otlp.String(a.UUID)),
		otlp.Pair("priority", otlp.String(a.Priority.String())),
		otlp.Pair("source", otlp.String(a.Source)),
		otlp.Pair("rule", otlp.String(a.Rule)),
		otlp.Pair("hostname", otlp.String(a.Hostname)),
		otlp.Pair("tags", otlp.String(strings.Join(a.Tags, ","))),
		otlp.Pair("timestamp", otlp.String(message.Time(a))),
	}
	taken := map[string]bool{}
	for _, p := range attributes {
		taken[p.Key] = true
	}
	for _, f := range a.SortedFields() {
		if p := otlp.Pair(f.Key, otlp.Value(f.Value)); !taken[p.Key] {
			taken[p.Key] = true
			attributes = append(attributes, p)
		}
	}
	at := otlp.Nanoseconds(a.Time.UnixNano())
	return &logs.LogRecord{
		TimeUnixNano: at, ObservedTimeUnixNano: at, SeverityNumber: severities[min(a.Priority, alert.Debug)], SeverityText: a.Priority.String(),
		Body: otlp.String(a.OutputText()), Attributes: attributes,
	}
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.client.Close()
	return nil
}
