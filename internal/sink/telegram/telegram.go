// Package telegram posts alerts to a chat of Telegram, through a bot, as Falcosidekick words them.
//
// Everything that comes from the alert is escaped as MarkdownV2 asks (core.telegram.org/bots/api, "MarkdownV2 style"), the
// backslash too, which Falcosidekick leaves and Telegram then refuses. A message has at most 4096 characters: fields and
// output are cut and fields left out until it has. The pause that Telegram asks for in the body of an answer is kept. The
// bot's token, which is part of the URL, is in no error.
package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// defaultHost is Telegram's own API.
const defaultHost = "https://api.telegram.org"

// limit is how many characters a message has.
const limit = 4096

// tagLimit is how many tags a message shows.
const tagLimit = 50

// Config is the destination's configuration.
type Config struct {
	Host     string           // host: address of the API
	Token    string           // token: the bot's token; the destination is off without
	ChatID   string           // chatid: the chat's number or name; the destination is off without
	ThreadID string           // messagethreadid: topic within the chat
	HTTP     httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("host", &c.Host, defaultHost, "address of the API"),
		setting.Text("token", &c.Token, "", "the bot's token").Secret().Required(),
		setting.Text("chatid", &c.ChatID, "", "the chat's number or name").Required(),
		setting.Text("messagethreadid", &c.ThreadID, "", "topic within the chat"),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	sender, err := httpsink.New(httpsink.Config{Name: "telegram", URL: httpsink.Join(cfg.Host, "bot"+cfg.Token+"/sendMessage"), Options: cfg.HTTP, Secrets: []string{cfg.Token}})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	p := payload{Text: text(a), ParseMode: "MarkdownV2", NoPreview: true, ChatID: s.cfg.ChatID, ThreadID: s.cfg.ThreadID}
	body, err := httpsink.Encode(p)
	if err != nil {
		return s.sender.Refuse(err.Error())
	}
	_, err = s.sender.Do(ctx, httpsink.Request{Body: body})
	var failed *httpsink.Error
	if errors.As(err, &failed) && failed.Code == http.StatusTooManyRequests {
		var answer struct {
			Parameters struct {
				RetryAfter int `json:"retry_after"`
			} `json:"parameters"`
		}
		if json.Unmarshal(failed.Body, &answer) == nil && answer.Parameters.RetryAfter > 0 {
			return failed.Pause(time.Duration(answer.Parameters.RetryAfter) * time.Second)
		}
	}
	return err
}

type payload struct {
	Text      string `json:"text,omitempty"`
	ParseMode string `json:"parse_mode,omitempty"`
	NoPreview bool   `json:"disable_web_page_preview,omitempty"`
	ChatID    string `json:"chat_id,omitempty"`
	ThreadID  string `json:"message_thread_id,omitempty"`
}

// text returns the message.
func text(a *alert.Alert) string {
	fields := a.SortedFields()
	for n, shown := limit, len(fields); ; {
		t := words(a, fields[:shown], len(fields)-shown, n)
		switch {
		case utf8.RuneCountInString(t) <= limit:
			return t
		case n > 128:
			n /= 2
		case shown > 0:
			shown = shown * 3 / 4
		default:
			n /= 2
		}
	}
}

// words returns the message with the fields, and texts of at most n characters.
func words(a *alert.Alert, fields []alert.Field, hidden, n int) string {
	escape := func(s string) string { return escaper().Replace(message.Cut(s, n)) }
	var b strings.Builder
	b.WriteString(`*\[Falco\] \[` + escape(a.Priority.String()) + `\] ` + escape(a.Rule) + "*\n\n")
	b.WriteString("• *Time*: " + escape(message.Time(a)) + "\n• *Source*: " + escape(a.Source) + "\n• *Hostname*: " + escape(a.Hostname) + "\n• *Tags*: ")
	for _, t := range a.Tags[:min(len(a.Tags), tagLimit)] {
		b.WriteString(escape(t) + " ")
	}
	b.WriteString("\n• *Fields*:\n")
	for _, f := range fields {
		b.WriteString("\t  • *" + escape(f.Key) + "*: " + escape(f.Value.String()) + "\n")
	}
	if hidden > 0 {
		b.WriteString("\t  • more fields are not shown\n")
	}
	b.WriteString("\n\n**Output**: " + escape(a.OutputText()) + "\n")
	return b.String()
}

// escaper escapes what MarkdownV2 acts on.
func escaper() *strings.Replacer {
	var pairs []string
	for _, c := range "\\_*[]()~`>#+-=|{}.!" {
		pairs = append(pairs, string(c), "\\"+string(c))
	}
	return strings.NewReplacer(pairs...)
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
