package gcpchronicle_test

import (
	"fmt"
	"regexp"
	"slices"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/gcpchronicle"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

var collected = regexp.MustCompile(`"collectionTime":"[^"]*"`)

func Test(t *testing.T) {
	g := sinktest.ServeGoogle(t)
	sinktest.HTTP{
		Prefix: "gcp.chronicle", Secrets: []string{sinktest.AccessToken, g.Key}, Retried: []int{403, 404},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("gcp.chronicle", v, gcpchronicle.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"gcp.chronicle.projectid": "p", "gcp.chronicle.instanceid": "i", "gcp.chronicle.region": "eu", "gcp.chronicle.endpoint": url, "gcp.credentials": g.Credentials}
		},
		Blur:  func(body string) string { return collected.ReplaceAllString(body, `"collectionTime":"NOW"`) },
		Plain: sinktest.PlainData,
		Limit: func(body []byte) error {
			if len(body) > 1_000_000+64 {
				return fmt.Errorf("%d bytes", len(body))
			}
			return nil
		},
	}.Run(t)
	given := g.Given()
	if slices.Sort(given); len(given) == 0 || given[0] != "https://www.googleapis.com/auth/cloud-platform" || given[len(given)-1] != given[0] {
		t.Errorf("tokens for the scopes %q", given)
	}
}
