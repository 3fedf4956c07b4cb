package rocketchat_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/rocketchat"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "rocketchat", Secrets: []string{"s3cretT0ken", "s3cretpath"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("rocketchat", v, rocketchat.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"rocketchat.webhookurl": url + "/services/s3cretpath/s3cretT0ken"}
		},
		Variants: map[string]setting.Values{
			"text": {"rocketchat.outputformat": "text"},
			"fields": {
				"rocketchat.outputformat": "fields", "rocketchat.icon": "http://icon", "rocketchat.username": "me", "rocketchat.footer": "below",
				"rocketchat.messageformat": `rule *{{ .Rule }}* by {{ index .OutputFields "user.name" }} {{ .Priority }} {{ .Time }} {{ .Hostname }}`,
			},
		},
	}.Run(t)
}
