// Package gcppubsub publishes alerts on a topic of Google Cloud Pub/Sub, as Falcosidekick's JSON. Beside the user's attributes
// a message has the attribute uuid, by which a subscriber knows an alert that comes again.
//
// A request takes 10 MB and 1000 messages (Pub/Sub, "Quotas and limits"). The texts of an alert that is larger are cut, which
// "[...]" at their ends shows.
package gcppubsub

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net/url"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/google"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Project    string            // projectid: project of the topic; the destination is off without
	Topic      string            // topic: name; the destination is off without
	Attributes map[string]string // customattributes: attributes of messages
	Endpoint   string            // endpoint: address of the service; ours
	Google     google.Config
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.Google.Settings(),
		setting.Text("projectid", &c.Project, "", "project of the topic").Required(),
		setting.Text("topic", &c.Topic, "", "name of the topic").Required(),
		setting.Map("customattributes", &c.Attributes, "attributes of messages, as name:value"),
		setting.Text("endpoint", &c.Endpoint, "https://pubsub.googleapis.com", "address of the service, or of one of its regions"),
	)
}

// Sink publishes alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
}

// Bounds of a request and of an attribute. Some of the former is left for what is around the messages.
const (
	limit      = 10_000_000 - 4096
	limitCount = 1000
	limitKey   = 256
	limitValue = 1024
)

// New returns a sink. It fails when the credentials or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	for k, v := range cfg.Attributes {
		if len(k) > limitKey || len(v) > limitValue || strings.HasPrefix(k, "goog") {
			return nil, fmt.Errorf("gcppubsub: the attribute %.300q must have a name of at most %d bytes that does not begin with goog, and a value of at most %d", k, limitKey, limitValue)
		}
	}
	sender, err := cfg.Google.Sender("gcppubsub", cfg.Endpoint, "https://www.googleapis.com/auth/pubsub")
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send publishes an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	item, err := s.item(a)
	if err != nil {
		return err
	}
	return s.post(ctx, [][]byte{item})
}

// SendBatch publishes several alerts with as few requests as there can be. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	return httpsink.Parts{Bytes: limit, Count: limitCount, Item: s.item, Post: s.post}.Send(ctx, alerts)
}

// published is a message.
type published struct {
	Data       []byte            `json:"data"` // in base64
	Attributes map[string]string `json:"attributes,omitempty"`
}

// item returns the message for an alert.
func (s *Sink) item(a *alert.Alert) ([]byte, error) {
	attributes := map[string]string{}
	if a.UUID != "" {
		attributes["uuid"] = message.CutBytes(a.UUID, limitValue)
	}
	maps.Copy(attributes, s.cfg.Attributes)
	encode := func(a *alert.Alert) ([]byte, error) {
		return httpsink.Encode(published{a.AppendSidekick(nil), attributes})
	}
	body, err := encode(message.Fit(a, limit, func(a *alert.Alert) int {
		body, _ := encode(a) // it fails again below
		return len(body)
	}))
	if err != nil {
		return nil, s.sender.Refuse(err.Error())
	}
	return bytes.TrimSuffix(body, []byte("\n")), nil
}

// post publishes messages.
func (s *Sink) post(ctx context.Context, items [][]byte) error {
	body := append([]byte(`{"messages":[`), bytes.Join(items, []byte(","))...)
	_, err := s.sender.Do(ctx, httpsink.Request{
		URL:  httpsink.Join(s.cfg.Endpoint, "v1/projects/"+url.PathEscape(s.cfg.Project)+"/topics/"+url.PathEscape(s.cfg.Topic)+":publish"),
		Body: append(body, "]}"...),
	})
	return err
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
