// Package cliq posts alerts to Zoho Cliq, through an incoming webhook, in Falcosidekick's form.
package cliq

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	WebhookURL    string           // webhookurl: the webhook's address, which is a secret; the destination is off without
	Icon          string           // icon: address of the picture
	OutputFormat  string           // outputformat: all, text, fields
	MessageFormat string           // messageformat: Go template of a text above
	Emoji         bool             // useemoji: begin with a sign for the priority
	HTTP          httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("webhookurl", &c.WebhookURL, "", "the webhook's address").Secret().Required(),
		setting.Text("icon", &c.Icon, message.ColourIcon, "address of the picture"),
		setting.Choice("outputformat", &c.OutputFormat, "what to show", "all", "text", "fields"),
		setting.Text("messageformat", &c.MessageFormat, "", "Go template of a text above"),
		setting.Bool("useemoji", &c.Emoji, false, "begin with a sign for the priority"),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg      Config
	sender   *httpsink.Sender
	template message.Template
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	template, err := message.ParseTemplate(cfg.MessageFormat)
	if err != nil {
		return nil, fmt.Errorf("cliq: %w", err)
	}
	sender, err := httpsink.New(httpsink.Config{Name: "cliq", URL: cfg.WebhookURL, Options: cfg.HTTP})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender, template: template}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	p := payload{Text: clean(a.OutputText()), Bot: bot{"Falcosidekick", s.cfg.Icon}}
	if p.Bot.Image == "" {
		p.Bot.Image = message.DefaultIcon
	}
	if s.template.Set() {
		p.Text = s.template.Text(a)
		if s.cfg.OutputFormat != "fields" {
			p.Slides = append(p.Slides, slide{Type: "text", Text: clean(a.OutputText())})
		}
	}
	if s.cfg.OutputFormat != "text" {
		p.Slides = append(p.Slides, slide{Type: "table", Table: newTable(a)})
	}
	if s.cfg.Emoji {
		p.Text = emoji(a.Priority) + " " + p.Text
	}
	body, err := httpsink.Encode(p)
	if err != nil {
		return s.sender.Refuse(err.Error())
	}
	_, err = s.sender.Do(ctx, httpsink.Request{Body: body, ContentType: "application/json"})
	return err
}

type payload struct {
	Text   string  `json:"text"`
	Bot    bot     `json:"bot"`
	Slides []slide `json:"slides,omitempty"`
}

type bot struct {
	Name  string `json:"name"`
	Image string `json:"image,omitempty"`
}

// slide has a text or a table.
type slide struct {
	Type  string
	Text  string
	Table *table
}

// MarshalJSON writes the text or the table as the slide's data.
func (s slide) MarshalJSON() ([]byte, error) {
	if s.Table == nil {
		return json.Marshal(struct {
			Type string `json:"type"`
			Data string `json:"data"`
		}{s.Type, s.Text})
	}
	return json.Marshal(struct {
		Type string `json:"type"`
		Data *table `json:"data"`
	}{s.Type, s.Table})
}

type table struct {
	Headers []string `json:"headers"`
	Rows    []row    `json:"rows"`
}

type row struct {
	Field string `json:"field"`
	Value string `json:"value"`
}

func newTable(a *alert.Alert) *table {
	t := &table{Headers: []string{"field", "value"}, Rows: []row{{"rule", clean(a.Rule)}, {"priority", a.Priority.String()}}}
	if a.Hostname != "" {
		t.Rows = append(t.Rows, row{"hostname", clean(a.Hostname)})
	}
	for _, p := range message.Texts(a) {
		t.Rows = append(t.Rows, row{clean(p.Key), clean(p.Value)})
	}
	t.Rows = append(t.Rows, row{"time", message.Time(a)})
	return t
}

// clean returns a text that disguises no link.
func clean(s string) string { return message.NoLinks(s) }

func emoji(p alert.Priority) string {
	return [...]string{"🚨", "🟠", "🟠", "🚨", "🟡", "🔵", "🟢", "⚪"}[min(p, alert.Debug)]
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
