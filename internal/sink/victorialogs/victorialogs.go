// Package victorialogs posts alerts to VictoriaLogs as lines of JSON: Falcosidekick's, with the output as the message and the
// alert's time as its time; VictoriaLogs joins the names of output_fields with dots. Falcosidekick does not have this
// destination.
//
// VictoriaLogs answers with success even for a line that it drops for its length (-insert.maxLineSizeBytes); an alert with a
// longer line is refused for good. It does not recognise an alert that comes again; its uuid is a field.
package victorialogs

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	HostPort      string            // hostport: address of the server; the destination is off without
	StreamFields  []string          // streamfields: fields whose values make a stream
	User          string            // user: of basic authentication
	Password      string            // password: of basic authentication
	AccountID     string            // accountid: of the tenant
	ProjectID     string            // projectid: of the tenant
	Largest       int               // maxlinebytes: bytes of a line that the server takes
	CustomHeaders map[string]string // customheaders: headers to send
	HTTP          httpsink.Options  // checkcert, mutualtls, timeout
}

// Settings binds the keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("hostport", &c.HostPort, "", "address of the server").Required(),
		setting.Strings("streamfields", &c.StreamFields, "hostname,source,priority,rule", "fields whose values make a stream"),
		setting.Text("user", &c.User, "", "user, of basic authentication"),
		setting.Text("password", &c.Password, "", "password, of basic authentication").Secret(),
		setting.Text("accountid", &c.AccountID, "", "account of the tenant, a number"),
		setting.Text("projectid", &c.ProjectID, "", "project of the tenant, a number"),
		setting.Int("maxlinebytes", &c.Largest, 256<<10, 1024, "bytes of the longest line that the server takes; a longer one is refused for good"),
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
	for name, value := range map[string]string{"AccountID": cfg.AccountID, "ProjectID": cfg.ProjectID} {
		if value == "" {
			continue
		}
		if _, err := strconv.ParseUint(value, 10, 32); err != nil {
			return nil, fmt.Errorf("victorialogs: %s is %q, it must be a number", strings.ToLower(name), value)
		}
		header[name] = value
	}
	maps.Copy(header, cfg.CustomHeaders)
	query := url.Values{"_msg_field": {"output"}, "_time_field": {"time"}}
	if len(cfg.StreamFields) > 0 {
		query.Set("_stream_fields", strings.Join(cfg.StreamFields, ","))
	}
	sender, err := httpsink.New(httpsink.Config{
		Name: "victorialogs", URL: httpsink.Join(cfg.HostPort, "insert/jsonline?"+query.Encode()), Options: cfg.HTTP, User: cfg.User, Password: cfg.Password, Header: header,
	})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error { return s.post(ctx, a) }

// SendBatch posts several alerts with one request. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	return httpsink.Together(ctx, alerts, func() error { return s.post(ctx, alerts...) }, s.Send)
}

func (s *Sink) post(ctx context.Context, alerts ...*alert.Alert) error {
	var body []byte
	for _, a := range alerts {
		line := httpsink.Event(a)
		if len(line) > s.cfg.Largest {
			return s.sender.Refuse(fmt.Sprintf("the alert has %d bytes, the server takes at most %d in a line", len(line), s.cfg.Largest))
		}
		body = append(body, line...)
	}
	_, err := s.sender.Do(ctx, httpsink.Request{Body: body, ContentType: "application/stream+json"})
	return err
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
