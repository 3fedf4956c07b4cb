// Package datadog posts alerts to Datadog as events, in Falcosidekick's form, but with the key in a header, not in the URL. A
// title has at most 500 characters and a text 4000 (docs.datadoghq.com/api, "Post an event").
package datadog

import (
	"context"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Limits of an event, in characters.
const (
	titleLimit = 500
	textLimit  = 4000
)

// Config is the destination's configuration.
type Config struct {
	APIKey string           // apikey: key of the API; the destination is off without
	Host   string           // host: address of the API
	HTTP   httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("apikey", &c.APIKey, "", "key of the API").Secret().Required(),
		setting.Text("host", &c.Host, "https://api.datadoghq.com", "address of the API"),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	sender, err := httpsink.New(httpsink.Config{Name: "datadog", URL: httpsink.Join(cfg.Host, "api/v1/events"), Options: cfg.HTTP, Denied: true, Header: map[string]string{"DD-API-KEY": cfg.APIKey}})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	var tags []string
	for _, p := range message.Texts(a) {
		tags = append(tags, p.Key+":"+p.Value)
	}
	tags = append(tags, "source:"+a.Source, "source:falco")
	if a.Hostname != "" {
		tags = append(tags, "hostname:"+a.Hostname)
	}
	return s.sender.JSON(ctx, payload{message.Cut(a.Rule, titleLimit), message.Cut(a.OutputText(), textLimit), kind(a.Priority), "falco", append(tags, a.Tags...)})
}

type payload struct {
	Title  string   `json:"title,omitempty"`
	Text   string   `json:"text,omitempty"`
	Kind   string   `json:"alert_type,omitempty"`
	Source string   `json:"source_type_name,omitempty"`
	Tags   []string `json:"tags,omitempty"`
}

func kind(p alert.Priority) string {
	switch {
	case p <= alert.Error:
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
