// Package sumologic posts alerts to an HTTP source of Sumo Logic, as Falcosidekick's JSON.
package sumologic

import (
	"context"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	ReceiverURL    string           // receiverurl: the source's address, which is a secret; the destination is off without
	SourceCategory string           // sourcecategory: category, in place of the source's own
	SourceHost     string           // sourcehost: host, in place of the source's own
	Name           string           // name: name, in place of the source's own
	HTTP           httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("receiverurl", &c.ReceiverURL, "", "the source's address").Secret().Required(),
		setting.Text("sourcecategory", &c.SourceCategory, "", "category, in place of the source's own"),
		setting.Text("sourcehost", &c.SourceHost, "", "host, in place of the source's own"),
		setting.Text("name", &c.Name, "", "name, in place of the source's own"),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	sender, err := httpsink.New(httpsink.Config{Name: "sumologic", URL: cfg.ReceiverURL, Options: cfg.HTTP})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	header := map[string]string{}
	for name, value := range map[string]string{"X-Sumo-Category": s.cfg.SourceCategory, "X-Sumo-Host": s.cfg.SourceHost, "X-Sumo-Name": s.cfg.Name} {
		if value != "" {
			header[name] = value
		}
	}
	_, err := s.sender.Do(ctx, httpsink.Request{Body: httpsink.Event(a), Header: header})
	return err
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
