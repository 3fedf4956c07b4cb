// Package teams posts alerts to Microsoft Teams, through an incoming webhook.
//
// The card is the one of Falcosidekick, a MessageCard, or an Adaptive Card: Microsoft has retired the connectors that take the
// first, and the workflows in their place take the second. The key format says which; auto goes by the webhook's host.
// A card has at most 28 KiB (learn.microsoft.com, "Rate limiting for connectors"). A connector that says within an answer of
// status 200 that it has failed is believed.
package teams

import (
	"context"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// limit is how many bytes a card may have.
const limit = 28 << 10

// factLimit is how many facts a card shows; one more says that there are others.
const factLimit = 150

// Config is the destination's configuration.
type Config struct {
	WebhookURL    string           // webhookurl: the webhook's address, which is a secret; the destination is off without
	ActivityImage string           // activityimage: address of the picture
	OutputFormat  string           // outputformat: all, text, facts
	Format        string           // format: auto, messagecard, adaptivecard; ours
	HTTP          httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("webhookurl", &c.WebhookURL, "", "the webhook's address").Secret().Required(),
		setting.Text("activityimage", &c.ActivityImage, message.ColourIcon, "address of the picture"),
		setting.Choice("outputformat", &c.OutputFormat, "what to show", "all", "text", "facts"),
		setting.Choice("format", &c.Format, "kind of card", "auto", "messagecard", "adaptivecard"),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg      Config
	sender   *httpsink.Sender
	adaptive bool
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	sender, err := httpsink.New(httpsink.Config{Name: "teams", URL: cfg.WebhookURL, Options: cfg.HTTP})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender, adaptive: adaptive(cfg)}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	body, err := message.Shrink(limit, func(n int) ([]byte, error) {
		if s.adaptive {
			return httpsink.Encode(s.adaptiveCard(a, n))
		}
		return httpsink.Encode(s.messageCard(a, n))
	})
	if err != nil {
		return s.sender.Refuse(err.Error())
	}
	answer, err := s.sender.Do(ctx, httpsink.Request{Body: body})
	if err == nil && strings.Contains(string(answer), "message delivery failed") {
		e := s.sender.Fail(string(answer))
		if found := relayed.FindSubmatch(answer); found != nil {
			code, _ := strconv.Atoi(string(found[1])) // they are digits
			return e.Behind(code)
		}
		return e
	}
	return err
}

// relayed is the status of Teams in what a connector says.
var relayed = regexp.MustCompile(`HTTP error (\d{3})`)

// adaptive says whether to send Adaptive Cards.
func adaptive(cfg Config) bool {
	if cfg.Format != "auto" {
		return cfg.Format == "adaptivecard"
	}
	u, err := url.Parse(cfg.WebhookURL)
	if err != nil {
		return false
	}
	host := u.Hostname()
	return strings.HasSuffix(host, ".logic.azure.com") || strings.HasSuffix(host, ".powerplatform.com")
}

type fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// facts are the rows of a card.
func facts(a *alert.Alert, n int) []fact {
	list := []fact{{"rule", a.Rule}, {"priority", a.Priority.String()}, {"source", a.Source}}
	if a.Hostname != "" {
		list = append(list, fact{"hostname", a.Hostname})
	}
	for _, p := range message.Texts(a) {
		list = append(list, fact{p.Key, p.Value})
	}
	if len(a.Tags) > 0 {
		list = append(list, fact{"tags", strings.Join(a.Tags, ", ")})
	}
	if len(list) > factLimit {
		list = append(list[:factLimit], fact{"...", "more fields are not shown"})
	}
	for i, f := range list {
		list[i] = fact{message.NoLinks(message.Cut(f.Name, n)), message.NoLinks(message.Cut(f.Value, n))}
	}
	return list
}

type section struct {
	Title    string `json:"activityTitle"`
	Subtitle string `json:"activitySubtitle"`
	Image    string `json:"activityImage,omitempty"`
	Text     string `json:"text"`
	Facts    []fact `json:"facts,omitempty"`
}

type messageCard struct {
	Type     string    `json:"@type"`
	Summary  string    `json:"summary,omitempty"`
	Colour   string    `json:"themeColor,omitempty"`
	Sections []section `json:"sections"`
}

// messageCard is Falcosidekick's, with texts of at most n characters.
func (s *Sink) messageCard(a *alert.Alert, n int) messageCard {
	output := message.NoLinks(message.Cut(a.OutputText(), n))
	one := section{Title: "Falcosidekick", Subtitle: message.Time(a), Image: s.cfg.ActivityImage}
	if s.cfg.OutputFormat != "facts" {
		one.Text = output
	}
	if s.cfg.OutputFormat != "text" {
		one.Facts = facts(a, n)
	}
	return messageCard{Type: "MessageCard", Summary: output, Colour: colour(a.Priority), Sections: []section{one}}
}

func colour(p alert.Priority) string {
	return [...]string{"e20b0b", "ff5400", "ff9000", "ffc700", "ffff00", "5bffb5", "68c2ff", "ccfff2"}[min(p, alert.Debug)]
}

type adaptiveMessage struct {
	Type        string               `json:"type"`
	Attachments []adaptiveAttachment `json:"attachments"`
}

type adaptiveAttachment struct {
	ContentType string       `json:"contentType"`
	Content     adaptiveCard `json:"content"`
}

type adaptiveCard struct {
	Schema  string    `json:"$schema"`
	Type    string    `json:"type"`
	Version string    `json:"version"`
	Body    []element `json:"body"`
}

// element is a TextBlock or a FactSet.
type element struct {
	Type   string         `json:"type"`
	Text   string         `json:"text,omitempty"`
	Weight string         `json:"weight,omitempty"`
	Size   string         `json:"size,omitempty"`
	Colour string         `json:"color,omitempty"`
	Subtle bool           `json:"isSubtle,omitempty"`
	Wrap   bool           `json:"wrap,omitempty"`
	Facts  []adaptiveFact `json:"facts,omitempty"`
}

type adaptiveFact struct {
	Title string `json:"title"`
	Value string `json:"value"`
}

// adaptiveCard says the same as the MessageCard (adaptivecards.io, schema 1.4).
func (s *Sink) adaptiveCard(a *alert.Alert, n int) adaptiveMessage {
	colours := [...]string{"attention", "attention", "attention", "attention", "warning", "accent", "good", "default"}
	body := []element{
		{Type: "TextBlock", Text: message.NoLinks(message.Cut("["+a.Priority.String()+"] "+a.Rule, n)), Weight: "bolder", Size: "medium", Colour: colours[min(a.Priority, alert.Debug)], Wrap: true},
		{Type: "TextBlock", Text: message.Time(a), Subtle: true, Wrap: true},
	}
	if s.cfg.OutputFormat != "facts" {
		body = append(body, element{Type: "TextBlock", Text: message.NoLinks(message.Cut(a.OutputText(), n)), Wrap: true})
	}
	if s.cfg.OutputFormat != "text" {
		set := element{Type: "FactSet"}
		for _, f := range facts(a, n) {
			set.Facts = append(set.Facts, adaptiveFact{f.Name, f.Value})
		}
		body = append(body, set)
	}
	return adaptiveMessage{"message", []adaptiveAttachment{{"application/vnd.microsoft.card.adaptive", adaptiveCard{
		"http://adaptivecards.io/schemas/adaptive-card.json", "AdaptiveCard", "1.4", body,
	}}}}
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
