// Package rabbitmq publishes alerts to a queue of RabbitMQ, as Falcosidekick's JSON.
//
// An alert counts as delivered when the server has confirmed it, and it is persistent: a durable queue has it after a restart.
// Its uuid is the message's id. It differs from Falcosidekick in that the connection and its channel are made anew when they
// break, and that a queue that does not exist is an error, where the server would throw the alert away.
package rabbitmq

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/wire"
)

// Config is the destination's configuration.
type Config struct {
	URL   string           // url: address of the server, with user and password
	Queue string           // queue: its name
	TLS   httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.TLS.Settings(),
		setting.Text("url", &c.URL, "", "address of the server: amqp:// or amqps:// with user, password and host").Secret().Required(),
		setting.Text("queue", &c.Queue, "", "queue to publish to; it must be there").Required(),
	)
}

// Sink publishes alerts.
type Sink struct {
	cfg  Config
	tls  *tls.Config
	link *wire.Link[*connection]
}

// New returns a sink. It fails when the address or a certificate cannot be used. It does not connect.
func New(cfg Config) (*Sink, error) {
	addresses, err := wire.Addresses("rabbitmq", cfg.URL, "amqp", "amqps")
	if err != nil {
		return nil, err
	}
	if _, err := amqp.ParseURI(addresses[0].String()); err != nil {
		return nil, errors.New("rabbitmq: the address is not one that AMQP has (it is not shown, it may hold a secret)")
	}
	s := &Sink{cfg: cfg}
	s.cfg.URL = addresses[0].String()
	if s.tls, err = cfg.TLS.TLS(); err != nil {
		return nil, wire.Setup("rabbitmq", err)
	}
	s.link = wire.New(wire.Config{
		Name: "rabbitmq", Where: wire.Where(addresses[:1]), Secrets: wire.Secrets(addresses), Timeout: cfg.TLS.Timeout,
	}, s.dial, (*connection).hangUp)
	return s, nil
}

// window is how many alerts are published before their confirmations are waited for. The channel of returned ones holds as
// many: the library stops reading while it is full.
const window = 1024

// connection is a connection with a channel that confirms.
type connection struct {
	*amqp.Connection
	conn     net.Conn
	channel  *amqp.Channel
	closed   chan *amqp.Error
	returned chan amqp.Return
}

func (c *connection) hangUp() { c.conn.Close() }

func (s *Sink) dial(ctx context.Context) (*connection, error) {
	c := &connection{}
	var stop func() bool
	config := amqp.Config{TLSClientConfig: s.tls.Clone(), Dial: func(network, address string) (conn net.Conn, err error) {
		if c.conn, err = (&net.Dialer{}).DialContext(ctx, network, address); err == nil {
			stop = context.AfterFunc(ctx, func() { c.conn.Close() })
		}
		return c.conn, err
	}}
	var err error
	c.Connection, err = amqp.DialConfig(s.cfg.URL, config)
	if err == nil {
		err = c.open()
	}
	if stop != nil {
		stop()
	}
	if err != nil && c.conn != nil {
		c.conn.Close()
	}
	return c, err
}

// open opens a channel.
func (c *connection) open() (err error) {
	if c.channel, err = c.Channel(); err != nil {
		return err
	}
	c.closed = c.channel.NotifyClose(make(chan *amqp.Error, 1))
	c.returned = c.channel.NotifyReturn(make(chan amqp.Return, window))
	return c.channel.Confirm(false)
}

// Send publishes an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	errs := s.send(ctx, []*alert.Alert{a})
	if errs == nil {
		return nil
	}
	return errs[0]
}

// SendBatch publishes several alerts, and waits for the confirmations together. It returns nil, or an error or nil for each
// alert. A server that refuses one closes the channel and does not say which: they are then sent one by one.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	var out []error
	for len(alerts) > 0 {
		part := alerts[:min(len(alerts), window)]
		alerts = alerts[len(part):]
		errs := httpsink.Together(ctx, part, func() error {
			out := s.send(ctx, part)
			return errors.Join(out...)
		}, s.Send)
		if errs == nil {
			errs = make([]error, len(part))
		}
		out = append(out, errs...)
	}
	if errors.Join(out...) == nil {
		return nil
	}
	return out
}

func (s *Sink) send(ctx context.Context, alerts []*alert.Alert) []error {
	return s.link.DoAll(ctx, len(alerts), func(ctx context.Context, c *connection) []error {
		if c.channel.IsClosed() {
			if err := c.open(); err != nil {
				return wire.Same(err, len(alerts))
			}
		}
		return c.publish(ctx, s.cfg.Queue, alerts)
	})
}

// publish publishes up to as many alerts as the window has.
func (c *connection) publish(ctx context.Context, queue string, alerts []*alert.Alert) []error {
	errs := make([]error, len(alerts))
	confirmations := make([]*amqp.DeferredConfirmation, len(alerts))
	index := map[string]int{}
	for i, a := range alerts {
		id := wire.ID(a)
		index[id] = i
		confirmations[i], errs[i] = c.channel.PublishWithDeferredConfirmWithContext(ctx, "", queue, true, false, amqp.Publishing{
			ContentType: "text/plain", DeliveryMode: amqp.Persistent, MessageId: id, Body: a.AppendSidekick(nil),
		})
	}
	for i, confirmation := range confirmations {
		if errs[i] != nil {
			continue
		}
		taken, err := confirmation.WaitContext(ctx)
		switch {
		case err != nil:
			errs[i] = err
		case !taken:
			errs[i] = errors.New("the server has not taken the alert")
		}
	}
	for { // a return comes before its confirmation
		select {
		case r := <-c.returned:
			if i, ok := index[r.MessageId]; ok {
				errs[i] = fmt.Errorf("the queue %q does not take the alert: %s", queue, r.ReplyText)
			}
			continue
		case e := <-c.closed:
			if e == nil {
				break
			}
			for i := range errs {
				if errs[i] == nil {
					continue // it was confirmed before
				}
				if errs[i] = e; e.Code == amqp.PreconditionFailed { // larger than the server takes
					errs[i] = wire.Refuse("%w", e)
				}
			}
		default:
		}
		return errs
	}
}

// Close closes the connection.
func (s *Sink) Close(ctx context.Context) error { return s.link.Close(ctx) }
