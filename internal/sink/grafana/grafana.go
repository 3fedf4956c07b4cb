// Package grafana posts alerts to Grafana as annotations, in Falcosidekick's form.
package grafana

import (
	"context"
	"maps"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	HostPort      string            // hostport: address of the server; the destination is off without
	APIKey        string            // apikey: key of the API; the destination is off without
	DashboardID   int               // dashboardid: dashboard to annotate; 0 is all
	PanelID       int               // panelid: panel to annotate; 0 is all
	AllFields     bool              // allfieldsastags: all fields and tags are tags of the annotation
	CustomHeaders map[string]string // customheaders: headers to send
	HTTP          httpsink.Options  // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("hostport", &c.HostPort, "", "address of the server").Required(),
		setting.Text("apikey", &c.APIKey, "", "key of the API").Secret().Required(),
		setting.Int("dashboardid", &c.DashboardID, 0, 0, "dashboard to annotate; 0 is all"),
		setting.Int("panelid", &c.PanelID, 0, 0, "panel to annotate; 0 is all"),
		setting.Bool("allfieldsastags", &c.AllFields, false, "all fields and tags are tags of the annotation"),
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
	header := map[string]string{"Authorization": "Bearer " + cfg.APIKey}
	maps.Copy(header, cfg.CustomHeaders)
	sender, err := httpsink.New(httpsink.Config{Name: "grafana", URL: httpsink.Join(cfg.HostPort, "api/annotations"), Options: cfg.HTTP, Header: header})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	tags := []string{"falco", a.Priority.String(), a.Rule, a.Source}
	if a.Hostname != "" {
		tags = append(tags, a.Hostname)
	}
	if s.cfg.AllFields {
		for _, f := range a.SortedFields() {
			tags = append(tags, f.Value.String())
		}
		tags = append(tags, a.Tags...)
	}
	body, err := httpsink.Encode(payload{s.cfg.DashboardID, s.cfg.PanelID, a.Time.UnixMilli(), a.Time.UnixMilli(), tags, a.OutputText()})
	if err != nil {
		return s.sender.Refuse(err.Error())
	}
	_, err = s.sender.Do(ctx, httpsink.Request{Body: body, ContentType: "application/json"})
	return err
}

type payload struct {
	DashboardID int      `json:"dashboardId,omitempty"`
	PanelID     int      `json:"panelId,omitempty"`
	Time        int64    `json:"time"` // milliseconds
	TimeEnd     int64    `json:"timeEnd"`
	Tags        []string `json:"tags"`
	Text        string   `json:"text"`
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
