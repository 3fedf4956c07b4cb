// Package cloudevents posts alerts as CloudEvents 1.0, in HTTP's binary form, in Falcosidekick's words. The uuid is the
// event's id, by which a receiver knows one that comes again. What is not printable ASCII in values of headers is escaped as
// the HTTP binding says (cloudevents.io, "HTTP Protocol Binding", §3.1.3.2).
package cloudevents

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Address    string            // address: where to post; the destination is off without
	Extensions map[string]string // extensions: attributes to add
	HTTP       httpsink.Options  // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("address", &c.Address, "", "where to post").Required(),
		setting.Map("extensions", &c.Extensions, "attributes to add, as name:value"),
	)
}

// Sink posts alerts.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	for name := range cfg.Extensions {
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
			return nil, fmt.Errorf("cloudevents: the name of the extension %q must be of small letters and digits", name)
		}
	}
	sender, err := httpsink.New(httpsink.Config{Name: "cloudevents", URL: cfg.Address, Options: cfg.HTTP})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send posts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	header := map[string]string{
		"Ce-Specversion": "1.0", "Ce-Id": escape(a.UUID), "Ce-Source": "https://falco.org", "Ce-Type": "falco.rule.output.v1",
		"Ce-Time": a.Time.UTC().Format(time.RFC3339Nano), "Ce-Priority": a.Priority.String(), "Ce-Rule": escape(a.Rule), "Ce-Eventsource": escape(a.Source),
	}
	if a.UUID == "" { // every event needs an id; the same alert has the same
		sum := sha256.Sum256(a.AppendSidekick(nil))
		header["Ce-Id"] = hex.EncodeToString(sum[:16])
	}
	if a.Hostname != "" {
		header["Ce-Hostname"] = escape(a.Hostname)
	}
	for name, value := range s.cfg.Extensions {
		header["Ce-"+name] = escape(value)
	}
	_, err := s.sender.Do(ctx, httpsink.Request{Body: a.AppendSidekick(nil), ContentType: "application/json", Header: header})
	return err
}

// escape escapes the value of an attribute for a header: percent signs and what is not printable ASCII. The binding wants
// blanks and quotes escaped too, but Falcosidekick sends them as they are, and filters of receivers that compare a rule's name
// without decoding it rely on that.
func escape(s string) string {
	var b strings.Builder
	for _, c := range []byte(strings.ToValidUTF8(s, "\uFFFD")) {
		if c < ' ' || c == '%' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	return b.String()
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
