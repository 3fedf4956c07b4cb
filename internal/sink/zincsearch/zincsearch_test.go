package zincsearch_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/zincsearch"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "zincsearch", Secrets: []string{"s3cretPassword"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("zincsearch", v, zincsearch.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"zincsearch.hostport": url + "/", "zincsearch.username": "root", "zincsearch.password": "s3cretPassword"}
		},
		Variants: map[string]setting.Values{
			"index": {"zincsearch.index": "other", "zincsearch.username": ""},
		},
	}.Run(t)
}
