// Package webui posts alerts to Falcosidekick-UI, with the names of destinations to show as in use: those of the configuration, or else its
// own. Falcosidekick sends those that are in use.
package webui

import (
	"context"
	"encoding/json"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	URL     string           // url: address of the user interface; the destination is off without
	Outputs []string         // outputs: names of the destinations to show as in use; ours
	HTTP    httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("url", &c.URL, "", "address of the user interface").Required(),
		setting.Strings("outputs", &c.Outputs, "", "names of the destinations to show as in use"),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	sender, err := httpsink.New(httpsink.Config{Name: "webui", URL: cfg.URL, Options: cfg.HTTP})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	outputs := s.cfg.Outputs
	if outputs == nil {
		outputs = []string{"WebUI"}
	}
	return s.sender.JSON(ctx, payload{a.AppendSidekick(nil), outputs})
}

type payload struct {
	Event   json.RawMessage `json:"event"`
	Outputs []string        `json:"outputs"`
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
