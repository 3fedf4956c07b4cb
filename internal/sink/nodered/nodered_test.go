package nodered_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/nodered"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "nodered", Secrets: []string{"s3cretPassword", "s3cretHeader", "s3cretKey"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("nodered", v, nodered.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"nodered.address": url + "/falco?key=s3cretKey", "nodered.user": "u", "nodered.password": "s3cretPassword", "nodered.customheaders": "X-One:s3cretHeader"}
		},
		Variants: map[string]setting.Values{
			"bare": {"nodered.user": "", "nodered.customheaders": ""},
		},
	}.Run(t)
}
