// Package webex posts alerts to Webex, through an incoming webhook, as Falcosidekick words them. A message has at most 7439
// bytes (developer.webex.com, "Create a Message"); texts are cut and fields left out until it has. Mentions and links in texts
// of the alert are made harmless.
package webex

import (
	"context"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// limit is how many bytes a message has.
const limit = 7439

// Config is the destination's configuration.
type Config struct {
	WebhookURL string           // webhookurl: the webhook's address, which is a secret; the destination is off without
	HTTP       httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("webhookurl", &c.WebhookURL, "", "the webhook's address").Secret().Required(),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	sender, err := httpsink.New(httpsink.Config{Name: "webex", URL: cfg.WebhookURL, Options: cfg.HTTP})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	return s.sender.JSON(ctx, payload{markdown(a)})
}

type payload struct {
	Markdown string `json:"markdown"`
}

// markdown returns the message.
func markdown(a *alert.Alert) string {
	fields := a.SortedFields()
	for n, shown := limit, len(fields); ; n /= 2 {
		text := words(a, fields[:shown], n)
		if len(text) <= limit || n == 0 {
			return message.CutBytes(text, limit)
		}
		if n < 128 {
			n, shown = 256, shown/2
		}
		if shown == 0 {
			n = 0
		}
	}
}

// words returns the message with the fields, and texts of at most n characters. Blanks are where Falcosidekick has them.
func words(a *alert.Alert, fields []alert.Field, n int) string {
	clean := func(s string) string { return message.NoSlack(message.NoLinks(message.Cut(s, n))) }
	var b strings.Builder
	b.WriteString("# Falco Rule '" + clean(a.Rule) + "'\n\n### " + clean(a.OutputText()) + "\n\nAdditional informations:\n  * Hostname: " + clean(a.Hostname) +
		"\n  * Source:   " + clean(a.Source) + "  \n  * Priority: " + a.Priority.String() + "\n  * Tags:\n    ")
	for _, t := range a.Tags {
		b.WriteString("\n    * " + clean(t) + "\n    ")
	}
	b.WriteString("\n  * Fields:\n\t")
	for _, f := range fields {
		b.WriteString("\n\t* " + clean(f.Key) + ": " + clean(message.Shown(f.Value)) + "\n\t")
	}
	b.WriteString("\n")
	return b.String()
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
