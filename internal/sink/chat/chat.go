// Package chat posts alerts to Slack and to what takes Slack's messages, through an incoming webhook, in Falcosidekick's form
// (reference: sidekick-outputs.tsv). Mentions and links in texts of the alert are made harmless; other texts are as they are.
package chat

import (
	"context"
	"fmt"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// DefaultFooter is below the fields unless the configuration says otherwise.
const DefaultFooter = "https://github.com/falcosecurity/falcosidekick"

// Config is what the destinations have in common.
type Config struct {
	WebhookURL    string           // webhookurl: the webhook's address, which is a secret; the destination is off without
	Footer        string           // footer: text below the fields
	Icon          string           // icon: address of the picture
	Username      string           // username: who posts
	OutputFormat  string           // outputformat: all, text, fields
	MessageFormat string           // messageformat: Go template of a text above
	HTTP          httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("webhookurl", &c.WebhookURL, "", "the webhook's address").Secret().Required(),
		setting.Text("footer", &c.Footer, DefaultFooter, "text below the fields"),
		setting.Text("icon", &c.Icon, message.ColourIcon, "address of the picture"),
		setting.Text("username", &c.Username, "Falcosidekick", "who posts"),
		setting.Choice("outputformat", &c.OutputFormat, "what to show; field is fields", "all", "text", "fields", "field"),
		setting.Text("messageformat", &c.MessageFormat, "", "Go template of a text above"),
	)
}

// Style is what differs between the destinations.
type Style struct {
	Name      string              // of the destination, in errors
	Channel   string              // where to post, in place of the webhook's own channel
	Limit     int                 // of characters in the text above
	HostAfter string              // the row that the hostname comes after: rule, source, time
	Clean     func(string) string // makes a text of the alert harmless
	Bare      bool                // the output alone, with output format text, is the message's text and no attachment
}

// Sink posts alerts.
type Sink struct {
	cfg      Config
	style    Style
	template message.Template
	sender   *httpsink.Sender
}

// Open returns a sink. It fails when the address, the template or a certificate cannot be used.
func Open(cfg Config, style Style) (*Sink, error) {
	if cfg.OutputFormat == "field" { // so Falcosidekick's documentation calls it in places
		cfg.OutputFormat = "fields"
	}
	template, err := message.ParseTemplate(cfg.MessageFormat)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", style.Name, err)
	}
	sender, err := httpsink.New(httpsink.Config{Name: style.Name, URL: cfg.WebhookURL, Options: cfg.HTTP})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg, style, template, sender}, nil
}

// post is the message. The order of its parts in JSON is Falcosidekick's.
type post struct {
	Text        string       `json:"text,omitempty"`
	Username    string       `json:"username,omitempty"`
	Icon        string       `json:"icon_url,omitempty"`
	Channel     string       `json:"channel,omitempty"`
	Attachments []attachment `json:"attachments,omitempty"`
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	p := post{Text: s.template.Text(a), Username: s.cfg.Username, Icon: s.cfg.Icon, Channel: s.style.Channel}
	if !s.style.Bare || s.cfg.OutputFormat != "text" {
		p.Attachments = []attachment{s.attachment(a)}
	} else if !s.template.Set() {
		p.Text = s.style.Clean(a.OutputText())
	}
	p.Text = message.Cut(p.Text, s.style.Limit)
	return s.sender.JSON(ctx, p)
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
