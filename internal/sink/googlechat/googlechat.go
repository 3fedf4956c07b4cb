// Package googlechat posts alerts to Google Chat, through an incoming webhook.
//
// The card is the one of Falcosidekick, or with the key cards one of version 2, which Google has put in its place. A
// message has at most 32000 bytes, a text 4096 characters, and a card 100 widgets (developers.google.com/workspace/chat).
// Mentions and links in texts of the alert are made harmless. Where Falcosidekick posts an empty message, with outputformat
// text and no messageformat, the output is posted.
package googlechat

import (
	"context"
	"fmt"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Limits of a message: bytes in all, characters of text, widgets.
const (
	limit       = 32000
	textLimit   = 4096
	widgetLimit = 100
)

// Config is the destination's configuration.
type Config struct {
	WebhookURL    string           // webhookurl: the webhook's address, which is a secret; the destination is off without
	OutputFormat  string           // outputformat: all, text
	MessageFormat string           // messageformat: Go template of a text above
	Cards         string           // cards: v1, v2; ours
	HTTP          httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("webhookurl", &c.WebhookURL, "", "the webhook's address").Secret().Required(),
		setting.Choice("outputformat", &c.OutputFormat, "what to show", "all", "text"),
		setting.Text("messageformat", &c.MessageFormat, "", "Go template of a text above"),
		setting.Choice("cards", &c.Cards, "version of the card", "v1", "v2"),
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
		return nil, fmt.Errorf("googlechat: %w", err)
	}
	sender, err := httpsink.New(httpsink.Config{Name: "googlechat", URL: cfg.WebhookURL, Options: cfg.HTTP})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender, template: template}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	text := message.Cut(s.template.Text(a), textLimit)
	if s.cfg.OutputFormat == "text" {
		if !s.template.Set() {
			text = message.NoSlack(message.Cut(a.OutputText(), textLimit))
		}
		return s.sender.JSON(ctx, payload{Text: text})
	}
	body, err := message.Shrink(limit, func(n int) ([]byte, error) {
		if s.cfg.Cards == "v2" {
			return httpsink.Encode(payload{Text: message.Cut(text, n), CardsV2: []cardV2{{"falco", body{Sections: []sectionV2{{widgetsV2(a, n)}}}}}})
		}
		return httpsink.Encode(payload{Text: message.Cut(text, n), Cards: []card{{Sections: []section{{widgets(a, n)}}}}})
	})
	if err != nil {
		return s.sender.Refuse(err.Error())
	}
	_, err = s.sender.Do(ctx, httpsink.Request{Body: body})
	return err
}

type payload struct {
	Text    string   `json:"text,omitempty"`
	Cards   []card   `json:"cards,omitempty"`
	CardsV2 []cardV2 `json:"cardsV2,omitempty"`
}

type card struct {
	Header   header    `json:"header"`
	Sections []section `json:"sections,omitempty"`
}

type header struct {
	Title    string `json:"title"`
	Subtitle string `json:"subtitle"`
}

type section struct {
	Widgets []widget `json:"widgets"`
}

type widget struct {
	KeyValue keyValue `json:"keyValue"`
}

type keyValue struct {
	Label   string `json:"topLabel"`
	Content string `json:"content"`
}

type cardV2 struct {
	ID   string `json:"cardId"`
	Card body   `json:"card"`
}

type body struct {
	Sections []sectionV2 `json:"sections"`
}

type sectionV2 struct {
	Widgets []widgetV2 `json:"widgets"`
}

type widgetV2 struct {
	Text decoratedText `json:"decoratedText"`
}

type decoratedText struct {
	Label string `json:"topLabel"`
	Text  string `json:"text"`
	Wrap  bool   `json:"wrapText"`
}

// widgets are the rows of a card, with texts of at most n characters.
func widgets(a *alert.Alert, n int) []widget {
	var out []widget
	row := func(label, content string) {
		out = append(out, widget{keyValue{message.NoSlack(message.Cut(label, n)), message.NoSlack(message.Cut(content, n))}})
	}
	row("rule", a.Rule)
	row("priority", a.Priority.String())
	row("source", a.Source)
	if a.Hostname != "" {
		row("hostname", a.Hostname)
	}
	texts := message.Texts(a)
	for i, p := range texts {
		if len(out) == widgetLimit-3 && len(texts) > i+1 { // room for this one, the tags and the time
			row("...", "more fields are not shown")
			break
		}
		row(p.Key, p.Value)
	}
	if len(a.Tags) > 0 {
		row("tags", strings.Join(a.Tags, ", "))
	}
	row("time", message.Time(a))
	return out
}

// widgetsV2 say the same in a card of version 2, whose texts are HTML.
func widgetsV2(a *alert.Alert, n int) []widgetV2 {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	out := []widgetV2{{decoratedText{"output", escape.Replace(message.Cut(a.OutputText(), n)), true}}}
	for _, w := range widgets(a, n) {
		out = append(out, widgetV2{decoratedText{w.KeyValue.Label, escape.Replace(w.KeyValue.Content), true}})
	}
	return out[:min(len(out), widgetLimit)]
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
