package tekton_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/tekton"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "tekton", Secrets: []string{},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("tekton", v, tekton.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"tekton.eventlistener": url}
		},
	}.Run(t)
}
