// Package elasticsearch puts alerts into indices of Elasticsearch or OpenSearch, as Falcosidekick's JSON with an @timestamp.
//
// It differs from Falcosidekick in what is lost. The uuid is the document's id, and documents are created, not overwritten: an
// alert that comes again is there already, which is success. The index is that of the alert's day, not of the day of delivery.
// A document that is refused for a field that does not fit the mapping is put again without that field, as often as needed,
// in bulk requests too. And the index template is made with the first alert, and again until that succeeds.
package elasticsearch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	HostPort       string            // hostport: address of the server; the destination is off without
	Index          string            // index: name, or its beginning
	Type           string            // type: of the documents
	Pipeline       string            // pipeline: ingest pipeline
	Suffix         string            // suffix: what the name of the index ends in: daily, monthly, annually, none
	APIKey         string            // apikey: key of the API
	Username       string            // username: of basic authentication
	Password       string            // password: of basic authentication
	Flatten        bool              // flattenfields: dots in names of fields are underlines; implied by createindextemplate
	CreateTemplate bool              // createindextemplate: make an index template when there is none
	Shards         int               // numberofshards: in the template
	Replicas       int               // numberofreplicas: in the template
	Compress       bool              // enablecompression: compress requests
	Batching       bool              // batching.enabled: many alerts in one request
	BatchSize      int               // batching.batchsize: bytes of a request
	FlushInterval  time.Duration     // batching.flushinterval: how long an alert may wait for others
	CustomHeaders  map[string]string // customheaders: headers to send
	HTTP           httpsink.Options  // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("hostport", &c.HostPort, "", "address of the server").Required(),
		setting.Text("index", &c.Index, "falco", "name of the index, or its beginning"),
		setting.Text("type", &c.Type, "_doc", "type of the documents"),
		setting.Text("pipeline", &c.Pipeline, "", "ingest pipeline"),
		setting.Choice("suffix", &c.Suffix, "what the name of the index ends in", "daily", "monthly", "annually", "none"),
		setting.Text("apikey", &c.APIKey, "", "key of the API").Secret(),
		setting.Text("username", &c.Username, "", "user, of basic authentication"),
		setting.Text("password", &c.Password, "", "password, of basic authentication").Secret(),
		setting.Bool("flattenfields", &c.Flatten, false, "dots in names of fields are underlines; implied by createindextemplate"),
		setting.Bool("createindextemplate", &c.CreateTemplate, false, "make an index template when there is none"),
		setting.Int("numberofshards", &c.Shards, 3, 1, "shards, in the template"),
		setting.Int("numberofreplicas", &c.Replicas, 3, 0, "replicas, in the template"),
		setting.Bool("enablecompression", &c.Compress, false, "compress requests"),
		setting.Bool("batching.enabled", &c.Batching, false, "many alerts in one request"),
		setting.Int("batching.batchsize", &c.BatchSize, 5242880, 1, "bytes of a request"),
		setting.Duration("batching.flushinterval", &c.FlushInterval, time.Second, "how long an alert may wait for others"),
		setting.Map("customheaders", &c.CustomHeaders, "headers to send, as name:value").Secret(),
	)
}

// Sink puts alerts into indices.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender

	mu    sync.Mutex
	ready bool // the index template is there
}

// New returns a sink. It fails when the address or a certificate cannot be used.
func New(cfg Config) (*Sink, error) { return Open("elasticsearch", cfg) }

// Open returns a sink that has another name in errors, for servers that speak the same protocol.
func Open(name string, cfg Config) (*Sink, error) {
	header := map[string]string{}
	if cfg.APIKey != "" && (cfg.Username == "" || cfg.Password == "") {
		header["Authorization"] = "APIKey " + cfg.APIKey
	}
	maps.Copy(header, cfg.CustomHeaders)
	sender, err := httpsink.New(httpsink.Config{
		Name: name, URL: cfg.HostPort, Options: cfg.HTTP, User: cfg.Username, Password: cfg.Password, Header: header, Gzip: cfg.Compress, Secrets: []string{cfg.APIKey},
	})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender, ready: !cfg.CreateTemplate}, nil
}

// Batch says how many bytes SendBatch may get at once and how long an alert may wait for others; false is that alerts are to
// be sent one by one.
func (s *Sink) Batch() (bytes int, wait time.Duration, ok bool) {
	return s.cfg.BatchSize, s.cfg.FlushInterval, s.cfg.Batching
}

// Send puts an alert into its index.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	if err := s.prepare(ctx); err != nil {
		return err
	}
	for doc := a; ; {
		_, err := s.sender.Do(ctx, httpsink.Request{URL: s.address(a), Body: s.document(doc)})
		var e *httpsink.Error
		switch {
		case !errors.As(err, &e):
			return err
		case e.Code == http.StatusConflict: // it is there already
			return nil
		case reason(e.Body).blocked():
			return e.Passing()
		case e.Code != http.StatusBadRequest:
			return err
		}
		var ok bool
		if doc, ok = s.without(doc, reason(e.Body).field()); !ok {
			return err
		}
	}
}

// address returns where to put an alert.
func (s *Sink) address(a *alert.Alert) string {
	path := url.PathEscape(s.index(a)) + "/" + s.cfg.Type
	query := url.Values{}
	if s.cfg.Pipeline != "" {
		query.Set("pipeline", s.cfg.Pipeline)
	}
	if a.UUID != "" {
		path += "/" + url.PathEscape(a.UUID)
		query.Set("op_type", "create")
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return httpsink.Join(s.cfg.HostPort, path)
}

// index returns the name of an alert's index.
func (s *Sink) index(a *alert.Alert) string {
	layout := map[string]string{"none": "", "annually": "-2006", "monthly": "-2006.01"}
	form, ok := layout[s.cfg.Suffix]
	if !ok {
		form = "-2006.01.02"
	}
	return s.cfg.Index + a.Time.UTC().Format(form)
}

// prepare makes the index template if there is none.
func (s *Sink) prepare(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready {
		return nil
	}
	where := httpsink.Join(s.cfg.HostPort, "_index_template/falco")
	_, err := s.sender.Do(ctx, httpsink.Request{Method: http.MethodGet, URL: where})
	var e *httpsink.Error
	if errors.As(err, &e) && e.Code == http.StatusNotFound {
		var body []byte
		if body, err = httpsink.Encode(newTemplate(s.cfg)); err != nil {
			return s.sender.Refuse(err.Error())
		}
		if _, err = s.sender.Do(ctx, httpsink.Request{Method: http.MethodPut, URL: where, Body: body}); err != nil {
			return fmt.Errorf("making the index template: %w", httpsink.Passing(err))
		}
	}
	s.ready = err == nil
	return httpsink.Passing(err)
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
