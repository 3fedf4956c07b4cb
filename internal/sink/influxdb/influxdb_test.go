package influxdb_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/influxdb"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "influxdb", Secrets: []string{"s3cret/Password", "s3cret%2FPassword", "s3cretT0ken"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("influxdb", v, influxdb.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"influxdb.hostport": url, "influxdb.user": "u", "influxdb.password": "s3cret/Password"}
		},
		Variants: map[string]setting.Values{
			"v2": {"influxdb.organization": "my org", "influxdb.token": "s3cretT0ken", "influxdb.precision": "ms"},
		},
	}.Run(t)
}
