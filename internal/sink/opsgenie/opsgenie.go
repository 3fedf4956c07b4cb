// Package opsgenie posts alerts to Opsgenie, in Falcosidekick's form.
//
// A message has at most 130 characters, which Falcosidekick does not keep (reference: sidekick.md §2.3): a longer one is cut
// and stands in full in the description, which has at most 15000. All details together have at most 8000 characters; longer
// ones are cut. The uuid is the alias, by which Opsgenie knows an alert that comes again
// (docs.opsgenie.com, "Create Alert").
package opsgenie

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Limits, in characters.
const (
	messageLimit     = 130
	descriptionLimit = 15000
	detailsLimit     = 8000
)

// Config is the destination's configuration.
type Config struct {
	APIKey string           // apikey: key of the API; the destination is off without
	Region string           // region: us, eu
	Host   string           // host: address of the API, in place of the region's; ours
	HTTP   httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("apikey", &c.APIKey, "", "key of the API").Secret().Required(),
		setting.Choice("region", &c.Region, "region of the account", "us", "eu"),
		setting.Text("host", &c.Host, "", "address of the API, in place of the region's"),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	sender, err := httpsink.New(httpsink.Config{Name: "opsgenie", URL: httpsink.Join(host(cfg), "v2/alerts"), Options: cfg.HTTP, Header: map[string]string{"Authorization": "GenieKey " + cfg.APIKey}})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	output := a.OutputText()
	p := payload{Message: message.Cut(output, messageLimit), Alias: a.UUID, Entity: "Falcosidekick", Description: a.Rule, Details: details(a), Priority: priority(a.Priority)}
	if p.Message != output {
		p.Description = message.Cut(a.Rule+"\n\n"+output, descriptionLimit)
	}
	return s.sender.JSON(ctx, p)
}

func host(cfg Config) string {
	switch {
	case cfg.Host != "":
		return cfg.Host
	case cfg.Region == "eu":
		return "https://api.eu.opsgenie.com"
	}
	return "https://api.opsgenie.com"
}

type payload struct {
	Message     string            `json:"message"`
	Alias       string            `json:"alias,omitempty"`
	Entity      string            `json:"entity,omitempty"`
	Description string            `json:"description,omitempty"`
	Details     map[string]string `json:"details,omitempty"`
	Priority    string            `json:"priority,omitempty"`
}

// details returns the fields; when they are too long, each is cut, and the last ones go.
func details(a *alert.Alert) map[string]string {
	out, room := map[string]string{}, detailsLimit
	add := func(key, value string, most int) {
		value = message.Cut(value, most)
		if n := utf8.RuneCountInString(key) + utf8.RuneCountInString(value); n <= room {
			room -= n
			out[key] = value
		}
	}
	add("source", a.Source, 500)
	add("rule", a.Rule, 1000)
	add("priority", a.Priority.String(), 500)
	if a.Hostname != "" {
		add("hostname", a.Hostname, 500)
	}
	if len(a.Tags) > 0 {
		add("tags", strings.Join(a.Tags, ", "), 1000)
	}
	texts, size := message.Texts(a), 0
	for _, p := range texts {
		size += utf8.RuneCountInString(p.Key) + utf8.RuneCountInString(p.Value)
	}
	most := detailsLimit
	if size > room {
		most = 200
	}
	for _, p := range texts {
		if key := strings.ReplaceAll(p.Key, ".", "_"); out[key] == "" {
			add(key, p.Value, most)
		}
	}
	return out
}

func priority(p alert.Priority) string {
	return [...]string{"P1", "P1", "P2", "P3", "P4", "P5", "P5", "P5"}[min(p, alert.Debug)]
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
