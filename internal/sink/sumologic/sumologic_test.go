package sumologic_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/sumologic"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "sumologic", Secrets: []string{"s3cretT0ken"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("sumologic", v, sumologic.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"sumologic.receiverurl": url + "/receiver/v1/http/s3cretT0ken=="}
		},
		Variants: map[string]setting.Values{
			"names": {"sumologic.sourcecategory": "c", "sumologic.sourcehost": "h", "sumologic.name": "n"},
		},
	}.Run(t)
}
