package loki_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/loki"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "loki", Secrets: []string{"s3cretKey", "s3cretHeader"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("loki", v, loki.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"loki.hostport": url, "loki.user": "u", "loki.apikey": "s3cretKey", "loki.customheaders": "X-One:s3cretHeader"}
		},
		Variants: map[string]setting.Values{
			"json": {"loki.format": "json", "loki.tenant": "t", "loki.extralabels": "proc.aname[2], proc.cmdline", "customfields.user.name": "x", "loki.user": "", "loki.endpoint": "/api/prom/push"},
		},
	}.Run(t)
}
