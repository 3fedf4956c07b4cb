// Package pagerduty posts alerts to PagerDuty (Events API v2), in Falcosidekick's form.
//
// Unlike Falcosidekick's, the severity follows the priority, region eu has an effect, and the uuid is the key by which
// PagerDuty knows an alert that comes again (reference: sidekick.md §2.3). A summary has at most 1024 characters, an event
// 512 KiB; fields are cut until it has.
package pagerduty

import (
	"context"
	"encoding/json"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Limits of an event in bytes, and of a summary in characters.
const (
	limit        = 512 << 10
	summaryLimit = 1024
)

// Config is the destination's configuration.
type Config struct {
	RoutingKey string           // routingkey: key of the service; the destination is off without
	Region     string           // region: us, eu
	Host       string           // host: address of the API, in place of the region's; ours
	HTTP       httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("routingkey", &c.RoutingKey, "", "key of the service").Secret().Required(),
		setting.Choice("region", &c.Region, "region of the account", "us", "eu"),
		setting.Text("host", &c.Host, "", "address of the API, in place of the region's"),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	sender, err := httpsink.New(httpsink.Config{Name: "pagerduty", URL: httpsink.Join(host(cfg), "v2/enqueue"), Options: cfg.HTTP, Secrets: []string{cfg.RoutingKey}})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	body, err := message.Shrink(limit, func(n int) ([]byte, error) { return httpsink.Encode(s.event(a, n)) })
	if err != nil {
		return s.sender.Refuse(err.Error())
	}
	_, err = s.sender.Do(ctx, httpsink.Request{Body: body, ContentType: "application/json"})
	return err
}

func host(cfg Config) string {
	switch {
	case cfg.Host != "":
		return cfg.Host
	case cfg.Region == "eu":
		return "https://events.eu.pagerduty.com"
	}
	return "https://events.pagerduty.com"
}

type event struct {
	RoutingKey string  `json:"routing_key"`
	Action     string  `json:"event_action"`
	DedupKey   string  `json:"dedup_key,omitempty"`
	Payload    payload `json:"payload"`
}

type payload struct {
	Summary  string          `json:"summary"`
	Source   string          `json:"source"`
	Severity string          `json:"severity"`
	Time     string          `json:"timestamp,omitempty"`
	Details  json.RawMessage `json:"custom_details,omitempty"`
}

// event returns what to send, with fields of at most n characters.
func (s *Sink) event(a *alert.Alert, n int) event {
	details := alert.Alert{Fields: make([]alert.Field, 0, len(a.Fields)+1)}
	for _, f := range a.Fields {
		if f.Value.Kind == alert.Text {
			f.Value.Text = message.Cut(f.Value.Text, n)
		}
		details.Fields = append(details.Fields, f)
	}
	if a.Hostname != "" {
		details.Fields = append(details.Fields, alert.Field{Key: "hostname", Value: alert.Value{Kind: alert.Text, Text: a.Hostname}})
	}
	return event{s.cfg.RoutingKey, "trigger", a.UUID, payload{
		Summary: message.Cut(a.OutputText(), summaryLimit), Source: "falco", Severity: severity(a.Priority), Time: a.Time.UTC().Format(time.RFC3339),
		Details: details.AppendSidekickFields(nil),
	}}
}

func severity(p alert.Priority) string {
	switch {
	case p <= alert.Critical:
		return "critical"
	case p == alert.Error:
		return "error"
	case p == alert.Warning:
		return "warning"
	}
	return "info"
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
