package splunk_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/splunk"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "splunk", Secrets: []string{"s3cretT0ken"}, Retried: []int{403},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("splunk", v, splunk.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"splunk.host": url + "/services/collector/event", "splunk.token": "s3cretT0ken", "splunk.customheaders": "X-One:1"}
		},
		Variants: map[string]setting.Values{
			"bare": {"splunk.token": "", "splunk.customheaders": ""},
		},
	}.Run(t)
}
