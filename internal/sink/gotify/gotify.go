// Package gotify posts alerts to Gotify, as Falcosidekick words them, and with the content type that Gotify knows
// (text/markdown or text/plain), which Falcosidekick does not name in full.
package gotify

import (
	"context"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	HostPort string           // hostport: address of the server; the destination is off without
	Token    string           // token: token of the application
	Format   string           // format: markdown, plaintext, json
	HTTP     httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("hostport", &c.HostPort, "", "address of the server").Required(),
		setting.Text("token", &c.Token, "", "token of the application").Secret(),
		setting.Choice("format", &c.Format, "form of the message", "markdown", "plaintext", "text", "json"),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	header := map[string]string{}
	if cfg.Token != "" {
		header["X-Gotify-Key"] = cfg.Token
	}
	sender, err := httpsink.New(httpsink.Config{Name: "gotify", URL: httpsink.Join(cfg.HostPort, "message"), Options: cfg.HTTP, Header: header})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	p := payload{Title: "[Falco] [" + a.Priority.String() + "] " + a.Rule, Priority: 8 - int(min(a.Priority, alert.Debug))}
	p.Extras.Display.ContentType = "text/plain"
	switch s.cfg.Format {
	case "json":
		p.Message = string(a.AppendSidekick(nil))
	case "plaintext", "text":
		p.Message = words(a, "", "", "- ")
	default:
		p.Extras.Display.ContentType = "text/markdown"
		p.Message = words(a, "- **", "**", "\t- **")
	}
	return s.sender.JSON(ctx, p)
}

type payload struct {
	Title    string `json:"title"`
	Priority int    `json:"priority,omitempty"`
	Message  string `json:"message"`
	Extras   extras `json:"extras"`
}

type extras struct {
	Display display `json:"client::display"`
}

type display struct {
	ContentType string `json:"contentType"`
}

// words returns the message, with what is before and after a name, and before a field's.
func words(a *alert.Alert, before, after, field string) string {
	clean := func(s string) string { return s }
	if after != "" {
		clean = message.NoLinks
	}
	var b strings.Builder
	row := func(name, value string) { b.WriteString(before + name + after + ":" + value + "\n") }
	row("Priority", " "+a.Priority.String())
	row("Rule", " "+clean(a.Rule))
	row("Output", " "+clean(a.OutputText()))
	row("Source", " "+clean(a.Source))
	tags := " "
	for _, t := range a.Tags {
		tags += clean(t) + " "
	}
	row("Tags", tags)
	row("Time", " "+message.Time(a))
	row("Fields", "")
	for _, f := range a.SortedFields() {
		b.WriteString(field + clean(f.Key) + after + ": " + clean(message.Shown(f.Value)) + "\n")
	}
	return b.String()
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
