// Package stan publishes alerts to a channel of NATS Streaming, as Falcosidekick's JSON. NATS Streaming has come to its end
// (JetStream follows it); this destination is for those who still have it.
//
// An alert counts as delivered when the server has stored it. The protocol is a handful of messages over NATS, of which a
// publisher needs six; they are written here, since the client library is archived. It differs from Falcosidekick in that one
// connection is kept, TLS settings take effect, and an alert that is larger than the server takes is refused for good.
package stan

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/nats-io/nats.go"

	"github.com/saker-sec/saker/internal/alert"
	alertmessage "github.com/saker-sec/saker/internal/sink/message"
	natssink "github.com/saker-sec/saker/internal/sink/nats"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/wire"
)

// Config is the destination's configuration.
type Config struct {
	Server    natssink.Server
	ClusterID string // clusterid
	ClientID  string // clientid: a name that no other client has
	Subject   string // subjecttemplate: with places for the priority and the rule
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.Server.Settings(),
		setting.Text("clusterid", &c.ClusterID, "", "name of the cluster").Required(),
		setting.Text("clientid", &c.ClientID, "", "name of the client; a second connection adds to it").Required(),
		setting.Text("subjecttemplate", &c.Subject, natssink.DefaultSubject, "channel, with places for <priority> and <rule>"),
	)
}

// Sink publishes alerts.
type Sink struct {
	cfg  Config
	link *wire.Link[connection]
}

// connection is a client's session with the server.
type connection struct {
	*nats.Conn
	client string // its name
	id     string // names the session
	prefix string // of subjects to publish to
	bye    string // subject for the end of the session
	inbox  string // answers come to subjects below it
	acks   *nats.Subscription
	sent   *int
	left   *atomic.Bool // the session has ended
}

func (c connection) hangUp() {
	if !c.left.Load() {
		_ = c.Publish(c.bye, c.farewell()) // else the server finds out by itself, later
	}
	c.Close()
}

// leave ends the session and waits for the server's answer: it ends sessions by name, and may begin another of the same name before it reads
// that this one is over.
func (c connection) leave(ctx context.Context) {
	_, err := c.RequestWithContext(ctx, c.bye, c.farewell())
	c.left.Store(err == nil)
}

func (c connection) farewell() message { return message(nil).text(1, c.client).text(2, c.id) }

// New returns a sink. It fails when the address or a file cannot be used. It does not connect.
func New(cfg Config) (*Sink, error) {
	if strings.ContainsAny(cfg.ClusterID, " *>\t\r\n") {
		return nil, errors.New("stan: clusterid must have no blanks, * or >")
	}
	s := &Sink{cfg: cfg}
	var err error
	s.link, err = natssink.Link(cfg.Server, "stan", s.register, connection.hangUp)
	if err != nil {
		return nil, err
	}
	s.link.Bye = func(ctx context.Context, c connection) { c.leave(ctx) }
	return s, nil
}

// taken is what the server says when another connection has the client's name.
const taken = "clientID already registered"

// register begins a session. The server finds out whether one of the same name still lives; then the name is taken, by another
// worker of the destination perhaps, and this one adds something to it.
func (s *Sink) register(ctx context.Context, conn *nats.Conn) (connection, error) {
	c := connection{Conn: conn, client: s.cfg.ClientID, id: rand.Text(), inbox: conn.NewInbox(), sent: new(int), left: new(atomic.Bool)}
	heartbeats := conn.NewInbox()
	_, err := conn.Subscribe(heartbeats, func(m *nats.Msg) { _ = m.Respond(nil) }) // the session ends when it fails
	if err != nil {
		return c, err
	}
	if c.acks, err = conn.SubscribeSync(c.inbox + ".*"); err != nil {
		return c, err
	}
	for {
		request := message(nil).text(1, c.client).text(2, heartbeats).number(3, 1).text(4, c.id)
		m, err := conn.RequestWithContext(ctx, "_STAN.discover."+s.cfg.ClusterID, request)
		if errors.Is(err, nats.ErrNoResponders) {
			return c, errors.New("no NATS Streaming server has this clusterid")
		}
		if err != nil {
			return c, err
		}
		texts, _, err := message(m.Data).fields()
		if err != nil {
			return c, err
		}
		if strings.Contains(texts[5], taken) && c.client == s.cfg.ClientID {
			c.client += "-" + rand.Text()[:8]
			continue
		}
		if texts[5] != "" {
			return c, fmt.Errorf("the server answers: %s", texts[5])
		}
		c.prefix, c.bye = texts[1], texts[4]
		return c, nil
	}
}

// Send publishes an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	errs := s.SendBatch(ctx, []*alert.Alert{a})
	if errs == nil {
		return nil
	}
	return errs[0]
}

// SendBatch publishes several alerts and waits until they are stored. It returns nil, or an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	return s.link.DoAll(ctx, len(alerts), func(ctx context.Context, c connection) []error {
		errs := make([]error, len(alerts))
		waiting := map[string]int{} // index of an alert, by the subject of its answer
		for i, a := range alerts {
			subject := alertmessage.Subject(s.cfg.Subject, a)
			data := message(nil).text(1, c.client).text(2, wire.ID(a)).text(3, subject).text(5, string(a.AppendSidekick(nil))).text(6, c.id)
			if most := c.MaxPayload(); int64(len(data)) > most {
				errs[i] = wire.Oversized(int64(len(data)), most)
				continue
			}
			*c.sent++
			reply := c.inbox + "." + strconv.Itoa(*c.sent)
			if errs[i] = c.PublishMsg(&nats.Msg{Subject: c.prefix + "." + subject, Reply: reply, Data: data}); errs[i] == nil {
				waiting[reply] = i
			}
		}
		for len(waiting) > 0 {
			m, err := c.acks.NextMsgWithContext(ctx)
			if err != nil {
				for _, i := range waiting {
					errs[i] = err
				}
				break
			}
			if i, ok := waiting[m.Subject]; ok {
				errs[i] = stored(m.Data)
				delete(waiting, m.Subject)
			}
		}
		return errs
	})
}

// stored reads the server's answer.
func stored(data []byte) error {
	texts, _, err := message(data).fields()
	if err == nil && texts[2] != "" {
		err = fmt.Errorf("the server answers: %s", texts[2])
	}
	return err
}

// Close ends the session.
func (s *Sink) Close(ctx context.Context) error { return s.link.Close(ctx) }
