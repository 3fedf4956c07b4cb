package kafkarest_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/kafkarest"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "kafkarest", Secrets: []string{},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("kafkarest", v, kafkarest.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"kafkarest.address": url + "/topics/falco"}
		},
		Variants: map[string]setting.Values{
			"v1": {"kafkarest.version": "1"},
		},
	}.Run(t)
}
