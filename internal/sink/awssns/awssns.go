// Package awssns publishes alerts to a topic of Amazon SNS, in Falcosidekick's form: the output with all else as attributes,
// or Falcosidekick's JSON.
//
// Names of attributes are of letters, digits, "_", "-" and dots; other characters become "_", except that those of an index
// become a dot, as in Falcosidekick. Attributes without a value, which SNS refuses, are left out. To a FIFO topic, which
// Falcosidekick cannot publish to, the uuid is the deduplication id, and the name of the host or else "falco" the message
// group. A message with its attributes has at most the 1 MiB that a topic can be set to; when the topic refuses it, the
// 256 KiB that all take. Of a larger alert texts are cut, each with a mark.
package awssns

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/aws"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Limits of SNS (Amazon SNS, PublishBatch): bytes of a message and of all in a batch, and messages in a batch.
const (
	limit      = 1 << 20
	smallLimit = 256 << 10
	most       = 10
)

// Config is the destination's configuration.
type Config struct {
	TopicARN string     // topicarn: where to publish; the destination is off without
	RawJSON  bool       // rawjson: publish Falcosidekick's JSON
	AWS      aws.Config // endpoint, credentials, region, checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.AWS.Settings(),
		setting.Text("topicarn", &c.TopicARN, "", "ARN of the topic").Required(),
		setting.Bool("rawjson", &c.RawJSON, false, "publish the alert as JSON, not its output with attributes"),
	)
}

// Sink publishes alerts.
type Sink struct {
	cfg    Config
	client *aws.Client
}

// New returns a sink. It fails when the endpoint or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	c, err := aws.New(cfg.AWS, aws.Service{Name: "awssns", ID: "sns", Region: aws.RegionIn(cfg.TopicARN)})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg, c}, nil
}

type attribute struct{ name, kind, value string }

type publication struct {
	text        string
	attributes  []attribute
	once, group string
}

// size is what counts against the limit: the text, and names, types and values of attributes.
func (p publication) size() int {
	n := len(p.text)
	for _, a := range p.attributes {
		n += len(a.name) + len(a.kind) + len(a.value)
	}
	return n
}

// publication returns what is published of an alert, of at most n bytes.
func (s *Sink) publication(a *alert.Alert, n int) publication {
	p := s.whole(message.Fit(a, n, func(a *alert.Alert) int { return s.whole(a).size() }))
	if strings.HasSuffix(s.cfg.TopicARN, ".fifo") {
		p.once, p.group = aws.Once(a)
	}
	return p
}

func (s *Sink) whole(a *alert.Alert) publication {
	if s.cfg.RawJSON {
		return publication{text: clean(string(a.AppendSidekick(nil)))}
	}
	p := publication{text: clean(a.OutputText())}
	if p.text == "" {
		p.text = a.Rule // SNS takes no empty message
	}
	add := func(name, kind, value string) {
		if name = attributeName(name); name == "" || value == "" || slices.ContainsFunc(p.attributes, func(o attribute) bool { return o.name == name }) {
			return
		}
		p.attributes = append(p.attributes, attribute{name, kind, clean(value)})
	}
	add("priority", "String", a.Priority.String())
	add("rule", "String", a.Rule)
	add("source", "String", a.Source)
	add("tags", "String", strings.Join(a.Tags, ","))
	add("hostname", "String", a.Hostname)
	for _, f := range a.SortedFields() {
		name := strings.ReplaceAll(strings.ReplaceAll(f.Key, "]", ""), "[", ".")
		if f.Value.Kind == alert.Text {
			add(name, "String", f.Value.Text)
		} else if number, ok := f.Value.Number(); ok {
			add(name, numberKind(number), number)
		}
	}
	return p
}

// numberKind returns the type for a number: SNS takes numbers of up to 38 digits.
func numberKind(number string) string {
	digits := strings.Trim(number, "-")
	if strings.Trim(digits, "0123456789.") != "" || len(digits) > 38 {
		return "String"
	}
	return "Number"
}

// attributeName returns a name that SNS takes (Amazon SNS, message attributes).
func attributeName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_-.", r) {
			return r
		}
		return '_'
	}, name)
	for strings.Contains(name, "..") {
		name = strings.ReplaceAll(name, "..", ".")
	}
	if lower := strings.ToLower(name); strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon.") {
		name = "_" + name
	}
	return strings.Trim(name[:min(len(name), 256)], ".")
}

// clean replaces the characters that XML, and hence SNS, does not take.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff {
			return '\ufffd'
		}
		return r
	}, text)
}

// enter enters a publication into a form, under names that begin with prefix.
func (p publication) enter(form url.Values, prefix string) {
	form.Set(prefix+"Message", p.text)
	for i, a := range p.attributes {
		at := fmt.Sprintf("%sMessageAttributes.entry.%d.", prefix, i+1)
		form.Set(at+"Name", a.name)
		form.Set(at+"Value.DataType", a.kind)
		form.Set(at+"Value.StringValue", a.value)
	}
	if p.once != "" {
		form.Set(prefix+"MessageDeduplicationId", p.once)
		form.Set(prefix+"MessageGroupId", p.group)
	}
}

// post makes a call of SNS.
func (s *Sink) post(ctx context.Context, action string, form url.Values) ([]byte, error) {
	form.Set("Action", action)
	form.Set("Version", "2010-03-31")
	form.Set("TopicArn", s.cfg.TopicARN)
	answer, err := s.client.Do(ctx, aws.Request{ContentType: "application/x-www-form-urlencoded; charset=utf-8", Body: []byte(form.Encode())})
	if err != nil {
		return nil, err
	}
	return answer.Body, nil
}

// Send publishes an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	send := func(p publication) error {
		form := url.Values{}
		p.enter(form, "")
		_, err := s.post(ctx, "Publish", form)
		return err
	}
	first := s.publication(a, limit)
	err := send(first)
	if aws.Code(err) != "" && aws.Refused(err) && first.size() > smallLimit {
		return send(s.publication(a, smallLimit))
	}
	return err
}

// SendBatch publishes alerts, ten at once. A batch has no more bytes than every topic takes. It returns nil when all are
// published, or else an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	all := make([]publication, len(alerts))
	sizes := make([]int, len(alerts))
	for i, a := range alerts {
		all[i] = s.publication(a, limit)
		sizes[i] = all[i].size()
	}
	return aws.Batches(sizes, most, smallLimit, func(from, to int, errs []error) error {
		form := url.Values{}
		for i, p := range all[from:to] {
			at := fmt.Sprintf("PublishBatchRequestEntries.member.%d.", i+1)
			form.Set(at+"Id", fmt.Sprint(from+i))
			p.enter(form, at)
		}
		var out struct {
			Failed []aws.Failed `xml:"PublishBatchResult>Failed>member"`
		}
		answer, err := s.post(ctx, "PublishBatch", form)
		if err == nil {
			if err := xml.Unmarshal(answer, &out); err != nil {
				return s.client.Fail("the answer is not the XML that it must be: " + err.Error())
			}
		}
		return s.client.Entries(ctx, err, out.Failed, alerts[from:to], from, errs, s.Send)
	})
}

// Close closes the connections.
func (s *Sink) Close(ctx context.Context) error { return s.client.Close(ctx) }
