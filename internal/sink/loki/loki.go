// Package loki pushes alerts to Loki, each as a line in the stream that its labels name, in Falcosidekick's form.
package loki

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	HostPort        string            // hostport: address of the server; the destination is off without
	Endpoint        string            // endpoint: path to push to
	User            string            // user: user, of basic authentication
	APIKey          string            // apikey: password, of basic authentication
	Tenant          string            // tenant: tenant
	Format          string            // format: text, json
	ExtraLabels     []string          // extralabels: fields that are labels
	CustomFields    map[string]string // customfields of the whole program: fields that are labels too, by their names
	TemplatedFields map[string]string // templatedfields of the whole program: fields that are labels too, by their names
	CustomHeaders   map[string]string // customheaders: headers to send
	HTTP            httpsink.Options  // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("hostport", &c.HostPort, "", "address of the server").Required(),
		setting.Text("endpoint", &c.Endpoint, "/loki/api/v1/push", "path to push to"),
		setting.Text("user", &c.User, "", "user, of basic authentication"),
		setting.Text("apikey", &c.APIKey, "", "password, of basic authentication").Secret(),
		setting.Text("tenant", &c.Tenant, "", "tenant"),
		setting.Choice("format", &c.Format, "form of the line", "text", "json"),
		setting.Strings("extralabels", &c.ExtraLabels, "", "fields that are labels"),
		setting.Map("customfields", &c.CustomFields, "fields that are labels too, by their names").Global(),
		setting.Map("templatedfields", &c.TemplatedFields, "fields that are labels too, by their names").Global(),
		setting.Map("customheaders", &c.CustomHeaders, "headers to send, as name:value").Secret(),
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
	if cfg.Tenant != "" {
		header["X-Scope-OrgID"] = cfg.Tenant
	}
	maps.Copy(header, cfg.CustomHeaders)
	sender, err := httpsink.New(httpsink.Config{Name: "loki", URL: httpsink.Join(cfg.HostPort, cfg.Endpoint), Options: cfg.HTTP, User: cfg.User, Password: cfg.APIKey, Header: header})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error { return s.push(ctx, a) }

// SendBatch posts several alerts with one request. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	return httpsink.Together(ctx, alerts, func() error { return s.push(ctx, alerts...) }, s.Send)
}

func (s *Sink) push(ctx context.Context, alerts ...*alert.Alert) error {
	var p payload
	for _, a := range alerts {
		line := a.OutputText()
		if s.cfg.Format == "json" {
			line = string(a.AppendSidekick(nil))
		}
		p.Streams = append(p.Streams, stream{s.labels(a), [][2]string{{strconv.FormatInt(a.Time.UnixNano(), 10), line}}})
	}
	body, err := httpsink.Encode(p)
	if err != nil {
		return s.sender.Refuse(err.Error())
	}
	_, err = s.sender.Do(ctx, httpsink.Request{Body: body, ContentType: "application/json"})
	return err
}

type payload struct {
	Streams []stream `json:"streams"`
}

type stream struct {
	Labels map[string]string `json:"stream"`
	Lines  [][2]string       `json:"values"` // time in nanoseconds, line
}

// labels returns the labels of an alert's stream.
func (s *Sink) labels(a *alert.Alert) map[string]string {
	out := map[string]string{"rule": a.Rule, "source": a.Source, "priority": a.Priority.String()}
	name := strings.NewReplacer(".", "_", "[", "", "]", "")
	for _, p := range message.Texts(a) {
		_, custom := s.cfg.CustomFields[p.Key]
		_, templated := s.cfg.TemplatedFields[p.Key]
		switch {
		case custom || templated || slices.Contains(s.cfg.ExtraLabels, p.Key):
			out[name.Replace(p.Key)] = strings.ReplaceAll(p.Value, `"`, "")
		case p.Key == "k8s.ns.name", p.Key == "k8s.pod.name":
			out[name.Replace(p.Key)] = p.Value
		}
	}
	if a.Hostname != "" {
		out["hostname"] = a.Hostname
	}
	if len(a.Tags) > 0 {
		out["tags"] = strings.Join(a.Tags, ",")
	}
	return out
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
