// Package alertmanager posts alerts to the servers of an Alertmanager, in Falcosidekick's form.
//
// Every server gets every alert, since each of a cluster must; an alert is delivered when one has taken it, so that one that is
// down holds up nothing. The names of labels are made valid for every version of Alertmanager, and fields whose names leave
// nothing are not sent. Counts of dropped events are shown in classes, so that they do not make alerts different, and raise
// the priority, as in Falcosidekick.
package alertmanager

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	HostPort         []string          // hostport: addresses of the servers; the destination is off without
	Endpoint         string            // endpoint: path to post to
	ExpiresAfter     int               // expiresafter: seconds until an alert is over; 0 is what the server says
	ExtraLabels      map[string]string // extralabels: labels to add
	ExtraAnnotations map[string]string // extraannotations: annotations to add
	Severities       map[string]string // customseveritymap: severities of priorities, in place of the default ones
	DropThresholds   []string          // dropeventthresholds: counts of dropped events with the priority above them, as count:priority
	DropPriority     string            // dropeventdefaultpriority: least priority of dropped events below all thresholds
	CustomHeaders    map[string]string // customheaders: headers to send
	HTTP             httpsink.Options  // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Strings("hostport", &c.HostPort, "", "addresses of the servers").Secret().Required(),
		setting.Text("endpoint", &c.Endpoint, "/api/v2/alerts", "path to post to"),
		setting.Int("expiresafter", &c.ExpiresAfter, 0, 0, "seconds until an alert is over; 0 is what the server says"),
		setting.Map("extralabels", &c.ExtraLabels, "labels to add, as name:value"),
		setting.Map("extraannotations", &c.ExtraAnnotations, "annotations to add, as name:value"),
		setting.Map("customseveritymap", &c.Severities, "severities, as priority:severity"),
		setting.Strings("dropeventthresholds", &c.DropThresholds, "10000:critical, 1000:critical, 100:critical, 10:warning, 1:warning",
			"counts of dropped events with the priority above them, as count:priority"),
		setting.Text("dropeventdefaultpriority", &c.DropPriority, "critical", "least priority of dropped events below all thresholds"),
		setting.Map("customheaders", &c.CustomHeaders, "headers to send, as name:value").Secret(),
	)
}

// threshold is a count with the priority of what is above it.
type threshold struct {
	count    int64
	priority alert.Priority
}

// Sink posts alerts.
type Sink struct {
	cfg        Config
	senders    []*httpsink.Sender
	severities map[alert.Priority]string
	thresholds []threshold // the highest first
	drops      alert.Priority
}

// New returns a sink. It fails when an address, a priority, a threshold or a certificate cannot be used.
func New(cfg Config) (*Sink, error) {
	s := &Sink{cfg: cfg, severities: map[alert.Priority]string{}}
	if len(cfg.HostPort) == 0 {
		return nil, errors.New("alertmanager: hostport is empty, it must be the addresses of the servers")
	}
	for _, host := range cfg.HostPort {
		sender, err := httpsink.New(httpsink.Config{Name: "alertmanager", URL: httpsink.Join(host, cfg.Endpoint), Options: cfg.HTTP, Header: cfg.CustomHeaders})
		if err != nil {
			return nil, err
		}
		s.senders = append(s.senders, sender)
	}
	var err error
	for name, severity := range cfg.Severities {
		p, err := alert.ParsePriority(name)
		if err != nil {
			return nil, fmt.Errorf("alertmanager: customseveritymap: %w", err)
		}
		s.severities[p] = severity
	}
	for _, text := range cfg.DropThresholds {
		count, name, _ := strings.Cut(text, ":")
		n, err := strconv.ParseInt(strings.TrimSpace(count), 10, 64)
		p, err2 := alert.ParsePriority(strings.TrimSpace(name))
		if err := errors.Join(err, err2); err != nil {
			return nil, fmt.Errorf("alertmanager: dropeventthresholds: %q must be like 1000:critical: %w", text, err)
		}
		s.thresholds = append(s.thresholds, threshold{n, p})
	}
	slices.SortFunc(s.thresholds, func(a, b threshold) int { return int(min(max(b.count-a.count, -1), 1)) })
	if s.drops, err = alert.ParsePriority(cfg.DropPriority); err != nil {
		return nil, fmt.Errorf("alertmanager: dropeventdefaultpriority: %w", err)
	}
	return s, nil
}

type payload struct {
	Labels      map[string]string `json:"labels,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
	EndsAt      time.Time         `json:"endsAt"` // the zero time is none
}

// Send posts an alert to every server, at once, so that those that hang take no time from the others. It fails when none takes it; the
// error is permanent when all of them refuse it.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	body, err := httpsink.Encode([]payload{s.payload(a)})
	if err != nil {
		return s.senders[0].Refuse(err.Error())
	}
	errs := make([]error, len(s.senders))
	var posts sync.WaitGroup
	for i, sender := range s.senders {
		posts.Go(func() { _, errs[i] = sender.Do(ctx, httpsink.Request{Body: body}) })
	}
	posts.Wait()
	var first error
	taken := false
	for _, err := range errs {
		taken = taken || err == nil
		if err != nil && (first == nil || permanent(first)) { // what may be tried again goes before
			first = err
		}
	}
	if taken {
		return nil
	}
	return first
}

func permanent(err error) bool {
	var e *httpsink.Error
	return errors.As(err, &e) && e.Permanent()
}

func (s *Sink) payload(a *alert.Alert) payload {
	labels, priority := map[string]string{}, a.Priority
	for _, f := range a.SortedFields() {
		value, ok := f.Value.Number()
		if f.Value.Kind == alert.Text {
			value, ok = f.Value.Text, true
		}
		name := label(f.Key)
		switch {
		case !ok || name == "" || strings.HasPrefix(f.Key, "n_evts"): // counts of all events would make every alert another one
		case strings.HasPrefix(f.Key, "n_drop"):
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				class, p := s.class(n)
				labels[name], priority = class, min(priority, p)
			}
		default:
			labels[name] = value
		}
	}
	maps.Copy(labels, map[string]string{"source": "falco", "rule": a.Rule, "alertname": a.Rule, "eventsource": a.Source, "priority": priority.String(), "severity": s.severity(priority)})
	if a.Hostname != "" {
		labels["hostname"] = a.Hostname
	}
	if len(a.Tags) > 0 {
		labels["tags"] = strings.Join(a.Tags, ",")
	}
	maps.Copy(labels, s.cfg.ExtraLabels)
	output := a.OutputText()
	p := payload{Labels: labels, Annotations: map[string]string{"info": output, "description": output, "summary": a.Rule}}
	maps.Copy(p.Annotations, s.cfg.ExtraAnnotations)
	if s.cfg.ExpiresAfter > 0 {
		p.EndsAt = a.Time.UTC().Add(time.Duration(s.cfg.ExpiresAfter) * time.Second)
	}
	return p
}

// class returns how a count of dropped events is shown, and the priority that it asks for.
func (s *Sink) class(n int64) (string, alert.Priority) {
	if n == 0 {
		return "0", alert.Warning
	}
	for _, t := range s.thresholds {
		if n > t.count {
			return ">" + strconv.FormatInt(t.count, 10), t.priority
		}
	}
	return strconv.FormatInt(n, 10), s.drops
}

func (s *Sink) severity(p alert.Priority) string {
	if text, ok := s.severities[p]; ok {
		return text
	}
	switch {
	case p <= alert.Critical:
		return "critical"
	case p <= alert.Warning:
		return "warning"
	}
	return "information"
}

// label returns a name as labels may have it: letters, digits and single underlines, neither at an end; "" when nothing is left.
func label(key string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, key)
	name = strings.Trim(strings.ReplaceAll(name, "__", "_"), "_")
	if name != "" && name[0] >= '0' && name[0] <= '9' {
		return "_" + name
	}
	return name
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	for _, sender := range s.senders {
		sender.Close()
	}
	return nil
}
