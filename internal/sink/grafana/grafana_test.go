package grafana_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/grafana"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "grafana", Secrets: []string{"s3cretKey", "s3cretHeader"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("grafana", v, grafana.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"grafana.hostport": url, "grafana.apikey": "s3cretKey", "grafana.customheaders": "X-One:s3cretHeader"}
		},
		Variants: map[string]setting.Values{
			"all": {"grafana.dashboardid": "3", "grafana.panelid": "4", "grafana.allfieldsastags": "true"},
		},
	}.Run(t)
}
