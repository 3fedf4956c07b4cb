// Package syslogremote sends alerts to a log server, Falcosidekick's destination "syslog": over UDP or TCP in the form of RFC 3164 as
// Go's log/syslog writes it, which is Falcosidekick's, or in that of RFC 5424, and over TLS as RFC 5425 says. Falco's own
// syslog_output, to the daemon of the same machine, is another package.
//
// Over TCP an alert counts as sent when the server's system has acknowledged it (see wire.Stream): syslog has no answers. Over
// UDP nobody can tell; a datagram has at most maxsize bytes, of which longer texts are cut.
//
// It differs from Falcosidekick in that the connection is kept, the time is the alert's and not that of sending, CEF is
// escaped and its fields are in order, and in what it did not have: TLS, RFC 5424, octet counting, the facility, sizes.
package syslogremote

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/wire"
)

// Config is the destination's configuration.
type Config struct {
	Host     string           // host: name or address of the server; the destination is off without
	Port     int              // port: its port; 0 is 514, or 6514 with TLS
	Protocol string           // protocol: tcp, udp, tls
	Format   string           // format: json, cef
	RFC      string           // rfc: 3164, 5424
	Framing  string           // framing: of what is sent over TCP: newline, octets; auto is octets with TLS
	Facility string           // facility: kern, user, daemon, auth, local0 to local7
	MaxSize  int              // maxsize: bytes of a message; 0 is 8192 over UDP, and no limit else
	TLS      httpsink.Options // checkcert, mutualtls, timeout
}

// facilities are the numbers of those that can be chosen (RFC 5424, table 1).
var facilities = map[string]int{
	"kern": 0, "user": 1, "daemon": 3, "auth": 4, "local0": 16, "local1": 17, "local2": 18, "local3": 19, "local4": 20, "local5": 21, "local6": 22, "local7": 23,
}

// Settings binds Falcosidekick's keys, and ours.
func (c *Config) Settings() setting.List {
	return append(c.TLS.Settings(),
		setting.Text("host", &c.Host, "", "name or address of the server").Required(),
		setting.Int("port", &c.Port, 0, 0, "its port; 0 is 514, or 6514 with TLS"),
		setting.Choice("protocol", &c.Protocol, "transport", "tcp", "udp", "tls"),
		setting.Choice("format", &c.Format, "form of the alert", "json", "cef"),
		setting.Choice("rfc", &c.RFC, "RFC that says what is before the alert", "3164", "5424"),
		setting.Choice("framing", &c.Framing, "how messages are told apart over TCP; auto is octets (counted, RFC 6587) with TLS, and newline without", "auto", "newline", "octets"),
		setting.Choice("facility", &c.Facility, "facility", "kern", "user", "daemon", "auth", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"),
		setting.Int("maxsize", &c.MaxSize, 0, 0, "bytes of a message, longer texts are cut; 0 is 8192 over UDP and no limit else"),
	)
}

// The size of a datagram that common servers take whole: that of rsyslog.
const datagramSize = 8192

// smallest is the least room for an alert: what every server takes (RFC 3164, section 4.1).
const smallest = 1024

// largest is what a datagram can hold over IPv4, less a line feed (RFC 768).
const largest = 65506

// line is what messages are sent over.
type line interface {
	Send(ctx context.Context, p []byte) error
	HangUp()
}

// Sink sends alerts.
type Sink struct {
	cfg    Config
	octets bool
	host   string // of this machine
	pid    int
	link   *wire.Link[line]
}

// New returns a sink. It fails when a file of certificates cannot be used.
func New(cfg Config) (*Sink, error) {
	if cfg.Port == 0 {
		cfg.Port = 514
		if cfg.Protocol == "tls" {
			cfg.Port = 6514
		}
	}
	if cfg.MaxSize == 0 && cfg.Protocol == "udp" {
		cfg.MaxSize = datagramSize
	}
	if cfg.MaxSize != 0 && cfg.MaxSize < smallest {
		return nil, fmt.Errorf("syslog: maxsize is %d, it must be 0 or at least %d", cfg.MaxSize, smallest)
	}
	if cfg.Protocol == "udp" && cfg.MaxSize > largest {
		return nil, fmt.Errorf("syslog: maxsize is %d, a datagram has at most %d", cfg.MaxSize, largest)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("syslog: reading the name of this machine: %w", err)
	}
	var config *tls.Config
	if cfg.Protocol == "tls" {
		if config, err = cfg.TLS.TLS(); err != nil {
			return nil, fmt.Errorf("syslog: %w", err)
		}
	}
	address := net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port))
	dial := func(ctx context.Context) (line, error) {
		if cfg.Protocol == "udp" {
			return wire.DialDatagrams(ctx, address)
		}
		return wire.DialStream(ctx, address, config)
	}
	return &Sink{
		cfg: cfg, octets: cfg.Framing == "octets" || cfg.Framing != "newline" && config != nil, host: host, pid: os.Getpid(),
		link: wire.New(wire.Config{Name: "syslog", Where: cfg.Protocol + "://" + address, Timeout: cfg.TLS.Timeout}, dial, line.HangUp),
	}, nil
}

// Send sends an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	if s.cfg.MaxSize > 0 {
		a = message.Fit(a, s.cfg.MaxSize, func(a *alert.Alert) int { return len(s.message(a)) })
	}
	text := s.message(a)
	if s.cfg.MaxSize > 0 && len(text) > s.cfg.MaxSize {
		return wire.Oversized(int64(len(text)), int64(s.cfg.MaxSize))
	}
	return s.link.Do(ctx, func(ctx context.Context, l line) error { return l.Send(ctx, s.frame(text)) })
}

// frame makes a message one that can be told from the next.
func (s *Sink) frame(text []byte) []byte {
	switch {
	case s.cfg.Protocol == "udp" && s.cfg.RFC == "5424":
		return text
	case s.octets && s.cfg.Protocol != "udp":
		return append(append(strconv.AppendInt(nil, int64(len(text)), 10), ' '), text...) // RFC 6587, section 3.4.1
	}
	return append(text, '\n')
}

// Close closes the connection.
func (s *Sink) Close(ctx context.Context) error { return s.link.Close(ctx) }
