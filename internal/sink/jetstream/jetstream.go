// Package jetstream publishes alerts to a stream of NATS JetStream, as Falcosidekick's JSON. Falcosidekick does not have this
// destination; its keys are like those of nats.
//
// An alert counts as delivered when the stream has stored it. Its uuid is the message's id (Nats-Msg-Id): one that comes again
// within the stream's duplicate window is stored once. When no stream has the subject, one is made unless the configuration
// forbids it.
package jetstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/message"
	natssink "github.com/saker-sec/saker/internal/sink/nats"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/wire"
)

// Config is the destination's configuration.
type Config struct {
	Server   natssink.Server
	Subject  string // subjecttemplate: with places for the priority and the rule
	Stream   string // stream: name of the one to make
	Replicas int    // replicas: of the one to make
	Create   bool   // createstream: make it when it is not there
}

// Settings binds the keys.
func (c *Config) Settings() setting.List {
	return append(c.Server.Settings(),
		setting.Text("subjecttemplate", &c.Subject, natssink.DefaultSubject, "subject, with places for <priority> and <rule>"),
		setting.Text("stream", &c.Stream, "falco", "name of the stream to make"),
		setting.Int("replicas", &c.Replicas, 1, 1, "replicas of the stream to make"),
		setting.Bool("createstream", &c.Create, true, "make the stream when it is not there and no other has the subject"),
	)
}

// Sink publishes alerts.
type Sink struct {
	cfg  Config
	link *wire.Link[connection]
}

// connection has an inbox, under which the stream answers each message with a number of its own.
type connection struct {
	*nats.Conn
	inbox string
	acks  *nats.Subscription
	sent  *int
}

// New returns a sink. It fails when the address or a file cannot be used. It does not connect.
func New(cfg Config) (*Sink, error) {
	s := &Sink{cfg: cfg}
	var err error
	s.link, err = natssink.Link(cfg.Server, "jetstream", s.prepare, func(c connection) { c.Close() })
	if err != nil {
		return nil, err
	}
	return s, nil
}

// prepare makes the stream if there is none.
func (s *Sink) prepare(ctx context.Context, conn *nats.Conn) (connection, error) {
	c := connection{Conn: conn, inbox: conn.NewInbox(), sent: new(int)}
	var err error
	if c.acks, err = conn.SubscribeSync(c.inbox + ".*"); err != nil || !s.cfg.Create {
		return c, err
	}
	js, err := jetstream.New(conn)
	if err != nil {
		return c, err
	}
	subjects := pattern(s.cfg.Subject)
	_, err = js.StreamNameBySubject(ctx, subjects)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = js.CreateStream(ctx, jetstream.StreamConfig{Name: s.cfg.Stream, Subjects: []string{subjects}, Replicas: s.cfg.Replicas})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) || code(err) == jetstream.JSErrCodeStreamNameInUse || code(err) == overlap {
			err = nil // it is there, if with other subjects; whether it takes alerts is for it to say
		}
	}
	return c, err
}

// Codes of errors, of the server's list, that the library does not name.
const (
	overlap   jetstream.ErrorCode = 10065 // the stream's subjects overlap with those of another
	oversized jetstream.ErrorCode = 10054 // message size exceeds maximum allowed
)

func code(err error) jetstream.ErrorCode {
	var e jetstream.JetStreamError
	if errors.As(err, &e) && e.APIError() != nil {
		return e.APIError().ErrorCode
	}
	return 0
}

// pattern returns the subjects that a template can give: what is fixed in it, with wildcards for parts that are not.
func pattern(template string) string {
	parts := strings.Split(template, ".")
	for i, p := range parts {
		if strings.Contains(p, "<priority>") || strings.Contains(p, "<rule>") {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, ".")
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
			data := a.AppendSidekick(nil)
			if most := c.MaxPayload(); int64(len(data)) > most {
				errs[i] = wire.Oversized(int64(len(data)), most)
				continue
			}
			*c.sent++
			m := &nats.Msg{
				Subject: message.Subject(s.cfg.Subject, a), Data: data, Reply: c.inbox + "." + strconv.Itoa(*c.sent),
				Header: nats.Header{jetstream.MsgIDHeader: {wire.ID(a)}},
			}
			if errs[i] = c.PublishMsg(m); errs[i] == nil {
				waiting[m.Reply] = i
			}
		}
		refused := 0 // messages that no stream takes; the library does not tell which
		for len(waiting) > refused {
			m, err := c.acks.NextMsgWithContext(ctx)
			if errors.Is(err, nats.ErrNoResponders) {
				refused++
				continue
			}
			if err != nil {
				for _, i := range waiting {
					errs[i] = err
				}
				break
			}
			if i, ok := waiting[m.Subject]; ok {
				errs[i] = stored(m)
				delete(waiting, m.Subject)
			}
		}
		for _, i := range waiting {
			if errs[i] == nil {
				errs[i] = errors.New("no stream takes this subject, or JetStream is not enabled")
			}
		}
		return errs
	})
}

// stored reads a stream's answer.
func stored(m *nats.Msg) error {
	var ack struct {
		Stream string              `json:"stream"`
		Error  *jetstream.APIError `json:"error"`
	}
	switch err := json.Unmarshal(m.Data, &ack); {
	case err != nil:
		return fmt.Errorf("the answer is not that of a stream: %w", err)
	case ack.Error != nil && ack.Error.ErrorCode == oversized:
		return wire.Refuse("%w", ack.Error)
	case ack.Error != nil:
		return ack.Error
	case ack.Stream == "":
		return errors.New("the answer is not that of a stream")
	}
	return nil
}

// Close closes the connection.
func (s *Sink) Close(ctx context.Context) error { return s.link.Close(ctx) }
