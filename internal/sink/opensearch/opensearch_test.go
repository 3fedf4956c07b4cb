package opensearch_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/opensearch"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "opensearch", Secrets: []string{"s3cretPassword", "s3cretHeader"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("opensearch", v, opensearch.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{
				"opensearch.hostport": url, "opensearch.username": "admin", "opensearch.password": "s3cretPassword", "opensearch.customheaders": "X-One:s3cretHeader",
			}
		},
		Answer: func(*http.Request, []byte) string { return "{}" },
		Variants: map[string]setting.Values{
			"template": {"opensearch.createindextemplate": "true", "opensearch.suffix": "monthly", "opensearch.enablecompression": "true", "opensearch.pipeline": "p"},
		},
	}.Run(t)
}

// TestName shows that errors have the destination's own name.
func TestName(t *testing.T) {
	url := sinktest.ServeStatus(t, http.StatusForbidden, `{"error":"no permissions for [indices:data/write/index]"}`)
	s, err := setting.Open("second", setting.Values{"second.hostport": url}, opensearch.New)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), sinktest.Alert("m"), nil); err == nil || !strings.HasPrefix(err.Error(), "opensearch: ") {
		t.Error(err)
	}
}
