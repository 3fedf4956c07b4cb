// Package openobserve posts alerts to OpenObserve, as Falcosidekick's JSON. OpenObserve says within an answer of status 200
// that it has refused a record; that is an error.
package openobserve

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	HostPort      string            // hostport: address of the server; the destination is off without
	Organization  string            // organizationname: organization
	Stream        string            // streamname: stream
	Username      string            // username: user, of basic authentication
	Password      string            // password: password, of basic authentication
	CustomHeaders map[string]string // customheaders: headers to send
	HTTP          httpsink.Options  // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("hostport", &c.HostPort, "", "address of the server").Required(),
		setting.Text("organizationname", &c.Organization, "default", "organization"),
		setting.Text("streamname", &c.Stream, "falco", "stream"),
		setting.Text("username", &c.Username, "", "user, of basic authentication"),
		setting.Text("password", &c.Password, "", "password, of basic authentication").Secret(),
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
	sender, err := httpsink.New(httpsink.Config{Name: "openobserve", URL: httpsink.Join(cfg.HostPort, "api/"+url.PathEscape(cfg.Organization)+"/"+url.PathEscape(cfg.Stream)+"/_multi"), Options: cfg.HTTP, User: cfg.Username, Password: cfg.Password, Header: cfg.CustomHeaders})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	answer, err := s.sender.Do(ctx, httpsink.Request{Body: httpsink.Event(a)})
	if err != nil {
		return err
	}
	var said struct {
		Status []struct {
			Failed int    `json:"failed"`
			Error  string `json:"error"`
		} `json:"status"`
	}
	if json.Unmarshal(answer, &said) != nil {
		return nil // it need not say anything
	}
	for _, one := range said.Status {
		if one.Failed > 0 {
			return s.sender.Fail("the record is refused: " + one.Error).Permanently()
		}
	}
	return nil
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
