// Package logstash sends alerts to Logstash, for its input "tcp" with the codec "json_lines": a line of JSON for each over TCP,
// with or without TLS, in Falcosidekick's form. In names of fields, "[0]" is ".0": Logstash takes brackets for references.
//
// An alert counts as sent when the server's system has acknowledged it (see wire.Stream): the protocol has no answers. Unlike
// Falcosidekick, which connects once at its start, it connects again whenever the connection is gone.
package logstash

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/wire"
)

// Config is the destination's configuration.
type Config struct {
	Address    string           // address: name or address of the server; the destination is off without
	Port       int              // port: its port
	Encrypt    bool             // tls: encrypt; implied by mutualtls
	CertFile   string           // certfile: client certificate, in place of that of all destinations
	KeyFile    string           // keyfile: its key
	CACertFile string           // cacertfile: authorities to trust beside the system's
	Tags       []string         // tags: tags to add
	TLS        httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.TLS.Settings(),
		setting.Text("address", &c.Address, "", "name or address of the server").Required(),
		setting.Int("port", &c.Port, 5044, 1, "its port"),
		setting.Bool("tls", &c.Encrypt, false, "encrypt; implied by mutualtls"),
		setting.Text("certfile", &c.CertFile, "", "client certificate, in place of that of all destinations"),
		setting.Text("keyfile", &c.KeyFile, "", "its key"),
		setting.Text("cacertfile", &c.CACertFile, "", "authorities to trust beside the system's"),
		setting.Strings("tags", &c.Tags, "", "tags to add"),
	)
}

// Sink sends alerts.
type Sink struct {
	tags []string
	link *wire.Link[*wire.Stream]
}

// New returns a sink. It fails when a file of certificates cannot be used.
func New(cfg Config) (*Sink, error) {
	options := cfg.TLS
	if cfg.CertFile != "" {
		options.CertFile = cfg.CertFile
	}
	if cfg.KeyFile != "" {
		options.KeyFile = cfg.KeyFile
	}
	if cfg.CACertFile != "" {
		options.ClientCA, options.CAFile = cfg.CACertFile, cfg.CACertFile
	}
	var config *tls.Config
	where := "tcp://"
	if cfg.Encrypt || options.MutualTLS {
		var err error
		if config, err = options.TLS(); err != nil {
			return nil, fmt.Errorf("logstash: %w", err)
		}
		where = "tls://"
	}
	address := net.JoinHostPort(cfg.Address, strconv.Itoa(cfg.Port))
	dial := func(ctx context.Context) (*wire.Stream, error) { return wire.DialStream(ctx, address, config) }
	return &Sink{
		tags: cfg.Tags,
		link: wire.New(wire.Config{Name: "logstash", Where: where + address, Timeout: options.Timeout}, dial, (*wire.Stream).HangUp),
	}, nil
}

// Send sends an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	return s.send(ctx, s.line(a))
}

// SendBatch sends several alerts at once. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	var lines []byte
	for _, a := range alerts {
		lines = append(lines, s.line(a)...)
	}
	if len(lines) == 0 {
		return nil
	}
	if err := s.send(ctx, lines); err != nil {
		return wire.Same(err, len(alerts))
	}
	return nil
}

func (s *Sink) send(ctx context.Context, lines []byte) error {
	return s.link.Do(ctx, func(ctx context.Context, stream *wire.Stream) error { return stream.Send(ctx, lines) })
}

// index is a position in the name of a field.
var index = regexp.MustCompile(`\[(\d+)\]`)

// line returns the alert's line.
func (s *Sink) line(a *alert.Alert) []byte {
	changed := *a
	changed.Tags = append(slices.Clone(a.Tags), s.tags...)
	changed.Fields = slices.Clone(a.Fields)
	for i, f := range changed.Fields {
		changed.Fields[i].Key = index.ReplaceAllString(f.Key, ".$1")
	}
	return append(changed.AppendSidekick(nil), '\n')
}

// Close closes the connection.
func (s *Sink) Close(ctx context.Context) error { return s.link.Close(ctx) }
