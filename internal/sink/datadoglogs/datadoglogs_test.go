package datadoglogs_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/datadoglogs"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "datadoglogs", Secrets: []string{"s3cretKey"}, Retried: []int{403},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("datadoglogs", v, datadoglogs.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"datadoglogs.host": url + "/", "datadoglogs.apikey": "s3cretKey"}
		},
		Variants: map[string]setting.Values{
			"service": {"datadoglogs.service": "x"},
		},
	}.Run(t)
}
