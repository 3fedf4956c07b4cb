package cloudevents_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/cloudevents"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "cloudevents", Secrets: []string{},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("cloudevents", v, cloudevents.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"cloudevents.address": url}
		},
		Variants: map[string]setting.Values{
			"extensions": {"cloudevents.extensions": "team:a b"},
		},
	}.Run(t)
}
