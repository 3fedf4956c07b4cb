package influxdb_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/influxdb"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

// TestServer writes to a real InfluxDB 1: every alert is a point of its time, with its whole output, also after an outage.
func TestServer(t *testing.T) {
	server := servertest.StartInfluxDB(t, "saker", "s3cretPassword", "falco")
	open := func(more setting.Values) *influxdb.Sink {
		v := setting.Values{"influxdb.hostport": "http://" + server.Addr, "influxdb.user": "saker", "influxdb.password": "s3cretPassword"}
		for k, x := range more {
			v[k] = x
		}
		s, err := setting.Open("influxdb", v, influxdb.New)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close(t.Context()) })
		return s
	}
	s := open(nil)
	if err := open(setting.Values{"influxdb.password": "s3cretWrong"}).Send(t.Context(), sinktest.Samples()[0].Alert(t), nil); err == nil || strings.Contains(err.Error(), "s3cretWrong") {
		t.Errorf("wrong password: %v", err)
	}
	var want []string
	for i, sample := range sinktest.Samples() {
		a := sample.Alert(t)
		if i == 2 {
			server.Stop()
			if err := s.Send(t.Context(), a, nil); err == nil || route.Permanent(err) {
				t.Errorf("server stopped: %v", err)
			}
			server.Start(t)
		}
		for range 2 { // a point that comes again is the same point
			if err := s.Send(t.Context(), a, nil); err != nil {
				t.Errorf("%s: %v", sample.Name, err)
			}
		}
		want = append(want, a.Time.UTC().Format(time.RFC3339Nano)+" "+a.OutputText())
	}
	body, err := servertest.InfluxQuery(t.Context(), server.Addr, "saker", "s3cretPassword", "falco", "SELECT value FROM events")
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Results []struct {
			Series []struct{ Values [][2]string }
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil || len(answer.Results) != 1 || len(answer.Results[0].Series) != 1 {
		t.Fatalf("%v: %s", err, body)
	}
	var got []string
	for _, row := range answer.Results[0].Series[0].Values {
		got = append(got, row[0]+" "+row[1])
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
