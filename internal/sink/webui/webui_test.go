package webui_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/webui"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "webui", Secrets: []string{},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("webui", v, webui.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"webui.url": url}
		},
		Variants: map[string]setting.Values{
			"outputs": {"webui.outputs": "Slack, WebUI"},
		},
	}.Run(t)
}
