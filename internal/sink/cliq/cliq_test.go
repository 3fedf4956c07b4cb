package cliq_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/cliq"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "cliq", Secrets: []string{"s3cretT0ken"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("cliq", v, cliq.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"cliq.webhookurl": url + "/api/v2/channelsbyname/x/message?zapikey=s3cretT0ken"}
		},
		Variants: map[string]setting.Values{
			"text":     {"cliq.outputformat": "text", "cliq.useemoji": "true"},
			"template": {"cliq.messageformat": "{{ .Rule }}", "cliq.icon": "http://icon"},
			"fields":   {"cliq.messageformat": "{{ .Rule }}", "cliq.outputformat": "fields"},
		},
	}.Run(t)
}
