// Package grafanaoncall posts alerts to Grafana OnCall, in Falcosidekick's form. OnCall knows an alert that comes again by its
// uuid.
package grafanaoncall

import (
	"context"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	WebhookURL    string            // webhookurl: the webhook's address, which is a secret; the destination is off without
	CustomHeaders map[string]string // customheaders: headers to send
	HTTP          httpsink.Options  // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("webhookurl", &c.WebhookURL, "", "the webhook's address").Secret().Required(),
		setting.Map("customheaders", &c.CustomHeaders, "headers to send, as name:value").Secret(),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	sender, err := httpsink.New(httpsink.Config{Name: "grafanaoncall", URL: cfg.WebhookURL, Options: cfg.HTTP, Header: cfg.CustomHeaders})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	body, err := httpsink.Encode(payload{a.UUID, "alerting", "[" + a.Priority.String() + "] " + a.Rule, a.OutputText()})
	if err != nil {
		return s.sender.Refuse(err.Error())
	}
	_, err = s.sender.Do(ctx, httpsink.Request{Body: body, ContentType: "application/json"})
	return err
}

type payload struct {
	UID     string `json:"alert_uid"`
	State   string `json:"state"`
	Title   string `json:"title"`
	Message string `json:"message"`
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
