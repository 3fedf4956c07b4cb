// Package discord posts alerts to Discord, through a webhook, in Falcosidekick's form.
//
// The limits of an embed are kept (discord.com/developers, "Embed Limits"): 4096 characters of description, 25 fields with
// names of 256 and values of 1024 characters, 6000 characters in all. What is cut ends in "[...]"; of more than 25 fields
// the last one says how many are not shown. Empty values, which Discord refuses, are shown as a dash. A field cannot end the
// block of code that it is shown in.
package discord

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Limits of an embed, in characters; and of fields.
const (
	descriptionLimit = 4096
	nameLimit        = 256
	valueLimit       = 1024
	totalLimit       = 6000
	fieldLimit       = 25
	noteRoom         = 60 // characters kept for the note that there are more fields
)

// Config is the destination's configuration.
type Config struct {
	WebhookURL string           // webhookurl: the webhook's address, which is a secret; the destination is off without
	Icon       string           // icon: address of the picture
	HTTP       httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("webhookurl", &c.WebhookURL, "", "the webhook's address").Secret().Required(),
		setting.Text("icon", &c.Icon, message.ColourIcon, "address of the picture"),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	sender, err := httpsink.New(httpsink.Config{Name: "discord", URL: cfg.WebhookURL, Options: cfg.HTTP})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	icon := s.cfg.Icon
	if icon == "" {
		icon = message.DefaultIcon
	}
	return s.sender.JSON(ctx, payload{Avatar: icon, Embeds: []embed{newEmbed(a)}})
}

type payload struct {
	Content string  `json:"content"`
	Avatar  string  `json:"avatar_url,omitempty"`
	Embeds  []embed `json:"embeds"`
}

type embed struct {
	Title       string  `json:"title"`
	URL         string  `json:"url"`
	Description string  `json:"description"`
	Colour      string  `json:"color"`
	Fields      []field `json:"fields"`
}

type field struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Inline bool   `json:"inline"`
}

func newEmbed(a *alert.Alert) embed {
	head := []field{{"rule", a.Rule, true}, {"priority", a.Priority.String(), true}, {"source", a.Source, true}}
	if a.Hostname != "" {
		head = append(head, field{"hostname", a.Hostname, true})
	}
	var body, tail []field
	for _, p := range message.Texts(a) {
		body = append(body, field{p.Key, "```" + message.NoFence(message.Cut(p.Value, valueLimit-10)) + "```", true})
	}
	if len(a.Tags) > 0 {
		tail = append(tail, field{"tags", strings.Join(a.Tags, ", "), true})
	}
	tail = append(tail, field{"time", message.Time(a), true})
	room := totalLimit - length(head) - length(tail) - noteRoom
	e := embed{Description: message.Cut(a.OutputText(), min(descriptionLimit, room)), Colour: colour(a.Priority), Fields: head}
	room -= utf8.RuneCountInString(e.Description)
	places := fieldLimit - len(head) - len(tail) - 1 // and one for the note, or the last field
	for i := range body {
		size := length(body[i : i+1])
		if size > room || i >= places && i+1 < len(body) {
			e.Fields = append(e.Fields, field{"...", fmt.Sprintf("%d more fields are not shown", len(body)-i), true})
			break
		}
		room -= size
		e.Fields = append(e.Fields, body[i])
	}
	e.Fields = append(e.Fields, tail...)
	return e
}

// length brings the fields within their limits and returns how many characters they have.
func length(fields []field) int {
	n := 0
	for i := range fields {
		f := &fields[i]
		f.Name, f.Value = message.Cut(f.Name, nameLimit), message.Cut(f.Value, valueLimit)
		if f.Value == "" {
			f.Value = "-"
		}
		if f.Name == "" {
			f.Name = "-"
		}
		n += utf8.RuneCountInString(f.Name) + utf8.RuneCountInString(f.Value)
	}
	return n
}

func colour(p alert.Priority) string {
	return [...]string{"15158332", "11027200", "15105570", "15844367", "12745742", "3066993", "3447003", "12370112"}[min(p, alert.Debug)]
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
