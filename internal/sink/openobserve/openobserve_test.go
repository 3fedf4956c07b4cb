package openobserve_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/openobserve"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "openobserve", Secrets: []string{"s3cretPassword", "s3cretHeader"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("openobserve", v, openobserve.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"openobserve.hostport": url, "openobserve.username": "root", "openobserve.password": "s3cretPassword", "openobserve.customheaders": "X-One:s3cretHeader"}
		},
		Variants: map[string]setting.Values{
			"names": {"openobserve.organizationname": "o", "openobserve.streamname": "s"},
		},
	}.Run(t)
}

// TestRefused believes an answer that fails in its words only.
func TestRefused(t *testing.T) {
	url := sinktest.Serve(t, func(*http.Request, []byte) string {
		return `{"code":200,"status":[{"name":"falco","successful":0,"failed":1,"error":"too old"}]}`
	})
	s, err := setting.Open("openobserve", setting.Values{"openobserve.hostport": url}, openobserve.New)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), sinktest.Alert("m"), nil); !route.Permanent(err) || !strings.HasSuffix(err.Error(), "the record is refused: too old") {
		t.Error(err)
	}
}
