package alertmanager_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/alertmanager"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

// TestServer posts to a real Alertmanager: it takes every alert, lists each once, and again after an outage.
func TestServer(t *testing.T) {
	server := servertest.StartAlertmanager(t)
	s, err := setting.Open("alertmanager", setting.Values{"alertmanager.hostport": "http://" + server.Addr}, alertmanager.New)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	rules := map[string]int{}
	for _, sample := range sinktest.Samples() {
		a := sample.Alert(t)
		for range 2 {
			if err := s.Send(t.Context(), a, nil); err != nil {
				t.Errorf("%s: %v", sample.Name, err)
			}
		}
		rules[a.Rule] = 1
	}
	list := func() map[string]int {
		body, err := servertest.Get(t.Context(), http.MethodGet, "http://"+server.Addr+"/api/v2/alerts")
		if err != nil {
			t.Fatal(err)
		}
		var alerts []struct {
			Labels, Annotations map[string]string
		}
		if err := json.Unmarshal(body, &alerts); err != nil {
			t.Fatalf("%v: %s", err, body)
		}
		got := map[string]int{}
		for _, a := range alerts {
			got[a.Labels["rule"]]++
			if a.Labels["source"] != "falco" || a.Labels["severity"] == "" || a.Annotations["info"] == "" {
				t.Errorf("%+v", a)
			}
		}
		return got
	}
	got := list()
	for rule := range rules {
		if got[rule] != 1 {
			t.Errorf("%q is listed %d times, want once", rule, got[rule])
		}
	}
	if len(got) != len(rules) {
		t.Errorf("%d alerts are listed, want %d", len(got), len(rules))
	}
	server.Stop()
	a := sinktest.Samples()[0].Alert(t)
	if err := s.Send(t.Context(), a, nil); err == nil || route.Permanent(err) {
		t.Errorf("server stopped: %v", err)
	}
	server.Start(t)
	a.Rule = "after the outage"
	if err := s.Send(t.Context(), a, nil); err != nil {
		t.Fatal(err)
	}
	if list()[a.Rule] != 1 {
		t.Error("the alert after the outage is not listed")
	}
}
