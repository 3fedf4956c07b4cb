// Package wavefront reports alerts to Wavefront (VMware Aria Operations for Applications) as points of a metric, whose value is
// 1: to its API over HTTPS (endpointtype direct), or to a proxy of its own that takes lines over TCP (proxy).
//
// The point is that of Falcosidekick's library, with the alert's time in nanoseconds. Its tags are the severity, rule, source,
// hostname and tags, and the fields that are texts. A tag has at most 254 characters with its name (docs.wavefront.com,
// "Wavefront data format best practices"), so longer values are cut.
//
// A proxy does not answer: a point counts as sent when its system has acknowledged it (see wire.Stream).
package wavefront

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/wire"
)

// Config is the destination's configuration.
type Config struct {
	Type          string           // endpointtype: direct, proxy; the destination is off without
	Host          string           // endpointhost: host, with a scheme or without; the destination is off without
	Token         string           // endpointtoken: token, of the API
	Port          int              // endpointmetricport: port of the proxy
	Metric        string           // metricname: name of the metric
	BatchSize     int              // batchsize: points of a request
	FlushInterval int              // flushintervalseconds: without effect: points wait in the durable queue, and for as long as that says
	HTTP          httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("endpointtype", &c.Type, "", "what to send to: direct, proxy").Required(),
		setting.Text("endpointhost", &c.Host, "", "host of the API or of the proxy").Required(),
		setting.Text("endpointtoken", &c.Token, "", "token, of the API").Secret(),
		setting.Int("endpointmetricport", &c.Port, 2878, 1, "port of the proxy"),
		setting.Text("metricname", &c.Metric, "falco.alert", "name of the metric"),
		setting.Int("batchsize", &c.BatchSize, 10000, 1, "points of a request"),
		setting.Int("flushintervalseconds", &c.FlushInterval, 1, 0, "without effect: points wait in the durable queue"),
	)
}

// Sink reports alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender         // of the API; nil with a proxy
	link   *wire.Link[*wire.Stream] // to the proxy; nil without
}

// New returns a sink. It fails when the type, the address or a certificate cannot be used.
func New(cfg Config) (*Sink, error) {
	switch strings.ToLower(cfg.Type) {
	case "direct":
		address := cfg.Host
		if !strings.Contains(address, "://") {
			address = "https://" + address
		}
		header := map[string]string{}
		if cfg.Token != "" {
			header["Authorization"] = "Bearer " + cfg.Token
		}
		sender, err := httpsink.New(httpsink.Config{Name: "wavefront", URL: httpsink.Join(address, "report?f=wavefront"), Options: cfg.HTTP, Header: header, Gzip: true})
		return &Sink{cfg: cfg, sender: sender}, err
	case "proxy":
		address := net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port))
		dial := func(ctx context.Context) (*wire.Stream, error) { return wire.DialStream(ctx, address, nil) }
		return &Sink{cfg: cfg, link: wire.New(wire.Config{Name: "wavefront", Where: "tcp://" + address, Timeout: cfg.HTTP.Timeout}, dial, (*wire.Stream).HangUp)}, nil
	}
	return nil, fmt.Errorf("wavefront: endpointtype is %q, it must be direct or proxy", cfg.Type)
}

// Send reports an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	return s.report(ctx, []*alert.Alert{a})
}

// SendBatch reports several alerts at once. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	var errs []error
	failed := false
	for len(alerts) > 0 {
		part := alerts[:min(len(alerts), max(s.cfg.BatchSize, 1))]
		alerts = alerts[len(part):]
		these := httpsink.Together(ctx, part, func() error { return s.report(ctx, part) }, s.Send)
		if failed = failed || these != nil; these == nil {
			these = make([]error, len(part))
		}
		errs = append(errs, these...)
	}
	if !failed {
		return nil
	}
	return errs
}

func (s *Sink) report(ctx context.Context, alerts []*alert.Alert) error {
	var lines []byte
	for _, a := range alerts {
		lines = append(lines, s.point(a)...)
	}
	if s.sender != nil {
		_, err := s.sender.Do(ctx, httpsink.Request{Body: lines, ContentType: "application/octet-stream"})
		return err
	}
	return s.link.Do(ctx, func(ctx context.Context, stream *wire.Stream) error { return stream.Send(ctx, lines) })
}

// point returns the alert's line.
func (s *Sink) point(a *alert.Alert) []byte {
	b := []byte(`"` + metricName(s.cfg.Metric) + `" 1 `)
	b = strconv.AppendInt(b, a.Time.UnixNano(), 10)
	b = append(b, ` source="falco-exporter"`...)
	taken := map[string]bool{"": true}
	tag := func(key, value string) {
		key = metricName(key)
		value = strings.TrimSpace(strings.ToValidUTF8(value, "\uFFFD"))
		if key = key[:min(len(key), tagSize/2)]; taken[key] || value == "" {
			return
		}
		taken[key] = true
		value = message.Cut(value, tagSize-len(key))
		b = append(b, ` "`+key+`"="`+quote(value)+`"`...)
	}
	tag("severity", a.Priority.String())
	tag("rule", a.Rule)
	tag("source", a.Source)
	tag("hostname", a.Hostname)
	tag("tags", strings.Join(a.Tags, ", "))
	for _, p := range message.Texts(a) {
		tag(p.Key, p.Value)
	}
	return append(b, '\n')
}

// tagSize is how many characters the name and value of a tag may have together.
const tagSize = 254

// quote escapes a value. Backslashes stand for themselves but before a quote, so one there, or at the end, is an underline.
func quote(s string) string {
	s = strings.NewReplacer(`\"`, `_\"`, `"`, `\"`, "\n", `\n`, "\r", " ").Replace(s)
	if end, ok := strings.CutSuffix(s, `\`); ok {
		return end + "_"
	}
	return s
}

// metricName returns a name of letters, digits and what else Wavefront takes in one.
func metricName(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./", r) {
			return r
		}
		return '-'
	}, s)
}

// Close closes the connections.
func (s *Sink) Close(ctx context.Context) error {
	if s.sender != nil {
		s.sender.Close()
		return nil
	}
	return s.link.Close(ctx)
}
