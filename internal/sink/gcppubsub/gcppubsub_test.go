package gcppubsub_test

import (
	"fmt"
	nethttp "net/http"
	"slices"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/gcppubsub"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	g := sinktest.ServeGoogle(t)
	sinktest.HTTP{
		Prefix: "gcp.pubsub", Secrets: []string{sinktest.AccessToken, g.Key}, Retried: []int{403, 404},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("gcp.pubsub", v, gcppubsub.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"gcp.pubsub.projectid": "p", "gcp.pubsub.topic": "t", "gcp.pubsub.endpoint": url, "gcp.pubsub.customattributes": "team:a b", "gcp.credentials": g.Credentials}
		},
		Plain: sinktest.PlainData,
		Limit: func(body []byte) error {
			if len(body) > 10_000_000 {
				return fmt.Errorf("%d bytes", len(body))
			}
			return nil
		},
	}.Run(t)
	given := g.Given()
	if slices.Sort(given); len(given) == 0 || given[0] != "https://www.googleapis.com/auth/pubsub" || given[len(given)-1] != given[0] {
		t.Errorf("tokens for the scopes %q", given)
	}
}

// TestAttributes refuses those that Pub/Sub would refuse.
func TestAttributes(t *testing.T) {
	for _, a := range []string{"goog-x:y", strings.Repeat("k", 257) + ":v", "k:" + strings.Repeat("v", 1025)} {
		v := setting.Values{"gcp.pubsub.projectid": "p", "gcp.pubsub.topic": "t", "gcp.pubsub.customattributes": a}
		if _, err := setting.Open("gcp.pubsub", v, gcppubsub.New); err == nil {
			t.Errorf("%.20s is taken", a)
		}
	}
}

// TestHuge cuts an alert of 20 MB, and sends many large ones in several requests.
func TestHuge(t *testing.T) {
	g := sinktest.ServeGoogle(t)
	var bodies []string
	s, err := setting.Open("gcp.pubsub", setting.Values{
		"gcp.pubsub.projectid": "p", "gcp.pubsub.topic": "t", "gcp.credentials": g.Credentials, "gcp.pubsub.timeout": "1m",
		"gcp.pubsub.endpoint": sinktest.Serve(t, func(_ *nethttp.Request, body []byte) string {
			bodies = append(bodies, string(sinktest.PlainData(body)))
			if len(body) > 10_000_000 {
				t.Errorf("%d bytes", len(body))
			}
			return ""
		}),
	}, gcppubsub.New)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), sinktest.Alert(strings.Repeat("x", 20<<20)), nil); err != nil || len(bodies) != 1 || !strings.Contains(bodies[0], "x[...]") {
		t.Errorf("%v, %d requests", err, len(bodies))
	}
	bodies = nil
	var alerts []*alert.Alert
	for range 8 {
		alerts = append(alerts, sinktest.Alert(strings.Repeat("x", 2<<20)))
	}
	if errs := s.SendBatch(t.Context(), alerts); errs != nil || len(bodies) != 3 {
		t.Errorf("%v, %d requests", errs, len(bodies))
	}
}
