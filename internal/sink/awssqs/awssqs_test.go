package awssqs_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/awssqs"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func values(url string) setting.Values {
	v := sinktest.AWSSettings("aws.sqs", "", setting.Values{"aws.sqs.url": url + "/123456789012/falco"})
	delete(v, "aws.sqs.endpoint")
	return v
}

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "aws.sqs", AWS: "sqs", Secrets: sinktest.AWSSecrets(), Retried: sinktest.AWSRetried(),
		Settings: func(url string) setting.Values {
			return sinktest.AWSSettings("aws.sqs", url, setting.Values{"aws.sqs.url": url + "/123456789012/falco"})
		},
		Open:   func(v setting.Values) (route.Sink, error) { return setting.Open("aws.sqs", v, awssqs.New) },
		Answer: func(*http.Request, []byte) string { return `{"MessageId":"1","MD5OfMessageBody":"x"}` },
		Variants: map[string]setting.Values{
			"fifo": {"aws.sqs.url": "https://sqs." + sinktest.Region + ".amazonaws.com/123456789012/falco.fifo", "aws.region": "us-east-1"},
		},
		Limit: func(body []byte) error {
			var in message
			if err := json.Unmarshal(body, &in); err != nil {
				return err
			}
			if n := len(in.MessageBody); n > 1<<20 || n < 1<<18 {
				return fmt.Errorf("the message has %d bytes", n)
			}
			return nil
		},
	}.Run(t)
}

type message struct {
	ID          string `json:"Id"`
	MessageBody string
	Once        string `json:"MessageDeduplicationId"`
	Group       string `json:"MessageGroupId"`
}

// queue is SQS with one queue.
type queue struct {
	most   int // bytes of a message
	calls  []string
	bodies []string
}

func (q *queue) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail := func(code string) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":"com.amazonaws.sqs#%s","message":"no"}`, code)
	}
	body, err := io.ReadAll(r.Body)
	var in struct {
		message
		Entries  []message
		QueueUrl string //nolint:revive // SQS has it so
	}
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil || !strings.HasSuffix(in.QueueUrl, "/123456789012/falco") {
		fail("QueueDoesNotExist")
		return
	}
	call := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	q.calls = append(q.calls, fmt.Sprintf("%s %d", call, len(in.Entries)))
	list, sum := in.Entries, 0
	var taken []string
	if call == "SendMessage" {
		list = []message{in.message}
	}
	var failed []string
	for _, m := range list {
		sum += len(m.MessageBody)
		switch {
		case strings.ContainsAny(m.MessageBody, "\ufffe\uffff"):
			fail("InvalidMessageContents")
			return
		case len(m.MessageBody) > q.most:
			fail("InvalidParameterValue")
			return
		case strings.Contains(m.MessageBody, `"rule":"busy"`):
			failed = append(failed, fmt.Sprintf(`{"Id":%q,"Code":"InternalError","Message":"busy","SenderFault":false}`, m.ID))
		case strings.Contains(m.MessageBody, `"rule":"bad"`) && call == "SendMessage":
			fail("InvalidMessageContents")
			return
		case strings.Contains(m.MessageBody, `"rule":"bad"`):
			failed = append(failed, fmt.Sprintf(`{"Id":%q,"Code":"InvalidMessageContents","Message":"no","SenderFault":true}`, m.ID))
		default:
			taken = append(taken, m.MessageBody)
		}
	}
	if sum > 1<<20 || len(in.Entries) > 10 {
		fail("BatchRequestTooLong")
		return
	}
	q.bodies = append(q.bodies, taken...)
	fmt.Fprintf(w, `{"Failed":[%s],"Successful":[]}`, strings.Join(failed, ","))
}

func start(t *testing.T) (*queue, *awssqs.Sink) {
	q := &queue{most: 1 << 20}
	srv := httptest.NewServer(q)
	t.Cleanup(srv.Close)
	s, err := setting.Open("aws.sqs", values(srv.URL), awssqs.New)
	if err != nil {
		t.Fatal(err)
	}
	return q, s
}

func with(rule, output string) *alert.Alert {
	a := sinktest.Alert("m")
	a.Rule, a.Output = rule, output
	return a
}

// TestBatch sends ten at once, as far as they fit, and tells which are not taken.
func TestBatch(t *testing.T) {
	q, s := start(t)
	var alerts []*alert.Alert
	for range 23 {
		alerts = append(alerts, with("r", "o"))
	}
	alerts[1], alerts[2] = with("r", strings.Repeat("x", 600_000)), with("r", strings.Repeat("x", 600_000))
	if errs := s.SendBatch(t.Context(), alerts); errs != nil || fmt.Sprint(q.calls) != "[SendMessageBatch 2 SendMessageBatch 10 SendMessageBatch 10 SendMessageBatch 1]" || len(q.bodies) != 23 {
		t.Errorf("%v, %v, %d bodies", errs, q.calls, len(q.bodies))
	}
	errs := s.SendBatch(t.Context(), []*alert.Alert{with("busy", "o"), with("r", "\ufffe\uffff"), with("bad", "o")})
	if len(errs) != 3 || errs[0] == nil || route.Permanent(errs[0]) || errs[1] != nil || !route.Permanent(errs[2]) {
		t.Errorf("%v", errs)
	}
	if last := q.bodies[len(q.bodies)-1]; !strings.Contains(last, `\ufffe\uffff`) {
		t.Errorf("%s", last)
	}
	if errs := s.SendBatch(t.Context(), nil); errs != nil {
		t.Errorf("no alerts: %v", errs)
	}
}

// TestSize sends less when the queue takes less.
func TestSize(t *testing.T) {
	q, s := start(t)
	q.most = 256 << 10
	if errs := s.SendBatch(t.Context(), []*alert.Alert{with("r", "o"), with("r", strings.Repeat("x", 600_000))}); errs != nil {
		t.Fatalf("%v", errs)
	}
	if n := len(slices.MaxFunc(q.bodies, func(x, y string) int { return len(x) - len(y) })); len(q.bodies) != 2 || n > q.most || n < q.most/4 {
		t.Errorf("%d bodies, %d bytes", len(q.bodies), n)
	}
	q.most = 100
	if err := s.Send(t.Context(), with("r", strings.Repeat("x", 600_000)), nil); !route.Permanent(err) {
		t.Error(err)
	}
}
