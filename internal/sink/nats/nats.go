// Package nats publishes alerts to a NATS server, as Falcosidekick's JSON.
//
// An alert counts as delivered when the server has taken it; who is not subscribed then does not get it, which is NATS. It
// differs from Falcosidekick in that one connection is kept, TLS settings take effect, a server that forbids the subject is an
// error, and an alert that is larger than the server takes is refused for good.
package nats

import (
	"context"

	"github.com/nats-io/nats.go"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/wire"
)

// DefaultSubject is the subject that Falcosidekick publishes to.
const DefaultSubject = "falco.<priority>.<rule>"

// Config is the destination's configuration.
type Config struct {
	Server  Server
	Subject string // subjecttemplate: with places for the priority and the rule
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.Server.Settings(),
		setting.Text("subjecttemplate", &c.Subject, DefaultSubject, "subject, with places for <priority> and <rule>"),
	)
}

// Sink publishes alerts.
type Sink struct {
	cfg  Config
	link *wire.Link[*nats.Conn]
}

// New returns a sink. It fails when the address or a file cannot be used. It does not connect.
func New(cfg Config) (*Sink, error) {
	link, err := Link(cfg.Server, "nats", func(_ context.Context, conn *nats.Conn) (*nats.Conn, error) { return conn, nil }, (*nats.Conn).Close)
	if err != nil {
		return nil, err
	}
	return &Sink{cfg, link}, nil
}

// Send publishes an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	return s.link.Do(ctx, func(ctx context.Context, conn *nats.Conn) error {
		if err := s.publish(conn, a); err != nil {
			return err
		}
		return Flush(ctx, conn)
	})
}

// SendBatch publishes several alerts and waits once. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	return s.link.DoAll(ctx, len(alerts), func(ctx context.Context, conn *nats.Conn) []error {
		errs := make([]error, len(alerts))
		for i, a := range alerts {
			errs[i] = s.publish(conn, a)
		}
		if err := Flush(ctx, conn); err != nil {
			for i := range errs {
				if errs[i] == nil {
					errs[i] = err
				}
			}
		}
		return errs
	})
}

func (s *Sink) publish(conn *nats.Conn, a *alert.Alert) error {
	data := a.AppendSidekick(nil)
	if most := conn.MaxPayload(); int64(len(data)) > most {
		return wire.Oversized(int64(len(data)), most)
	}
	return conn.Publish(message.Subject(s.cfg.Subject, a), data)
}

// Close closes the connection.
func (s *Sink) Close(ctx context.Context) error { return s.link.Close(ctx) }
