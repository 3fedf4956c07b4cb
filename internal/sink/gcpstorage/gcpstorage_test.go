package gcpstorage_test

import (
	nethttp "net/http"
	"slices"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/gcpstorage"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	g := sinktest.ServeGoogle(t)
	sinktest.HTTP{
		Prefix: "gcp.storage", Secrets: []string{sinktest.AccessToken, g.Key}, Retried: []int{403, 404},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("gcp.storage", v, gcpstorage.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"gcp.storage.bucket": "alerts", "gcp.storage.prefix": "falco", "gcp.storage.endpoint": url, "gcp.credentials": g.Credentials}
		},
		Variants: map[string]setting.Values{"bare": {"gcp.storage.prefix": ""}},
	}.Run(t)
	given := g.Given()
	if slices.Sort(given); len(given) == 0 || given[0] != "https://www.googleapis.com/auth/devstorage.read_write" || given[len(given)-1] != given[0] {
		t.Errorf("tokens for the scopes %q", given)
	}
}

// TestAgain puts what is there already, what has no uuid, and meets a bucket that is none.
func TestAgain(t *testing.T) {
	g := sinktest.ServeGoogle(t)
	open := func(url string) *gcpstorage.Sink {
		s, err := setting.Open("gcp.storage", setting.Values{"gcp.storage.bucket": "b", "gcp.storage.endpoint": url, "gcp.credentials": g.Credentials}, gcpstorage.New)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	a := sinktest.Alert("m")
	if err := open(sinktest.ServeStatus(t, 412, "conditionNotMet")).Send(t.Context(), a, nil); err != nil {
		t.Errorf("the object is there: %v", err)
	}
	err := open(sinktest.ServeStatus(t, 404, "{\n  \"error\": {\n    \"message\": \"The specified bucket does not exist.\"\n  }\n}")).Send(t.Context(), a, nil)
	if err == nil || route.Permanent(err) || !strings.Contains(err.Error(), "The specified bucket does not exist.") {
		t.Errorf("no bucket: %v", err)
	}
	var names []string
	s := open(sinktest.Serve(t, func(r *nethttp.Request, _ []byte) string {
		names = append(names, r.URL.Query().Get("name"))
		return ""
	}))
	for _, a := range []*alert.Alert{sinktest.Alert("one"), sinktest.Alert("one"), sinktest.Alert("two")} {
		if err := s.Send(t.Context(), a, nil); err != nil {
			t.Error(err)
		}
	}
	if len(names) != 3 || names[0] != names[1] || names[0] == names[2] || !strings.HasPrefix(names[0], "1970-01-01/1970-01-01T00:00:00Z-") {
		t.Errorf("objects %q", names)
	}
}
