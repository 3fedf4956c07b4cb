// Package otlp sends to receivers of the OpenTelemetry protocol, for the destinations of traces, logs and metrics: over HTTP with
// Protobuf, or over gRPC (opentelemetry.io/docs/specs/otlp). A sink encodes a request; connections, credentials, time limits
// and what an answer means are here.
//
// The requests are encoded from the protocol's own definitions, without OpenTelemetry's SDK: that has queues and repeats of its own, which
// lose what they hold when the program ends and answer before a server has.
//
// An answer of partial success says how many items the receiver has refused, but not which. For a single item that is a
// permanent error. For several, each is sent again by itself, so that each gets an answer of its own; those that were taken
// come twice.
package otlp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is what the three destinations have in common.
type Config struct {
	Endpoint string            // endpoint: URL, with a path or without; the destination is off without
	Protocol string            // protocol: http/protobuf, grpc
	Timeout  time.Duration     // timeout: of a request with its answer
	Headers  string            // headers: to send, as name=value with commas
	Extra    map[string]string // extraenvvars: OTEL_* variables, which go before the other settings and the environment's
	Encrypt  bool              // tls: encrypt whatever the endpoint's scheme is
	TLS      httpsink.Options  // checkcert, mutualtls
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.TLS.TLSSettings(),
		setting.Text("endpoint", &c.Endpoint, "", "URL of the receiver; its path may be left out").Required(),
		setting.Choice("protocol", &c.Protocol, "protocol", "http/protobuf", "grpc"),
		setting.Milliseconds("timeout", &c.Timeout, httpsink.DefaultTimeout, "longest time that a request may take; a number without a unit is in milliseconds"),
		setting.Text("headers", &c.Headers, "", "headers to send, as name=value with commas between them").Secret(),
		setting.Map("extraenvvars", &c.Extra, "OTEL_* variables, which go before the other settings").Secret(),
		setting.Bool("tls", &c.Encrypt, false, "encrypt, whatever the scheme of the endpoint is"),
	)
}

// Signal is one kind of what is sent.
type Signal struct {
	Name    string // of the destination, in errors: otlp.traces
	Word    string // TRACES, LOGS, METRICS, as in the names of variables
	Path    string // /v1/traces
	Service string // opentelemetry.proto.collector.trace.v1.TraceService
}

// Client sends requests of one signal.
type Client struct {
	signal   Signal
	resource []Attribute
	options  map[string]string
	post     poster
}

// poster sends an encoded request and returns the encoded answer.
type poster interface {
	post(ctx context.Context, body []byte) ([]byte, error)
	refuse(reason string) error
	close()
}

// Attribute is a name and a text.
type Attribute struct{ Name, Value string }

// New returns a client. It fails when the endpoint, a header or a certificate cannot be used; the server need not be there.
func New(signal Signal, cfg Config) (*Client, error) {
	c := &Client{signal: signal, options: cfg.Extra}
	if err := c.override(&cfg); err != nil {
		return nil, fmt.Errorf("%s: %w", signal.Name, err)
	}
	headers, err := pairs(cfg.Headers)
	if err != nil {
		return nil, fmt.Errorf("%s: headers: %w", signal.Name, err)
	}
	u, err := endpoint(cfg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", signal.Name, err)
	}
	cfg.TLS.Timeout = cfg.Timeout
	header := map[string]string{}
	for _, h := range headers {
		header[h.Name] = h.Value
	}
	if c.resource, err = c.describe(); err != nil {
		return nil, fmt.Errorf("%s: %w", signal.Name, err)
	}
	compress, err := c.compress()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", signal.Name, err)
	}
	if cfg.Protocol == "grpc" {
		c.post, err = newGRPC(signal, cfg, u, header, compress)
		return c, err
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = signal.Path
	}
	sender, err := httpsink.New(httpsink.Config{Name: signal.Name, URL: u.String(), Options: cfg.TLS, Header: header, Gzip: compress})
	if err != nil {
		return nil, err
	}
	c.post = web{sender}
	return c, nil
}

// option returns a variable: that of the signal, or that of all signals; from the configuration, or else from the environment, where
// OpenTelemetry's SDK reads it.
func (c *Client) option(name string) string {
	for _, full := range []string{"OTEL_EXPORTER_OTLP_" + c.signal.Word + "_" + name, "OTEL_EXPORTER_OTLP_" + name} {
		if v := c.Option(full); v != "" {
			return v
		}
	}
	return ""
}

// Option returns a variable by its whole name.
func (c *Client) Option(name string) string {
	if v := c.options[name]; v != "" {
		return v
	}
	return os.Getenv(name)
}

// override puts variables in the place of settings.
func (c *Client) override(cfg *Config) error {
	given := func(p *string, name string) {
		for _, full := range []string{"OTEL_EXPORTER_OTLP_" + c.signal.Word + "_" + name, "OTEL_EXPORTER_OTLP_" + name} {
			if v := c.options[full]; v != "" {
				*p = v
				return
			}
		}
	}
	given(&cfg.Endpoint, "ENDPOINT")
	given(&cfg.Protocol, "PROTOCOL")
	given(&cfg.Headers, "HEADERS")
	if cfg.Headers == "" {
		cfg.Headers = c.option("HEADERS")
	}
	if v := c.option("CERTIFICATE"); v != "" && cfg.TLS.CAFile == "" {
		cfg.TLS.CAFile = v
	}
	if cert, key := c.option("CLIENT_CERTIFICATE"), c.option("CLIENT_KEY"); cert != "" && key != "" && !cfg.TLS.MutualTLS {
		cfg.TLS.MutualTLS, cfg.TLS.CertFile, cfg.TLS.KeyFile = true, cert, key
		if cfg.TLS.ClientCA == "" {
			cfg.TLS.ClientCA = cfg.TLS.CAFile
		}
	}
	timeout := ""
	given(&timeout, "TIMEOUT")
	if timeout != "" {
		n, err := strconv.Atoi(timeout)
		if err != nil || n <= 0 {
			return fmt.Errorf("the variable for the timeout is %q, it must be a number of milliseconds", timeout)
		}
		cfg.Timeout = time.Duration(n) * time.Millisecond
	}
	switch cfg.Protocol = strings.ToLower(cfg.Protocol); cfg.Protocol {
	case "", "http/protobuf", "grpc":
		return nil
	}
	return fmt.Errorf("protocol is %q, it must be http/protobuf or grpc", cfg.Protocol)
}

func (c *Client) compress() (bool, error) {
	switch v := c.option("COMPRESSION"); v {
	case "", "none":
		return false, nil
	case "gzip":
		return true, nil
	default:
		return false, fmt.Errorf("the variable for the compression is %q, it must be gzip or none", v)
	}
}

// describe returns what says who sends.
func (c *Client) describe() ([]Attribute, error) {
	out := []Attribute{{"service.name", "falco"}, {"service.version", "v0.1.0"}}
	more, err := pairs(c.Option("OTEL_RESOURCE_ATTRIBUTES"))
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	if name := c.Option("OTEL_SERVICE_NAME"); name != "" {
		more = append(more, Attribute{"service.name", name})
	}
next:
	for _, m := range more {
		for i := range out {
			if out[i].Name == m.Name {
				out[i] = m
				continue next
			}
		}
		out = append(out, m)
	}
	return out, nil
}

// pairs reads name=value with commas, percent-encoded (opentelemetry.io/docs/specs/otel/protocol/exporter). The error shows no value.
func pairs(text string) ([]Attribute, error) {
	var out []Attribute
	for part := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		plain, err := url.PathUnescape(strings.TrimSpace(value))
		if !ok || name == "" || err != nil {
			return nil, errors.New("it must be name=value with commas between them, percent-encoded (it is not shown, it may hold a secret)")
		}
		out = append(out, Attribute{name, plain})
	}
	return out, nil
}

// endpoint returns the address. Its scheme says whether to encrypt: https does, http does not unless tls says so, and without
// a scheme it is not done only when both tls and checkcert are off, as Falcosidekick documents it.
func endpoint(cfg Config) (*url.URL, error) {
	text := strings.TrimSpace(cfg.Endpoint)
	bare := !strings.Contains(text, "://")
	if bare {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("the endpoint is not a URL that begins with http:// or https:// and a host (it is not shown, it may hold a secret)")
	}
	switch {
	case cfg.Encrypt:
		u.Scheme = "https"
	case bare && cfg.TLS.Insecure:
		u.Scheme = "http"
	}
	return u, nil
}

// Export sends a request with n items and returns an error unless all are taken.
func (c *Client) Export(ctx context.Context, request proto.Message, n int) error {
	body, err := proto.MarshalOptions{Deterministic: true}.Marshal(request)
	if err != nil {
		return c.post.refuse(fmt.Sprintf("encoding: %v", err))
	}
	answer, err := c.post.post(ctx, body)
	if err != nil {
		return err
	}
	rejected, reason := partial(answer)
	if rejected <= 0 {
		return nil
	}
	return c.post.refuse(fmt.Sprintf("the receiver refuses %d of %d: %s", rejected, n, httpsink.Excerpt(reason)))
}

// Together sends several alerts with one request, which all makes. When the receiver refuses it, or a part, each is sent by
// itself. It returns nil when all are taken, or else an error or nil for each.
func (c *Client) Together(ctx context.Context, alerts []*alert.Alert, all func() error, one func(context.Context, *alert.Alert, []byte) error) []error {
	return httpsink.Together(ctx, alerts, all, one)
}

// partial reads what the answers of all signals have in common: in field 1 the number of refused items and the reason.
func partial(answer []byte) (rejected int64, reason string) {
	success := field(answer, 1)
	for len(success) > 0 {
		number, kind, n := protowire.ConsumeTag(success)
		if n < 0 {
			return rejected, reason
		}
		success = success[n:]
		switch {
		case number == 1 && kind == protowire.VarintType:
			v, _ := protowire.ConsumeVarint(success)
			rejected = int64(v)
		case number == 2 && kind == protowire.BytesType:
			text, _ := protowire.ConsumeBytes(success)
			reason = string(text)
		}
		if n = protowire.ConsumeFieldValue(number, kind, success); n < 0 {
			return rejected, reason
		}
		success = success[n:]
	}
	return rejected, reason
}

// field returns the last value of a field that holds a message.
func field(message []byte, want protowire.Number) (value []byte) {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return value
		}
		message = message[n:]
		if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
			return value
		}
		if number == want && kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(message)
		}
		message = message[n:]
	}
	return value
}

// Close closes the connections.
func (c *Client) Close() { c.post.close() }

// web sends over HTTP.
type web struct{ sender *httpsink.Sender }

func (w web) post(ctx context.Context, body []byte) ([]byte, error) {
	return w.sender.Do(ctx, httpsink.Request{Body: body, ContentType: "application/x-protobuf"})
}

func (w web) refuse(reason string) error { return w.sender.Refuse(reason) }
func (w web) close()                     { w.sender.Close() }
