package awskinesis_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/awskinesis"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func values(url string) setting.Values {
	return sinktest.AWSSettings("aws.kinesis", url, setting.Values{"aws.kinesis.streamname": "falco"})
}

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "aws.kinesis", AWS: "kinesis", Secrets: sinktest.AWSSecrets(), Retried: sinktest.AWSRetried(), Settings: values,
		Open:   func(v setting.Values) (route.Sink, error) { return setting.Open("aws.kinesis", v, awskinesis.New) },
		Answer: func(*http.Request, []byte) string { return `{"SequenceNumber":"1","ShardId":"shardId-0"}` },
		Limit: func(body []byte) error {
			var in struct {
				Data         []byte
				PartitionKey string
			}
			if err := json.Unmarshal(body, &in); err != nil {
				return err
			}
			if n := len(in.Data) + len(in.PartitionKey); n > 1<<20 || n < 1<<18 {
				return fmt.Errorf("the record has %d bytes", n)
			}
			return nil
		},
	}.Run(t)
}

// TestBatch divides what is too much for one request, and tells which records a busy shard has not taken.
func TestBatch(t *testing.T) {
	var requests []int
	keys := map[string]bool{}
	url := sinktest.Serve(t, func(r *http.Request, body []byte) string {
		var in struct {
			Records []struct {
				Data         []byte
				PartitionKey string
			}
			StreamName string
		}
		if err := json.Unmarshal(body, &in); err != nil || in.StreamName != "falco" || r.Header.Get("X-Amz-Target") != "Kinesis_20131202.PutRecords" {
			t.Errorf("%v, %v: %.100s", err, r.Header, body)
		}
		requests = append(requests, len(in.Records))
		var out []string
		for _, record := range in.Records {
			answer := `{"SequenceNumber":"1","ShardId":"0"}`
			switch {
			case strings.Contains(string(record.Data), `"rule":"busy"`):
				answer = `{"ErrorCode":"ProvisionedThroughputExceededException","ErrorMessage":"Rate exceeded for shard 0"}`
			case strings.Contains(string(record.Data), `"rule":"bad"`):
				answer = `{"ErrorCode":"ValidationException","ErrorMessage":"no"}`
			default:
				keys[record.PartitionKey] = true
			}
			out = append(out, answer)
		}
		return fmt.Sprintf(`{"FailedRecordCount":0,"Records":[%s]}`, strings.Join(out, ","))
	})
	s, err := setting.Open("aws.kinesis", values(url), awskinesis.New)
	if err != nil {
		t.Fatal(err)
	}
	if errs := s.SendBatch(t.Context(), nil); errs != nil || requests != nil {
		t.Errorf("no alerts: %v", errs)
	}
	var alerts []*alert.Alert
	for i := range 1100 {
		a := sinktest.Alert("m")
		a.UUID = fmt.Sprintf("%036d", i)
		alerts = append(alerts, a)
	}
	for _, a := range alerts[:12] {
		a.Output = strings.Repeat("x", 1<<19)
	}
	if errs := s.SendBatch(t.Context(), alerts); errs != nil || fmt.Sprint(requests) != "[9 500 500 91]" || len(keys) != 1100 {
		t.Errorf("%v, %v, %d keys", errs, requests, len(keys))
	}
	alerts = alerts[100:103]
	alerts[0].Rule, alerts[2].Rule = "busy", "bad"
	errs := s.SendBatch(t.Context(), alerts)
	if len(errs) != 3 || errs[0] == nil || route.Permanent(errs[0]) || errs[1] != nil || !route.Permanent(errs[2]) ||
		!strings.HasSuffix(errs[0].Error(), "the entry is refused: ProvisionedThroughputExceededException: Rate exceeded for shard 0") {
		t.Errorf("%v", errs)
	}
}

// TestRefusedBatch has a request refused for one of its records: the others are put.
func TestRefusedBatch(t *testing.T) {
	put := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Data    []byte
			Records []struct{ Data []byte }
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		if in.Records != nil || strings.Contains(string(in.Data), `"rule":"bad"`) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"__type":"ValidationException","message":"no"}`)
			return
		}
		put++
		fmt.Fprint(w, `{"SequenceNumber":"1","ShardId":"0"}`)
	}))
	defer server.Close()
	s, err := setting.Open("aws.kinesis", values(server.URL), awskinesis.New)
	if err != nil {
		t.Fatal(err)
	}
	good, bad := sinktest.Alert("m"), sinktest.Alert("m")
	bad.Rule = "bad"
	if errs := s.SendBatch(t.Context(), []*alert.Alert{good, bad, good}); len(errs) != 3 || errs[0] != nil || !route.Permanent(errs[1]) || errs[2] != nil || put != 2 {
		t.Errorf("%d are put: %v", put, errs)
	}
}
