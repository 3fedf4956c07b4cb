package dynatrace_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/dynatrace"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "dynatrace", Secrets: []string{"s3cretT0ken"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("dynatrace", v, dynatrace.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"dynatrace.apiurl": url + "/api/", "dynatrace.apitoken": "s3cretT0ken"}
		},
	}.Run(t)
}
