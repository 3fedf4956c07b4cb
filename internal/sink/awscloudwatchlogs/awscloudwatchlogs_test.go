package awscloudwatchlogs_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/awscloudwatchlogs"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func values(url string) setting.Values {
	return sinktest.AWSSettings("aws.cloudwatchlogs", url, setting.Values{"aws.cloudwatchlogs.loggroup": "/falco"})
}

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "aws.cloudwatchlogs", AWS: "logs", Secrets: sinktest.AWSSecrets(), Retried: sinktest.AWSRetried(), Settings: values,
		Open: func(v setting.Values) (route.Sink, error) {
			return setting.Open("aws.cloudwatchlogs", v, awscloudwatchlogs.New)
		},
		Answer: func(*http.Request, []byte) string { return "{}" },
		Variants: map[string]setting.Values{
			"stream": {"aws.cloudwatchlogs.logstream": "my/stream"},
		},
		Limit: func(body []byte) error {
			var in request
			if err := json.Unmarshal(body, &in); err != nil {
				return err
			}
			if n := len(in.Events[0].Message) + 26; n > 1<<20 || n < 1<<18 {
				return fmt.Errorf("the event has %d bytes", n)
			}
			return nil
		},
	}.Run(t)
}

type request struct {
	Group  string `json:"logGroupName"`
	Stream string `json:"logStreamName"`
	Events []struct {
		Message   string `json:"message"`
		Timestamp int64  `json:"timestamp"`
	} `json:"logEvents"`
}

// logs is CloudWatch Logs with one group.
type logs struct {
	group   bool
	stream  string
	largest int
	calls   []string
	events  []string // that are taken
	now     int      // that were taken at the present time
}

func (l *logs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fail := func(code string) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"__type":"com.amazonaws.logs#%s","message":"The specified log stream does not exist."}`, code)
	}
	body, err := io.ReadAll(r.Body)
	var in request
	if err == nil {
		err = json.Unmarshal(body, &in)
	}
	if err != nil {
		fail("SerializationException")
		return
	}
	call := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "Logs_20140328.")
	l.calls = append(l.calls, fmt.Sprintf("%s %d", call, len(in.Events)))
	if !l.group {
		fail("ResourceNotFoundException")
		return
	}
	if call == "CreateLogStream" {
		if l.stream != "" {
			fail("ResourceAlreadyExistsException")
		}
		l.stream = in.Stream
		return
	}
	if l.stream != in.Stream {
		fail("ResourceNotFoundException")
		return
	}
	now, old, recent := time.Now(), 0, len(in.Events)
	last := int64(0)
	for i, e := range in.Events {
		if e.Timestamp < last || e.Timestamp-in.Events[0].Timestamp >= 24*3600*1000 || len(e.Message) > l.largest || strings.Contains(e.Message, `"rule":"bad"`) {
			fail("InvalidParameterException")
			return
		}
		last = e.Timestamp
		at := time.UnixMilli(e.Timestamp)
		switch {
		case now.Sub(at) > 14*24*time.Hour:
			old = i + 1
		case at.Sub(now) > 2*time.Hour:
			recent = min(recent, i)
		}
	}
	for _, e := range in.Events[old:recent] {
		l.events = append(l.events, e.Message)
		if now.Sub(time.UnixMilli(e.Timestamp)).Abs() < time.Minute {
			l.now++
		}
	}
	info := []string{}
	if old > 0 {
		info = append(info, fmt.Sprintf(`"tooOldLogEventEndIndex":%d`, old))
	}
	if recent < len(in.Events) {
		info = append(info, fmt.Sprintf(`"tooNewLogEventStartIndex":%d`, recent))
	}
	fmt.Fprintf(w, `{"nextSequenceToken":"x","rejectedLogEventsInfo":{%s}}`, strings.Join(info, ","))
}

func start(t *testing.T) (*logs, *awscloudwatchlogs.Sink) {
	l := &logs{group: true, largest: 1 << 20}
	srv := httptest.NewServer(l)
	t.Cleanup(srv.Close)
	s, err := setting.Open("aws.cloudwatchlogs", values(srv.URL), awscloudwatchlogs.New)
	if err != nil {
		t.Fatal(err)
	}
	return l, s
}

func at(when time.Time, rule string) *alert.Alert {
	a := sinktest.Alert("m")
	a.Time, a.Rule = when, rule
	return a
}

// TestStream makes the log stream when it is not there; without the group there is something for the operator to do.
func TestStream(t *testing.T) {
	l, s := start(t)
	l.group = false
	if err := s.Send(t.Context(), at(time.Now(), "r"), nil); err == nil || route.Permanent(err) || !strings.Contains(err.Error(), "ResourceNotFoundException") {
		t.Error(err)
	}
	l.group, l.calls = true, nil
	for range 2 {
		if err := s.Send(t.Context(), at(time.Now(), "r"), nil); err != nil {
			t.Error(err)
		}
	}
	if want := []string{"PutLogEvents 1", "CreateLogStream 0", "PutLogEvents 1", "PutLogEvents 1"}; !slices.Equal(l.calls, want) || l.stream != "falcosidekick-logstream" {
		t.Errorf("%q, %s", l.calls, l.stream)
	}
}

// TestBatch puts events in the order of time, at most a day in one request, those of another time than is taken at the
// present one, and finds the one that is refused.
func TestBatch(t *testing.T) {
	l, s := start(t)
	now := time.Now()
	alerts := []*alert.Alert{
		at(now, "one"), at(now.Add(-time.Second), "two"), at(now.Add(-30*time.Hour), "three"), at(time.Unix(1, 0), "old"), at(now.Add(20*time.Hour), "new"), at(now, "bad"),
	}
	errs := s.SendBatch(t.Context(), alerts)
	if len(errs) != 6 || !route.Permanent(errs[5]) {
		t.Fatalf("%v", errs)
	}
	for i, err := range errs[:5] {
		if err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	if len(l.events) != 5 || l.now != 4 {
		t.Errorf("%d at the present time, %q", l.now, l.events)
	}
	l.calls = nil
	if errs := s.SendBatch(t.Context(), alerts[:2]); errs != nil || !slices.Equal(l.calls, []string{"PutLogEvents 2"}) {
		t.Errorf("%v, %q", errs, l.calls)
	}
	if errs := s.SendBatch(t.Context(), nil); errs != nil {
		t.Errorf("no alerts: %v", errs)
	}
}

// TestSize puts less when the service takes less.
func TestSize(t *testing.T) {
	l, s := start(t)
	l.largest = 256<<10 - 26
	a := at(time.Now(), "large")
	a.Output = strings.Repeat("x", 600_000)
	if errs := s.SendBatch(t.Context(), []*alert.Alert{at(time.Now(), "small"), a}); errs != nil || len(l.events) != 2 {
		t.Fatalf("%v, %d events", errs, len(l.events))
	}
	if text := slices.MaxFunc(l.events, func(x, y string) int { return len(x) - len(y) }); len(text) > l.largest || len(text) < l.largest/4 || !strings.Contains(text, "x[...]") {
		t.Errorf("%d bytes", len(text))
	}
}
