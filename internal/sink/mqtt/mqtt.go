// Package mqtt publishes alerts to a broker of MQTT 3.1.1, as Falcosidekick's JSON.
//
// With a quality of service of 1, the default, or 2, an alert counts as delivered when the broker has said that it has it; 0
// is Falcosidekick's default and loses what is under way when a connection breaks. It differs from Falcosidekick in that one
// connection is kept. MQTT 3.1.1 has no answer for a message that is too large but to hang up: where the broker has a limit,
// maxmessagebytes must be at most that, so that such an alert is refused for good and does not hold up those behind it.
package mqtt

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"net"
	"net/url"
	"strings"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/wire"
)

// Config is the destination's configuration.
type Config struct {
	Broker   string           // broker: address of the broker; the destination is off without
	Topic    string           // topic: what to publish to
	QoS      string           // qos: quality of service: 0, 1, 2
	Retained bool             // retained: the broker keeps the last alert for new subscribers
	User     string           // user
	Password string           // password
	ClientID string           // clientid: "" is another one for each connection
	Largest  int              // maxmessagebytes: bytes of an alert that the broker takes
	TLS      httpsink.Options // checkcert, mutualtls, timeout
}

// largest is what the protocol takes, with a topic of any length (MQTT 3.1.1, section 2.2.3).
const largest = 268_435_455 - 65_536 - 16

// Settings binds Falcosidekick's keys, and some of ours: clientid, maxmessagebytes.
func (c *Config) Settings() setting.List {
	return append(c.TLS.Settings(),
		setting.Text("broker", &c.Broker, "", "address of the broker: tcp://, ssl://, ws:// or wss:// with a host").Secret().Required(),
		setting.Text("topic", &c.Topic, "falco/events", "what to publish to"),
		setting.Choice("qos", &c.QoS, "quality of service", "1", "0", "2"),
		setting.Bool("retained", &c.Retained, false, "the broker keeps the last alert for new subscribers"),
		setting.Text("user", &c.User, "", "user"),
		setting.Text("password", &c.Password, "", "password").Secret(),
		setting.Text("clientid", &c.ClientID, "", "identifier of the connection; empty is another one for each"),
		setting.Int("maxmessagebytes", &c.Largest, largest, 1, "bytes of the largest alert that the broker takes; a larger one is refused for good"),
	)
}

// Sink publishes alerts.
type Sink struct {
	cfg    Config
	broker *url.URL
	tls    *tls.Config
	link   *wire.Link[connection]
}

type connection struct {
	mqtt.Client
	conn net.Conn
}

func (c connection) hangUp() {
	c.conn.Close()
	c.Disconnect(0) // ends its goroutines
}

// New returns a sink. It fails when the address or a certificate cannot be used. It does not connect.
func New(cfg Config) (*Sink, error) {
	addresses, err := wire.Addresses("mqtt", cfg.Broker, "tcp", "mqtt", "ssl", "tls", "mqtts", "ws", "wss")
	if err != nil {
		return nil, err
	}
	s := &Sink{cfg: cfg, broker: addresses[0]}
	if s.tls, err = cfg.TLS.TLS(); err != nil {
		return nil, wire.Setup("mqtt", err)
	}
	s.link = wire.New(wire.Config{
		Name: "mqtt", Where: wire.Where(addresses[:1]), Secrets: append(wire.Secrets(addresses), cfg.Password), Timeout: cfg.TLS.Timeout,
	}, s.dial, connection.hangUp)
	return s, nil
}

func (s *Sink) dial(ctx context.Context) (connection, error) {
	c := connection{}
	o := mqtt.NewClientOptions().AddBroker(s.broker.String()).SetClientID(cmp.Or(s.cfg.ClientID, "saker-"+rand.Text()[:16]))
	o.SetWriteTimeout(s.cfg.TLS.Timeout).SetAutoReconnect(false).SetConnectRetry(false).SetCleanSession(true).SetProtocolVersion(4)
	if u := s.broker.User; u != nil {
		password, _ := u.Password()
		o.SetUsername(u.Username()).SetPassword(password)
	}
	if s.cfg.User != "" {
		o.SetUsername(s.cfg.User).SetPassword(s.cfg.Password)
	}
	var stop func() bool
	o.SetCustomOpenConnectionFn(func(*url.URL, mqtt.ClientOptions) (conn net.Conn, err error) {
		if c.conn, err = s.open(ctx); err == nil {
			stop = context.AfterFunc(ctx, func() { c.conn.Close() })
		}
		return c.conn, err
	})
	c.Client = mqtt.NewClient(o)
	token := c.Connect()
	<-token.Done() // the closed connection ends it
	if stop != nil {
		stop()
	}
	if err := token.Error(); err != nil {
		if c.conn != nil {
			c.conn.Close()
		}
		return c, err
	}
	return c, nil
}

// open opens a connection of the kind that the broker's address asks for.
func (s *Sink) open(ctx context.Context) (net.Conn, error) {
	u := s.broker
	switch strings.ToLower(u.Scheme) {
	case "ws", "wss":
		plain := *u
		plain.User = nil
		return mqtt.NewWebsocket(plain.String(), s.tls, 0, nil, &mqtt.WebsocketOptions{})
	case "ssl", "tls", "mqtts":
		return wire.Dial(ctx, wire.WithPort(u, "8883"), s.tls)
	}
	if s.cfg.TLS.MutualTLS {
		return wire.Dial(ctx, wire.WithPort(u, "8883"), s.tls)
	}
	return wire.Dial(ctx, wire.WithPort(u, "1883"), nil)
}

// Send publishes an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	errs := s.SendBatch(ctx, []*alert.Alert{a})
	if errs == nil {
		return nil
	}
	return errs[0]
}

// SendBatch publishes several alerts and waits for the answers to all. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	qos := s.cfg.QoS[0] - '0'
	return s.link.DoAll(ctx, len(alerts), func(ctx context.Context, c connection) []error {
		errs := make([]error, len(alerts))
		tokens := make([]mqtt.Token, len(alerts))
		for i, a := range alerts {
			data := a.AppendSidekick(nil)
			if len(data) > s.cfg.Largest {
				errs[i] = wire.Oversized(int64(len(data)), int64(s.cfg.Largest))
				continue
			}
			tokens[i] = c.Publish(s.cfg.Topic, qos, s.cfg.Retained, data)
		}
		for i, token := range tokens {
			if token == nil {
				continue
			}
			select {
			case <-token.Done():
				errs[i] = token.Error()
			case <-ctx.Done():
				errs[i] = ctx.Err()
			}
		}
		return errs
	})
}

// Close closes the connection.
func (s *Sink) Close(ctx context.Context) error { return s.link.Close(ctx) }
