package gcpcloudfunctions_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/gcpcloudfunctions"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	g := sinktest.ServeGoogle(t)
	sinktest.HTTP{
		Prefix: "gcp.cloudfunctions", Secrets: []string{sinktest.AccessToken, g.Key}, Retried: []int{403, 404},
		Open: func(v setting.Values) (route.Sink, error) {
			return setting.Open("gcp.cloudfunctions", v, gcpcloudfunctions.New)
		},
		Settings: func(url string) setting.Values {
			return setting.Values{"gcp.cloudfunctions.name": "projects/p/locations/l/functions/f", "gcp.cloudfunctions.endpoint": url, "gcp.credentials": g.Credentials}
		},
	}.Run(t)
	given := g.Given()
	if slices.Sort(given); len(given) == 0 || given[0] != "https://www.googleapis.com/auth/cloud-platform" || given[len(given)-1] != given[0] {
		t.Errorf("tokens for the scopes %q", given)
	}
}

// TestOutcome looks at what the function says, and at names that are none.
func TestOutcome(t *testing.T) {
	g := sinktest.ServeGoogle(t)
	values := setting.Values{
		"gcp.cloudfunctions.name": "projects/p/locations/l/functions/f", "gcp.credentials": g.Credentials,
		"gcp.cloudfunctions.endpoint": sinktest.ServeStatus(t, 200, `{"executionId":"1","error":"boom"}`),
	}
	s, err := setting.Open("gcp.cloudfunctions", values, gcpcloudfunctions.New)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), sinktest.Alert("m"), nil); err == nil || route.Permanent(err) || !strings.Contains(err.Error(), "the function ends with an error: boom") {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"f", "projects/p/locations/l/functions/", "projects/p/locations/l/functions/f?x"} {
		values["gcp.cloudfunctions.name"] = name
		if _, err := setting.Open("gcp.cloudfunctions", values, gcpcloudfunctions.New); err == nil || !strings.Contains(err.Error(), "must be like") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
