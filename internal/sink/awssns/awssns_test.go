package awssns_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/awssns"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

const topic = "arn:aws:sns:" + sinktest.Region + ":123456789012:falco"

func values(at string) setting.Values {
	return sinktest.AWSSettings("aws.sns", at, setting.Values{"aws.sns.topicarn": topic, "aws.region": "us-east-1"})
}

// size is what SNS counts of a message whose parameters begin with prefix.
func size(form url.Values, prefix string) int {
	n := 0
	for k, v := range form {
		if strings.HasPrefix(k, prefix+"Message") && !strings.HasSuffix(k, "Id") {
			n += len(v[0])
		}
	}
	return n
}

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "aws.sns", AWS: "sns", Secrets: sinktest.AWSSecrets(), Retried: sinktest.AWSRetried(), Settings: values,
		Open:   func(v setting.Values) (route.Sink, error) { return setting.Open("aws.sns", v, awssns.New) },
		Answer: func(*http.Request, []byte) string { return "<PublishResponse/>" },
		Variants: map[string]setting.Values{
			"json": {"aws.sns.rawjson": "true", "aws.sns.topicarn": topic + ".fifo"},
		},
		Blur: func(body string) string { // readable: one parameter a line
			form, err := url.ParseQuery(strings.TrimSpace(body))
			if err != nil {
				return err.Error()
			}
			lines := strings.Split(form.Encode(), "&")
			for i, l := range lines {
				lines[i] = unescape(l)
			}
			return strings.Join(lines, "\n")
		},
		Limit: func(body []byte) error {
			form, err := url.ParseQuery(string(body))
			if err != nil {
				return err
			}
			if n := size(form, ""); n > 1<<20 || n < 1<<18 {
				return fmt.Errorf("the message has %d bytes", n)
			}
			return nil
		},
	}.Run(t)
}

func unescape(s string) string {
	name, value, _ := strings.Cut(s, "=")
	out, err := url.QueryUnescape(value)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s=%q", name, out)
}

var goodName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)

// server is SNS with one topic.
type server struct {
	t        *testing.T
	most     int
	calls    []string
	messages []string
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail := func(code, text string) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>1</RequestId></ErrorResponse>`, code, text)
	}
	if err := r.ParseForm(); err != nil || r.PostForm.Get("TopicArn") != topic || r.PostForm.Get("Version") != "2010-03-31" {
		fail("InvalidParameter", "Invalid parameter: TopicArn")
		return
	}
	for k, v := range r.PostForm {
		if strings.HasSuffix(k, ".Name") && !goodName.MatchString(v[0]) || v[0] == "" {
			s.t.Errorf("%s is %q", k, v[0])
		}
	}
	var prefixes []string
	if r.PostForm.Get("Action") == "Publish" {
		prefixes = []string{""}
	} else {
		for i := 1; r.PostForm.Get(fmt.Sprintf("PublishBatchRequestEntries.member.%d.Id", i)) != ""; i++ {
			prefixes = append(prefixes, fmt.Sprintf("PublishBatchRequestEntries.member.%d.", i))
		}
	}
	s.calls = append(s.calls, fmt.Sprintf("%s %d", r.PostForm.Get("Action"), len(prefixes)))
	sum, failed := 0, ""
	for _, p := range prefixes {
		text := r.PostForm.Get(p + "Message")
		if sum += size(r.PostForm, p); sum > s.most {
			fail("InvalidParameter", "Invalid parameter: Message too long")
			return
		}
		if text == "busy" {
			failed += fmt.Sprintf("<member><Id>%s</Id><Code>ThrottledException</Code><Message>slow</Message><SenderFault>false</SenderFault></member>", r.PostForm.Get(p+"Id"))
			continue
		}
		s.messages = append(s.messages, text)
	}
	fmt.Fprintf(w, `<%[1]sResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><%[1]sResult><Failed>%s</Failed></%[1]sResult></%[1]sResponse>`, r.PostForm.Get("Action"), failed)
}

func start(t *testing.T, more setting.Values) (*server, *awssns.Sink) {
	s := &server{t: t, most: 256 << 10}
	srv := httptest.NewServer(s)
	t.Cleanup(srv.Close)
	v := values(srv.URL)
	for k, x := range more {
		v[k] = x
	}
	sink, err := setting.Open("aws.sns", v, awssns.New)
	if err != nil {
		t.Fatal(err)
	}
	return s, sink
}

func with(output string, fields ...alert.Field) *alert.Alert {
	a := sinktest.Alert("m")
	a.Output, a.Fields = output, fields
	return a
}

// TestAttributes has names and values that SNS takes.
func TestAttributes(t *testing.T) {
	s, sink := start(t, nil)
	var fields []alert.Field
	for _, key := range []string{"proc.aname[2]", "a..b", ".c.", "AWS.x", "ключ", "a b", "a_b", "x[a]"} {
		fields = append(fields, alert.Field{Key: key, Value: alert.Value{Kind: alert.Text, Text: "v\x01"}})
	}
	fields = append(fields, alert.Field{Key: "empty", Value: alert.Value{Kind: alert.Text}}, alert.Field{Key: "big", Value: alert.Value{Kind: alert.Raw, Text: strings.Repeat("9", 60)}})
	if err := sink.Send(t.Context(), with("", fields...), nil); err != nil || len(s.messages) != 1 {
		t.Error(err, s.messages)
	}
}

// TestBatch publishes ten at once, as far as they fit, tells which are not taken, and cuts what is too long.
func TestBatch(t *testing.T) {
	s, sink := start(t, setting.Values{"aws.sns.rawjson": "false"})
	var alerts []*alert.Alert
	for i := range 13 {
		alerts = append(alerts, with(fmt.Sprint(i)))
	}
	alerts[1] = with(strings.Repeat("x", 250<<10))
	alerts[2] = with(strings.Repeat("y", 600_000))
	if errs := sink.SendBatch(t.Context(), alerts); errs != nil || len(s.messages) != 13 ||
		fmt.Sprint(s.calls) != "[PublishBatch 2 PublishBatch 1 Publish 1 Publish 1 PublishBatch 10]" {
		t.Errorf("%v, %v, %d messages", errs, s.calls, len(s.messages))
	}
	errs := sink.SendBatch(t.Context(), []*alert.Alert{with("fine"), with("busy")})
	if len(errs) != 2 || errs[0] != nil || errs[1] == nil || route.Permanent(errs[1]) || !strings.Contains(errs[1].Error(), "ThrottledException: slow") {
		t.Errorf("%v", errs)
	}
	if errs := sink.SendBatch(t.Context(), nil); errs != nil {
		t.Errorf("no alerts: %v", errs)
	}
}

// TestTopic keeps alerts while the topic is named wrongly.
func TestTopic(t *testing.T) {
	_, sink := start(t, setting.Values{"aws.sns.topicarn": "falco"})
	if err := sink.Send(t.Context(), with("o"), nil); err == nil || route.Permanent(err) || !strings.Contains(err.Error(), "InvalidParameter: Invalid parameter: TopicArn") {
		t.Error(err)
	}
}
