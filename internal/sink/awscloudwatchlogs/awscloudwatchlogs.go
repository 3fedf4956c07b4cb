// Package awscloudwatchlogs puts alerts into a log stream of Amazon CloudWatch Logs, as Falcosidekick's JSON at the time of
// the alert.
//
// A log stream that is not there is made, whichever name it has. An alert that CloudWatch finds too old or too new (it
// takes what is from 14 days ago, or the group's retention, to 2 hours ahead) is put again at the present time; its own is
// in the JSON. An event has at most 1 MiB, or the 256 KiB that were the limit before where the service refuses more. Of a
// larger alert texts are cut, each with a mark.
package awscloudwatchlogs

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/aws"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Limits of CloudWatch Logs (PutLogEvents): bytes of a request and of what is counted for each event beside its text, events
// in a request, the time they may span; and bytes of an event that is always taken.
const (
	limit      = 1 << 20
	overhead   = 26
	most       = 10_000
	span       = 24 * time.Hour
	smallLimit = 256 << 10
)

// defaultStream is the log stream where the configuration names none, as in Falcosidekick.
const defaultStream = "falcosidekick-logstream"

// Config is the destination's configuration.
type Config struct {
	LogGroup  string     // loggroup: where to put events; the destination is off without
	LogStream string     // logstream: the stream in it
	AWS       aws.Config // endpoint, credentials, region, checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.AWS.Settings(),
		setting.Text("loggroup", &c.LogGroup, "", "name of the log group").Required(),
		setting.Text("logstream", &c.LogStream, "", "name of the log stream; "+defaultStream+" when empty"),
	)
}

// Sink puts alerts.
type Sink struct {
	cfg    Config
	client *aws.Client
}

// New returns a sink. It fails when the endpoint or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	cfg.LogStream = cmp.Or(cfg.LogStream, defaultStream)
	c, err := aws.New(cfg.AWS, aws.Service{Name: "awscloudwatchlogs", ID: "logs", Type: "application/x-amz-json-1.1"})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg, c}, nil
}

type event struct {
	Message   string `json:"message"`
	Timestamp int64  `json:"timestamp"` // milliseconds since 1970
}

func newEvent(a *alert.Alert, n int) event {
	return event{string(message.FitSidekick(a, n-overhead).AppendSidekick(nil)), a.Time.UnixMilli()}
}

// stream names the log stream in requests.
type stream struct {
	Group  string `json:"logGroupName"`
	Stream string `json:"logStreamName"`
}

// rejected says which events of a request, which are in the order of their time, are not taken.
type rejected struct {
	TooNew  *int `json:"tooNewLogEventStartIndex"` // this one and those after it
	TooOld  *int `json:"tooOldLogEventEndIndex"`   // those before this one
	Expired *int `json:"expiredLogEventEndIndex"`
}

// has says whether the event with the index is not taken.
func (r rejected) has(i int) bool {
	return r.TooNew != nil && i >= *r.TooNew || r.TooOld != nil && i < *r.TooOld || r.Expired != nil && i < *r.Expired
}

// request puts events, and makes the log stream if it is not there.
func (s *Sink) request(ctx context.Context, events []event) (rejected, error) {
	where := stream{s.cfg.LogGroup, s.cfg.LogStream}
	var out struct {
		Rejected rejected `json:"rejectedLogEventsInfo"`
	}
	put := func() error {
		return s.client.JSON(ctx, "Logs_20140328.PutLogEvents", struct {
			stream
			Events []event `json:"logEvents"`
		}{where, events}, &out)
	}
	err := put()
	if aws.Code(err) == "ResourceNotFoundException" {
		err = s.client.JSON(ctx, "Logs_20140328.CreateLogStream", where, nil)
		if err == nil || aws.Code(err) == "ResourceAlreadyExistsException" { // somebody else was faster
			err = put()
		}
	}
	if aws.Code(err) == "DataAlreadyAcceptedException" {
		err = nil
	}
	return out.Rejected, err
}

// put puts events that one request may hold, and those whose time is not taken once more, at the present time.
func (s *Sink) put(ctx context.Context, events []event, errs []error) error {
	bad, err := s.request(ctx, events)
	if err != nil {
		return err
	}
	var again []event
	var which []int
	now := time.Now().UnixMilli()
	for i, e := range events {
		if bad.has(i) {
			again, which = append(again, event{e.Message, now}), append(which, i)
		}
	}
	if len(again) == 0 {
		return nil
	}
	still, err := s.request(ctx, again)
	for i, at := range which {
		if errs[at] = err; err == nil && still.has(i) {
			errs[at] = s.client.Entry("InvalidParameterException", "neither the time of the alert nor the present is taken")
		}
	}
	return nil
}

// Send puts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	first := newEvent(a, limit)
	err := s.one(ctx, first)
	if aws.Code(err) != "" && aws.Refused(err) && len(first.Message)+overhead > smallLimit {
		return s.one(ctx, newEvent(a, smallLimit))
	}
	return err
}

func (s *Sink) one(ctx context.Context, e event) error {
	errs := make([]error, 1)
	if err := s.put(ctx, []event{e}, errs); err != nil {
		return err
	}
	return errs[0]
}

// SendBatch puts alerts, as many at once as a request may hold. It returns nil when all are there, or else an error or nil for
// each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	order := make([]int, len(alerts)) // requests are in the order of time
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return alerts[i].Time.Compare(alerts[j].Time) })
	events := make([]event, len(alerts))
	sizes := make([]int, len(alerts))
	for i, at := range order {
		events[i] = newEvent(alerts[at], limit)
		sizes[i] = len(events[i].Message) + overhead
	}
	out, failed := make([]error, len(alerts)), false
	for from := 0; from < len(events); {
		to := from + 1
		for to < len(events) && events[to].Timestamp-events[from].Timestamp < span.Milliseconds() {
			to++
		}
		errs := aws.Batches(sizes[from:to], most, limit, func(i, j int, errs []error) error {
			err := s.put(ctx, events[from+i:from+j], errs)
			if !aws.Refused(err) {
				return err
			}
			for k := range errs { // one of them may be the reason
				errs[k] = s.Send(ctx, alerts[order[from+i+k]], nil)
			}
			return nil
		})
		for i, err := range errs {
			out[order[from+i]], failed = err, failed || err != nil
		}
		from = to
	}
	if !failed {
		return nil
	}
	return out
}

// Close closes the connections.
func (s *Sink) Close(ctx context.Context) error { return s.client.Close(ctx) }
