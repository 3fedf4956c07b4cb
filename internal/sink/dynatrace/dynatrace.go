// Package dynatrace posts alerts to Dynatrace as logs, in Falcosidekick's form.
package dynatrace

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	APIToken string           // apitoken: token of the API; the destination is off without
	APIURL   string           // apiurl: address of the API; the destination is off without
	HTTP     httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("apitoken", &c.APIToken, "", "token of the API").Secret().Required(),
		setting.Text("apiurl", &c.APIURL, "", "address of the API").Required(),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	sender, err := httpsink.New(httpsink.Config{Name: "dynatrace", URL: httpsink.Join(cfg.APIURL, "v2/logs/ingest"), Options: cfg.HTTP, Header: map[string]string{"Authorization": "Api-Token " + cfg.APIToken}})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	return s.sender.JSON(ctx, []record{newRecord(a)})
}

type record struct {
	Time        string  `json:"timestamp"`
	ID          string  `json:"event.id,omitempty"`
	Name        string  `json:"event.name,omitempty"`
	Provider    string  `json:"event.provider,omitempty"`
	Severity    string  `json:"severity,omitempty"`
	Hostname    string  `json:"host.name,omitempty"`
	Source      string  `json:"log.source,omitempty"`
	Content     content `json:"content"`
	Technique   string  `json:"mitre.technique,omitempty"`
	Tactic      string  `json:"mitre.tactic,omitempty"`
	ContainerID string  `json:"container.id,omitempty"`
	Container   string  `json:"container.name,omitempty"`
	Image       string  `json:"container.image.name,omitempty"`
	Namespace   string  `json:"k8s.namespace.name,omitempty"`
	Pod         string  `json:"k8s.pod.name,omitempty"`
	PodUID      string  `json:"k8s.pod.uid,omitempty"`
	Process     string  `json:"process.executable.name,omitempty"`
	Span        string  `json:"span.id,omitempty"`
}

type content struct {
	Output string          `json:"output"`
	Fields json.RawMessage `json:"output_fields"`
	Tags   []string        `json:"tags,omitempty"`
}

// newRecord returns the alert as a log record with Dynatrace's names for what fields say.
func newRecord(a *alert.Alert) record {
	field := func(key string) string { return message.Field(a, key) }
	r := record{
		Time: a.Time.UTC().Format(time.RFC3339), ID: a.UUID, Name: a.Rule, Provider: "Falco", Severity: a.Priority.String(), Hostname: a.Hostname, Source: a.Source,
		Content:     content{a.OutputText(), a.AppendSidekickFields(nil), a.Tags},
		ContainerID: field("container.id"), Container: field("container.name"), Image: field("container.image"), Namespace: field("k8s.ns.name"),
		Pod: field("k8s.pod.name"), PodUID: field("k8s.pod.id"), Process: field("proc.name"),
	}
	if r.Namespace == "" {
		r.Namespace = field("ka.target.namespace")
	}
	for _, f := range a.Fields {
		if f.Key == "span.id" && f.Value.Kind != alert.Null {
			r.Span = f.Value.String()
		}
	}
	for _, t := range a.Tags {
		if isTechnique(t) {
			r.Technique = t
		} else if _, rest, ok := strings.Cut(t, "mitre_"); ok && rest != "" {
			r.Tactic = t
		}
	}
	return r
}

// isTechnique says whether a tag has a T with a digit after it, as MITRE's techniques are named.
func isTechnique(tag string) bool {
	for i := 1; i < len(tag); i++ {
		if tag[i-1] == 'T' && tag[i] >= '0' && tag[i] <= '9' {
			return true
		}
	}
	return false
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
