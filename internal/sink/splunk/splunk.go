// Package splunk posts alerts to Splunk's HTTP Event Collector, in Falcosidekick's form.
package splunk

import (
	"context"
	"encoding/json"
	"maps"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Host          string            // host: address of the collector, with its path; the destination is off without
	Token         string            // token: the collector's token
	CustomHeaders map[string]string // customheaders: headers to send
	HTTP          httpsink.Options  // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("host", &c.Host, "", "address of the collector, with its path").Required(),
		setting.Text("token", &c.Token, "", "the collector's token").Secret(),
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
	header := map[string]string{}
	maps.Copy(header, cfg.CustomHeaders)
	if cfg.Token != "" {
		header["Authorization"] = "Splunk " + cfg.Token
	}
	sender, err := httpsink.New(httpsink.Config{Name: "splunk", URL: cfg.Host, Options: cfg.HTTP, Denied: true, Header: header})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	return s.sender.JSON(ctx, payload{a.AppendSidekick(nil), "falcosidekick"})
}

// SendBatch posts several alerts with one request. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	return httpsink.Together(ctx, alerts, func() error {
		var body []byte
		for _, a := range alerts {
			one, err := httpsink.Encode(payload{a.AppendSidekick(nil), "falcosidekick"})
			if err != nil {
				return s.sender.Refuse(err.Error())
			}
			body = append(body, one...)
		}
		_, err := s.sender.Do(ctx, httpsink.Request{Body: body})
		return err
	}, s.Send)
}

type payload struct {
	Event      json.RawMessage `json:"event"`
	SourceType string          `json:"sourcetype"`
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
