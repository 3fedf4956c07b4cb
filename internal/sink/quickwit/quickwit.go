// Package quickwit posts alerts to an index of Quickwit, as Falcosidekick's JSON. With autocreateindex it makes the index,
// with the first alert, when there is none.
package quickwit

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	HostPort      string            // hostport: address of the server; the destination is off without
	Endpoint      string            // apiendpoint: path of the API
	Index         string            // index: index
	Version       string            // version: of the index's configuration
	Create        bool              // autocreateindex: make the index when there is none
	CustomHeaders map[string]string // customheaders: headers to send
	HTTP          httpsink.Options  // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("hostport", &c.HostPort, "", "address of the server").Required(),
		setting.Text("apiendpoint", &c.Endpoint, "api/v1", "path of the API"),
		setting.Text("index", &c.Index, "falco", "index"),
		setting.Text("version", &c.Version, "0.7", "version of the index's configuration"),
		setting.Bool("autocreateindex", &c.Create, false, "make the index when there is none"),
		setting.Map("customheaders", &c.CustomHeaders, "headers to send, as name:value").Secret(),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
	mu     sync.Mutex
	ready  bool // the index is there
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	sender, err := httpsink.New(httpsink.Config{Name: "quickwit", URL: httpsink.Join(api(cfg), url.PathEscape(cfg.Index)+"/ingest"), Options: cfg.HTTP, Header: cfg.CustomHeaders})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender, ready: !cfg.Create}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	_, err := s.sender.Do(ctx, httpsink.Request{Body: httpsink.Event(a)})
	return err
}

func api(cfg Config) string { return httpsink.Join(cfg.HostPort, cfg.Endpoint) }

// prepare makes the index if there is none.
func (s *Sink) prepare(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready {
		return nil
	}
	_, err := s.sender.Do(ctx, httpsink.Request{Method: http.MethodGet, URL: httpsink.Join(api(s.cfg), "indexes/"+url.PathEscape(s.cfg.Index)+"/describe")})
	if is(err, http.StatusNotFound) {
		var body []byte
		if body, err = httpsink.Encode(newIndex(s.cfg)); err != nil {
			return s.sender.Refuse(err.Error())
		}
		_, err = s.sender.Do(ctx, httpsink.Request{URL: httpsink.Join(api(s.cfg), "indexes"), Body: body})
		if is(err, http.StatusBadRequest) && exists(err) {
			err = nil // somebody else was faster
		}
	}
	s.ready = err == nil
	return httpsink.Passing(err)
}

func is(err error, code int) bool {
	var e *httpsink.Error
	return errors.As(err, &e) && e.Code == code
}

func exists(err error) bool {
	var e *httpsink.Error
	return errors.As(err, &e) && bytes.Contains(e.Body, []byte("already exist"))
}

type index struct {
	ID      string  `json:"index_id"`
	Version string  `json:"version"`
	Search  search  `json:"search_settings"`
	Mapping mapping `json:"doc_mapping"`
}

type search struct {
	Fields []string `json:"default_search_fields"`
}

type mapping struct {
	Dynamic   dynamic `json:"dynamic_mapping"`
	Fields    []field `json:"field_mappings"`
	Mode      string  `json:"mode"`
	Store     bool    `json:"store_source"`
	Timestamp string  `json:"timestamp_field"`
}

type dynamic struct {
	Description string `json:"description"`
	Fast        bool   `json:"fast"`
	ExpandDots  bool   `json:"expand_dots"`
	Indexed     bool   `json:"indexed"`
	Record      string `json:"record"`
	Stored      bool   `json:"stored"`
	Tokenizer   string `json:"tokenizer"`
}

type field struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Fast bool   `json:"fast"`
}

// newIndex describes what Falcosidekick's JSON holds.
func newIndex(cfg Config) index {
	return index{
		ID: cfg.Index, Version: cfg.Version, Search: search{[]string{"rule", "source", "output", "priority", "hostname", "tags"}},
		Mapping: mapping{
			Dynamic: dynamic{Description: "Falco", Fast: true, ExpandDots: true, Indexed: true, Record: "basic", Stored: true, Tokenizer: "raw"},
			Fields: []field{
				{"time", "datetime", true},
				{"uuid", "text", true},
				{"hostname", "text", true},
				{"priority", "text", true},
				{"source", "text", true},
				{"output", "text", false},
				{"rule", "text", true},
				{"tags", "array<text>", true},
				{"output_fields", "json", true},
			},
			Mode: "dynamic", Store: true, Timestamp: "time",
		},
	}
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
