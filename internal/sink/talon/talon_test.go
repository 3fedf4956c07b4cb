package talon_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/talon"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "talon", Secrets: []string{},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("talon", v, talon.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"talon.address": url}
		},
	}.Run(t)
}
