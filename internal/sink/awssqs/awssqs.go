// Package awssqs sends alerts to a queue of Amazon SQS, as Falcosidekick's JSON.
//
// To a FIFO queue, which Falcosidekick cannot send to, the uuid is the deduplication id, and the name of the host or else
// "falco" the message group: alerts of one host stay in order. A message has at most the 1 MiB that SQS allows; when the queue
// is set to less, the 256 KiB that were the limit before. Of a larger alert texts are cut, each with a mark. Two characters
// that SQS does not take (U+FFFE, U+FFFF) are escaped as JSON can.
package awssqs

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/aws"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Limits of SQS (Amazon SQS, message quotas): bytes of a message and of all in a batch, bytes that every queue took before,
// and messages in a batch.
const (
	limit      = 1 << 20
	smallLimit = 256 << 10
	most       = 10
)

// Config is the destination's configuration.
type Config struct {
	URL string     // url: of the queue; the destination is off without
	AWS aws.Config // endpoint, credentials, region, checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.AWS.Settings(), setting.Text("url", &c.URL, "", "URL of the queue").Required())
}

// Sink sends alerts.
type Sink struct {
	cfg    Config
	client *aws.Client
}

// New returns a sink. It fails when the URL of the queue or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("awssqs: the address of the queue is not a URL that begins with http:// or https:// and a host")
	}
	if cfg.AWS.Endpoint == "" { // the queue is where its URL says
		cfg.AWS.Endpoint = u.Scheme + "://" + u.Host
	}
	c, err := aws.New(cfg.AWS, aws.Service{Name: "awssqs", ID: "sqs", Region: aws.RegionIn(u.Hostname()), Type: "application/x-amz-json-1.0"})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg, c}, nil
}

type body struct {
	ID    string `json:"Id,omitempty"` // in a batch
	Body  string `json:"MessageBody"`
	Once  string `json:"MessageDeduplicationId,omitempty"`
	Group string `json:"MessageGroupId,omitempty"`
}

// body returns the message for an alert, of at most n bytes.
func (s *Sink) body(a *alert.Alert, n int) body {
	text := func(a *alert.Alert) []byte {
		out := a.AppendSidekick(nil)
		out = bytes.ReplaceAll(out, []byte("\ufffe"), []byte(`\ufffe`))
		return bytes.ReplaceAll(out, []byte("\uffff"), []byte(`\uffff`))
	}
	out := body{Body: string(text(message.Fit(a, n, func(a *alert.Alert) int { return len(text(a)) })))}
	if strings.HasSuffix(s.cfg.URL, ".fifo") {
		out.Once, out.Group = aws.Once(a)
	}
	return out
}

// Send sends an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	first := s.body(a, limit)
	err := s.send(ctx, first)
	if aws.Code(err) != "" && aws.Refused(err) && len(first.Body) > smallLimit {
		return s.send(ctx, s.body(a, smallLimit))
	}
	return err
}

func (s *Sink) send(ctx context.Context, b body) error {
	return s.client.JSON(ctx, "AmazonSQS.SendMessage", struct {
		body
		Queue string `json:"QueueUrl"`
	}{b, s.cfg.URL}, nil)
}

// SendBatch sends alerts, ten at once. It returns nil when all are sent, or else an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	bodies := make([]body, len(alerts))
	sizes := make([]int, len(alerts))
	for i, a := range alerts {
		bodies[i] = s.body(a, limit)
		bodies[i].ID = strconv.Itoa(i)
		sizes[i] = len(bodies[i].Body)
	}
	return aws.Batches(sizes, most, limit, func(from, to int, errs []error) error {
		var out struct{ Failed []aws.Failed }
		err := s.client.JSON(ctx, "AmazonSQS.SendMessageBatch", struct {
			Entries []body `json:"Entries"`
			Queue   string `json:"QueueUrl"`
		}{bodies[from:to], s.cfg.URL}, &out)
		return s.client.Entries(ctx, err, out.Failed, alerts[from:to], from, errs, s.Send)
	})
}

// Close closes the connections.
func (s *Sink) Close(ctx context.Context) error { return s.client.Close(ctx) }
