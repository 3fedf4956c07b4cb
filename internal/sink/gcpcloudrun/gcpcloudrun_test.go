package gcpcloudrun_test

import (
	nethttp "net/http"
	"slices"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/gcpcloudrun"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func open(v setting.Values) (route.Sink, error) {
	return setting.Open("gcp.cloudrun", v, gcpcloudrun.New)
}

func Test(t *testing.T) {
	g := sinktest.ServeGoogle(t)
	sinktest.HTTP{
		Prefix: "gcp.cloudrun", Secrets: []string{sinktest.IdentityToken, g.Key}, Retried: []int{403, 404},
		Open: open,
		Settings: func(url string) setting.Values {
			return setting.Values{"gcp.cloudrun.endpoint": url + "/alert", "gcp.credentials": g.Credentials}
		},
		Variants: map[string]setting.Values{"jwt": {"gcp.cloudrun.jwt": "s3cret.given.jwt"}},
	}.Run(t)
}

// TestAudience makes tokens for the service's address, or for another audience.
func TestAudience(t *testing.T) {
	g := sinktest.ServeGoogle(t)
	url := sinktest.Serve(t, func(r *nethttp.Request, _ []byte) string {
		if got := r.Header.Get("Authorization"); got != "Bearer "+sinktest.IdentityToken {
			t.Errorf("Authorization: %s", got)
		}
		return ""
	})
	for _, audience := range []string{"", "https://other.example"} {
		s, err := open(setting.Values{"gcp.cloudrun.endpoint": url + "/a/b?c", "gcp.credentials": g.Credentials, "gcp.cloudrun.audience": audience})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := s.Send(t.Context(), sinktest.Alert("m"), nil); err != nil {
				t.Error(err)
			}
		}
	}
	if got := g.Given(); !slices.Equal(got, []string{url, "https://other.example"}) {
		t.Errorf("tokens for %q", got)
	}
}
