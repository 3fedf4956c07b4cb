// Package gcpchronicle imports alerts into Google Security Operations (Chronicle) as raw logs: Falcosidekick's JSON, which its
// parser FALCO_IDS reads.
//
// A request takes 4 MB, and a log should have no more than 1 MB: the texts of an alert that is larger are cut, which "[...]"
// at their ends shows. The log's time is the alert's, to the nanosecond; Falcosidekick cuts it to seconds.
package gcpchronicle

import (
	"bytes"
	"context"
	"net/url"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/google"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Project  string // projectid: project of the instance; the destination is off without
	Instance string // instanceid: instance; the destination is off without
	Region   string // region: where it is; the destination is off without
	LogType  string // logtype: which parser reads the logs
	Endpoint string // endpoint: address of the service, in place of the region's; ours
	Google   google.Config
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.Google.Settings(),
		setting.Text("projectid", &c.Project, "", "project of the instance").Required(),
		setting.Text("instanceid", &c.Instance, "", "instance").Required(),
		setting.Text("region", &c.Region, "", "region of the instance").Required(),
		setting.Text("logtype", &c.LogType, "FALCO_IDS", "which parser reads the logs"),
		setting.Text("endpoint", &c.Endpoint, "", "address of the service, in place of the region's"),
	)
}

// Sink imports alerts.
type Sink struct {
	sender *httpsink.Sender
	url    string
}

// Bounds of a request and of a log, both in base64.
const (
	limit    = 4_000_000 - 4096
	limitLog = 1_000_000
)

// New returns a sink. It fails when the credentials or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	if cfg.Endpoint == "" {
		cfg.Endpoint = "https://chronicle." + cfg.Region + ".rep.googleapis.com"
	}
	sender, err := cfg.Google.Sender("gcpchronicle", cfg.Endpoint, google.CloudPlatform)
	if err != nil {
		return nil, err
	}
	e := url.PathEscape
	path := "v1beta/projects/" + e(cfg.Project) + "/locations/" + e(cfg.Region) + "/instances/" + e(cfg.Instance) + "/logTypes/" + e(cfg.LogType) + "/logs:import"
	return &Sink{sender, httpsink.Join(cfg.Endpoint, path)}, nil
}

// Send imports an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	item, err := s.item(a)
	if err != nil {
		return err
	}
	return s.post(ctx, [][]byte{item})
}

// SendBatch imports several alerts with as few requests as there can be. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	return httpsink.Parts{Bytes: limit, Item: s.item, Post: s.post}.Send(ctx, alerts)
}

// entry is a log.
type entry struct {
	Data      []byte    `json:"data"` // in base64
	Time      time.Time `json:"logEntryTime"`
	Collected time.Time `json:"collectionTime"`
}

// item returns the log for an alert. It must have been collected after it was made.
func (s *Sink) item(a *alert.Alert) ([]byte, error) {
	made, collected := a.Time.UTC(), time.Now().UTC()
	if !collected.After(made) {
		collected = made.Add(time.Second)
	}
	encode := func(a *alert.Alert) ([]byte, error) {
		return httpsink.Encode(entry{a.AppendSidekick(nil), made, collected})
	}
	body, err := encode(message.Fit(a, limitLog, func(a *alert.Alert) int {
		body, _ := encode(a) // it fails again below
		return len(body)
	}))
	if err != nil {
		return nil, s.sender.Refuse(err.Error())
	}
	return bytes.TrimSuffix(body, []byte("\n")), nil
}

// post imports logs.
func (s *Sink) post(ctx context.Context, items [][]byte) error {
	body := append([]byte(`{"inlineSource":{"logs":[`), bytes.Join(items, []byte(","))...)
	_, err := s.sender.Do(ctx, httpsink.Request{URL: s.url, Body: append(body, "]}}"...), ContentType: "application/json"})
	return err
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
