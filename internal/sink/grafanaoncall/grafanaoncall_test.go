package grafanaoncall_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/grafanaoncall"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "grafanaoncall", Secrets: []string{"s3cretpath", "s3cretT0ken", "s3cretHeader"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("grafanaoncall", v, grafanaoncall.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"grafanaoncall.webhookurl": url + "/hook/s3cretpath/s3cretT0ken", "grafanaoncall.customheaders": "X-One:s3cretHeader"}
		},
	}.Run(t)
}
