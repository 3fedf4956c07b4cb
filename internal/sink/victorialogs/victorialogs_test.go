package victorialogs_test

import (
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/victorialogs"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "victorialogs", Secrets: []string{"s3cretPassword", "s3cretHeader"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("victorialogs", v, victorialogs.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{
				"victorialogs.hostport": url, "victorialogs.user": "u", "victorialogs.password": "s3cretPassword", "victorialogs.customheaders": "X-One:s3cretHeader",
			}
		},
		Variants: map[string]setting.Values{
			"tenant": {"victorialogs.accountid": "12", "victorialogs.projectid": "3", "victorialogs.streamfields": "rule, output_fields.k8s.ns.name", "victorialogs.user": ""},
		},
	}.Run(t)
	if _, err := setting.Open("victorialogs", setting.Values{"victorialogs.hostport": "http://x", "victorialogs.accountid": "a\nb"}, victorialogs.New); err == nil {
		t.Error("a tenant that is no number")
	}
}

// TestLong refuses a line that the server would drop, and nothing else of the batch.
func TestLong(t *testing.T) {
	v := setting.Values{"victorialogs.hostport": sinktest.Serve(t, nil), "victorialogs.maxlinebytes": "4096"}
	s, err := setting.Open("victorialogs", v, victorialogs.New)
	if err != nil {
		t.Fatal(err)
	}
	long := sinktest.Alert(strings.Repeat("x", 5000))
	if errs := s.SendBatch(t.Context(), []*alert.Alert{sinktest.Alert("m"), long}); len(errs) != 2 || errs[0] != nil || !route.Permanent(errs[1]) {
		t.Error(errs)
	}
}
