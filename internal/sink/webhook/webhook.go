// Package webhook posts alerts to an address of the user, as Falcosidekick's JSON. Its uuid tells the receiver of one that
// comes again.
package webhook

import (
	"context"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Address       string            // address: where to post; the destination is off without
	Method        string            // method: post, put
	CustomHeaders map[string]string // customheaders: headers to send
	HTTP          httpsink.Options  // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("address", &c.Address, "", "where to post").Secret().Required(),
		setting.Choice("method", &c.Method, "HTTP's method", "post", "put"),
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
	sender, err := httpsink.New(httpsink.Config{Name: "webhook", URL: cfg.Address, Options: cfg.HTTP, Header: cfg.CustomHeaders})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	_, err := s.sender.Do(ctx, httpsink.Request{Body: httpsink.Event(a), Method: strings.ToUpper(s.cfg.Method)})
	return err
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
