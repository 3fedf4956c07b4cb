package slack_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/slack"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "slack", Secrets: []string{"s3cretT0ken", "s3cretpath"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("slack", v, slack.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"slack.webhookurl": url + "/services/s3cretpath/s3cretT0ken"}
		},
		Variants: map[string]setting.Values{
			"text": {"slack.outputformat": "text"},
			"fields": {
				"slack.outputformat": "field", "slack.icon": "http://icon", "slack.username": "me", "slack.footer": "below", "slack.channel": "#c",
				"slack.messageformat": `rule *{{ .Rule }}* by {{ index .OutputFields "user.name" }} {{ .Priority }} {{ .Time }} {{ .Hostname }}`,
			},
		},
	}.Run(t)
}
