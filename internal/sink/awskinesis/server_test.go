package awskinesis_test

import (
	"bufio"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/aws"
	"github.com/saker-sec/saker/internal/sink/awskinesis"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

// kinesalite starts a server that speaks Kinesis' protocol and returns its URL.
func kinesalite(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("kinesalite")
	if err != nil {
		t.Skip("kinesalite is not installed (npm install -g kinesalite@3.3.3): ", err)
	}
	addr := servertest.Free(t)
	server := exec.CommandContext(t.Context(), path, "--port", servertest.Port(t, addr), "--createStreamMs", "10")
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Process.Kill(); err == nil {
			_ = server.Wait() // it was killed
		}
	})
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if strings.Contains(lines.Text(), "Listening") {
			return "http://" + addr
		}
	}
	t.Fatal("kinesalite has ended")
	return ""
}

// TestServer puts the samples into a stream and reads them back.
func TestServer(t *testing.T) {
	url := kinesalite(t)
	s, err := setting.Open("aws.kinesis", values(url), awskinesis.New)
	if err != nil {
		t.Fatal(err)
	}
	var alerts []*alert.Alert
	for _, sample := range sinktest.Samples() {
		alerts = append(alerts, sample.Alert(t))
	}
	if err := s.Send(t.Context(), alerts[0], nil); err == nil || route.Permanent(err) || aws.Code(err) != "ResourceNotFoundException" {
		t.Errorf("without a stream: %v", err)
	}
	admin, err := aws.New(aws.Config{AccessKeyID: sinktest.AccessKey, SecretAccessKey: sinktest.SecretKey, Region: sinktest.Region, Endpoint: url},
		aws.Service{Name: "test", ID: "kinesis", Type: "application/x-amz-json-1.1"})
	if err != nil {
		t.Fatal(err)
	}
	call := func(name string, in map[string]any, out any) {
		t.Helper()
		if err := admin.JSON(t.Context(), "Kinesis_20131202."+name, in, out); err != nil {
			t.Fatal(err)
		}
	}
	call("CreateStream", map[string]any{"StreamName": "falco", "ShardCount": 1}, nil)
	for status := ""; status != "ACTIVE"; {
		var out struct{ StreamDescription struct{ StreamStatus string } }
		call("DescribeStream", map[string]any{"StreamName": "falco"}, &out)
		status = out.StreamDescription.StreamStatus
	}
	if err := s.Send(t.Context(), alerts[0], nil); err != nil {
		t.Error(err)
	}
	if errs := s.SendBatch(t.Context(), alerts[1:]); errs != nil {
		t.Errorf("%v", errs)
	}
	var at struct{ ShardIterator string }
	call("GetShardIterator", map[string]any{"StreamName": "falco", "ShardId": "shardId-000000000000", "ShardIteratorType": "TRIM_HORIZON"}, &at)
	var got struct {
		Records []struct {
			Data         []byte
			PartitionKey string
		}
	}
	call("GetRecords", map[string]any{"ShardIterator": at.ShardIterator}, &got)
	if len(got.Records) != len(alerts) {
		t.Fatalf("%d records, want %d", len(got.Records), len(alerts))
	}
	for i, r := range got.Records {
		if want := string(alerts[i].AppendSidekick(nil)); string(r.Data) != want || r.PartitionKey != alerts[i].UUID || !json.Valid(r.Data) {
			t.Errorf("got  %s %s\nwant %s %s", r.PartitionKey, r.Data, alerts[i].UUID, want)
		}
	}
}
