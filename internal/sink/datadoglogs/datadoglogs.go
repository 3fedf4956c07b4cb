// Package datadoglogs posts alerts to Datadog as logs, in Falcosidekick's form.
package datadoglogs

import (
	"context"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	APIKey  string           // apikey: key of the API; the destination is off without
	Host    string           // host: address of the intake
	Service string           // service: service that the logs are of
	HTTP    httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("apikey", &c.APIKey, "", "key of the API").Secret().Required(),
		setting.Text("host", &c.Host, "https://http-intake.logs.datadoghq.com/", "address of the intake"),
		setting.Text("service", &c.Service, "", "service that the logs are of"),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	sender, err := httpsink.New(httpsink.Config{Name: "datadoglogs", URL: httpsink.Join(cfg.Host, "api/v2/logs"), Options: cfg.HTTP, Denied: true, Header: map[string]string{"DD-API-KEY": cfg.APIKey}})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	return s.sender.JSON(ctx, s.payload(a))
}

// SendBatch posts several alerts with one request. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	return httpsink.Together(ctx, alerts, func() error {
		list := make([]payload, len(alerts))
		for i, a := range alerts {
			list[i] = s.payload(a)
		}
		return s.sender.JSON(ctx, list)
	}, s.Send)
}

func (s *Sink) payload(a *alert.Alert) payload {
	return payload{"falco", a.Hostname, s.cfg.Service, string(a.AppendSidekick(nil)), strings.Join(a.Tags, ",")}
}

type payload struct {
	Source   string `json:"ddsource,omitempty"`
	Hostname string `json:"hostname,omitempty"`
	Service  string `json:"service,omitempty"`
	Message  string `json:"message,omitempty"`
	Tags     string `json:"ddtags,omitempty"`
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
