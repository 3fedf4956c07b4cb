// Package clickhouse inserts alerts into a table of ClickHouse through its HTTP interface. Falcosidekick does not have this
// destination.
//
// The table is made with the first alert when it is not there, and that is tried again until it succeeds. Its columns are uuid,
// time, rule, priority, source, hostname, output, tags, and output_fields as JSON text, so that numbers of any size stay as
// they are. It is a ReplacingMergeTree in the order of time and uuid: an alert that comes again is there once when the parts
// are merged, and at once in a query with FINAL.
package clickhouse

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/wire"
)

// Config is the destination's configuration.
type Config struct {
	HostPort string           // hostport: address of the HTTP interface; the destination is off without
	User     string           // user
	Password string           // password
	Database string           // database
	Table    string           // table
	Create   bool             // createtable: make the table when it is not there
	HTTP     httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds the keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("hostport", &c.HostPort, "", "address of the HTTP interface: http://host:8123 or https://host:8443").Required(),
		setting.Text("user", &c.User, "default", "user"),
		setting.Text("password", &c.Password, "", "password").Secret(),
		setting.Text("database", &c.Database, "default", "database"),
		setting.Text("table", &c.Table, "falco_events", "table to insert into"),
		setting.Bool("createtable", &c.Create, true, "make the table when it is not there"),
	)
}

// Sink inserts alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender

	mu    sync.Mutex
	ready bool // the table is there
}

// New returns a sink. It fails when the address or a certificate cannot be used.
func New(cfg Config) (*Sink, error) {
	header := map[string]string{"X-ClickHouse-User": cfg.User, "X-ClickHouse-Database": cfg.Database}
	if cfg.Password != "" {
		header["X-ClickHouse-Key"] = cfg.Password
	}
	sender, err := httpsink.New(httpsink.Config{Name: "clickhouse", URL: cfg.HostPort, Options: cfg.HTTP, Header: header})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender, ready: !cfg.Create}, nil
}

// prepare makes the table if there is none.
func (s *Sink) prepare(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready {
		return nil
	}
	_, err := s.sender.Do(ctx, httpsink.Request{ContentType: "text/plain", Body: []byte("CREATE TABLE IF NOT EXISTS " + identifier(s.cfg.Table) + ` (
	uuid UUID,
	time DateTime64(9, 'UTC'),
	rule LowCardinality(String),
	priority LowCardinality(String),
	source LowCardinality(String),
	hostname LowCardinality(String),
	output String,
	tags Array(LowCardinality(String)),
	output_fields String
) ENGINE = ReplacingMergeTree ORDER BY (time, uuid)
`)})
	if err != nil {
		return fmt.Errorf("making the table: %w", httpsink.Passing(err))
	}
	s.ready = true
	return nil
}

// identifier quotes a name.
func identifier(name string) string {
	return "`" + strings.NewReplacer("`", "\\`", `\`, `\\`).Replace(name) + "`"
}

// Send inserts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error { return s.insert(ctx, a) }

// SendBatch inserts several alerts with one request. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	return httpsink.Together(ctx, alerts, func() error { return s.insert(ctx, alerts...) }, s.Send)
}

type row struct {
	UUID     string   `json:"uuid"`
	Time     string   `json:"time"`
	Rule     string   `json:"rule"`
	Priority string   `json:"priority"`
	Source   string   `json:"source"`
	Hostname string   `json:"hostname"`
	Output   string   `json:"output"`
	Tags     []string `json:"tags"`
	Fields   string   `json:"output_fields"`
}

func (s *Sink) insert(ctx context.Context, alerts ...*alert.Alert) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	var body []byte
	for _, a := range alerts {
		line, err := httpsink.Encode(row{
			wire.ID(a), a.Time.UTC().Format("2006-01-02 15:04:05.000000000"), a.Rule, a.Priority.String(), a.Source, a.Hostname, a.OutputText(),
			append([]string{}, a.Tags...), string(a.AppendSidekickFields(nil)),
		})
		if err != nil {
			return s.sender.Refuse(err.Error())
		}
		body = append(body, line...)
	}
	query := url.Values{"query": {"INSERT INTO " + identifier(s.cfg.Table) + " FORMAT JSONEachRow"}}
	_, err := s.sender.Do(ctx, httpsink.Request{URL: httpsink.Join(s.cfg.HostPort, "?"+query.Encode()), ContentType: "application/x-ndjson", Body: body})
	return err
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
