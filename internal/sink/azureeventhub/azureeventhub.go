// Package azureeventhub sends alerts to an event hub of Azure, as Falcosidekick's JSON, over the HTTPS interface (Event Hubs
// REST, "Send batch events"). The property uuid of an event is how a consumer knows an alert that comes again.
//
// We are who the connection string says, when there is one; else, as for Azure's own programs, whom the environment, the
// cluster (workload identity) or the machine (managed identity) says, in this order. Falcosidekick sends every batch twice,
// and over a new connection for each alert; here an alert is sent once.
//
// A request takes 1 MB (256 KB in the basic tier: set maxbytes). The texts of an alert that is larger are cut, which "[...]"
// at their ends shows.
package azureeventhub

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Namespace  string // namespace: name, or host, or address
	Name       string // name: hub; the destination is off without
	Connection string // connectionstring: of a shared access policy; ours
	MaxBytes   int    // maxbytes: of a request; ours
	HTTP       httpsink.Options
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("name", &c.Name, "", "name of the event hub").Required(),
		setting.Text("namespace", &c.Namespace, "", "namespace of the event hub, or its host"),
		setting.Text("connectionstring", &c.Connection, "", "connection string of a shared access policy, in place of an identity of Entra ID").Secret(),
		setting.Int("maxbytes", &c.MaxBytes, 1_000_000, 10_000, "bytes that a request may have"),
	)
}

// Sink sends alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
	url    string
}

// New returns a sink. It fails when the namespace or the credentials cannot be used.
func New(cfg Config) (*Sink, error) {
	c := httpsink.Config{Name: "azureeventhub", Options: cfg.HTTP}
	var policy *policy
	if cfg.Connection != "" {
		p, err := parsePolicy(cfg.Connection)
		if err != nil {
			return nil, err
		}
		if cfg.Namespace == "" {
			cfg.Namespace = p.endpoint
		}
		policy, c.Secrets = p, []string{p.key, p.signature}
	}
	if c.URL = address(cfg.Namespace); c.URL == "" {
		return nil, errors.New("azureeventhub: the namespace is empty; it must be that of the event hub, like alerts or alerts.servicebus.windows.net")
	}
	resource := httpsink.Join(c.URL, url.PathEscape(cfg.Name))
	if policy != nil {
		c.Token = policy.header(resource)
	} else {
		tokens, err := newTokens(cfg.HTTP)
		if err != nil {
			return nil, err
		}
		c.Token = tokens.Header
	}
	sender, err := httpsink.New(c)
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender, url: resource + "/messages?api-version=2014-01"}, nil
}

// address returns the URL of a namespace.
func address(namespace string) string {
	switch {
	case namespace == "" || strings.Contains(namespace, "://"):
		return strings.TrimRight(namespace, "/")
	case strings.Contains(namespace, "."):
		return "https://" + namespace
	}
	return "https://" + namespace + ".servicebus.windows.net"
}

// Send sends an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	item, err := s.item(a)
	if err != nil {
		return err
	}
	return s.post(ctx, [][]byte{item})
}

// SendBatch sends several alerts with as few requests as there can be. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	return httpsink.Parts{Bytes: s.limit(), Item: s.item, Post: s.post}.Send(ctx, alerts)
}

// limit returns what the items of a request may have, less what is around them.
func (s *Sink) limit() int { return s.cfg.MaxBytes - 1024 }

// event is one of a request.
type event struct {
	Body       string            `json:"Body"`
	Properties map[string]string `json:"UserProperties,omitempty"`
}

// item returns the event for an alert.
func (s *Sink) item(a *alert.Alert) ([]byte, error) {
	var properties map[string]string
	if a.UUID != "" {
		properties = map[string]string{"uuid": message.CutBytes(a.UUID, 256)}
	}
	encode := func(a *alert.Alert) ([]byte, error) {
		return httpsink.Encode(event{string(a.AppendSidekick(nil)), properties})
	}
	body, err := encode(message.Fit(a, s.limit(), func(a *alert.Alert) int {
		body, _ := encode(a) // it fails again below
		return len(body) + 1 // and what separates it
	}))
	if err != nil {
		return nil, s.sender.Refuse(err.Error())
	}
	if len(body) > s.limit() {
		return nil, s.sender.Refuse(fmt.Sprintf("the alert has %d bytes though its texts are cut; an event hub takes %d", len(body), s.cfg.MaxBytes))
	}
	return append(bytes.TrimSuffix(body, []byte("\n")), ','), nil
}

// post sends events.
func (s *Sink) post(ctx context.Context, items [][]byte) error {
	body := append([]byte("["), bytes.TrimSuffix(bytes.Join(items, nil), []byte(","))...)
	_, err := s.sender.Do(ctx, httpsink.Request{URL: s.url, Body: append(body, ']'), ContentType: "application/vnd.microsoft.servicebus.json"})
	return err
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
