// Package gcpcloudrun calls a service on Google Cloud Run with each alert, as Falcosidekick's JSON.
//
// The service is shown the token of the key jwt, or else an identity token of our own credentials, which is made anew before
// it ends. Falcosidekick knows only the former, which is good for an hour. The latter is made for the address of the service,
// or for the audience that is configured.
package gcpcloudrun

import (
	"context"
	"net/url"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/google"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Endpoint string // endpoint: address of the service; the destination is off without
	JWT      string // jwt: token to show; without it, one is made
	Audience string // audience: of the token that is made; "" is the beginning of the endpoint; ours
	Google   google.Config
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.Google.Settings(),
		setting.Text("endpoint", &c.Endpoint, "", "address of the service").Required(),
		setting.Text("jwt", &c.JWT, "", "token to show; without it, one is made of the credentials of gcp").Secret(),
		setting.Text("audience", &c.Audience, "", "audience of the token that is made, in place of the service's address"),
	)
}

// Sink posts alerts.
type Sink struct{ sender *httpsink.Sender }

// New returns a sink. It fails when the address or the credentials cannot be used.
func New(cfg Config) (*Sink, error) {
	c := httpsink.Config{Name: "gcpcloudrun", URL: cfg.Endpoint, Options: cfg.Google.HTTP, Denied: true, Absent: true}
	var sender *httpsink.Sender
	var err error
	if cfg.JWT != "" {
		c.Header = map[string]string{"Authorization": "Bearer " + cfg.JWT}
		sender, err = httpsink.New(c)
	} else {
		sender, err = cfg.Google.Caller(c, audience(cfg))
	}
	if err != nil {
		return nil, err
	}
	return &Sink{sender}, nil
}

// audience returns whom an identity token is for: Cloud Run wants the service's address without a path.
func audience(cfg Config) string {
	if cfg.Audience != "" {
		return cfg.Audience
	}
	u, err := url.Parse(cfg.Endpoint)
	if err != nil {
		return "" // the sender does not take such an address
	}
	return u.Scheme + "://" + u.Host
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	_, err := s.sender.Do(ctx, httpsink.Request{Body: httpsink.Event(a)})
	return err
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
