package gotify_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/gotify"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "gotify", Secrets: []string{"s3cretT0ken"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("gotify", v, gotify.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"gotify.hostport": url, "gotify.token": "s3cretT0ken"}
		},
		Variants: map[string]setting.Values{
			"plain": {"gotify.format": "plaintext"},
			"json":  {"gotify.format": "json"},
		},
	}.Run(t)
}
