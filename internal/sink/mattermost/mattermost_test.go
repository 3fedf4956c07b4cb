package mattermost_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/mattermost"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "mattermost", Secrets: []string{"s3cretT0ken", "s3cretpath"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("mattermost", v, mattermost.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"mattermost.webhookurl": url + "/services/s3cretpath/s3cretT0ken"}
		},
		Variants: map[string]setting.Values{
			"text": {"mattermost.outputformat": "text"},
			"fields": {
				"mattermost.outputformat": "fields", "mattermost.icon": "http://icon", "mattermost.username": "me", "mattermost.footer": "below",
				"mattermost.messageformat": `rule *{{ .Rule }}* by {{ index .OutputFields "user.name" }} {{ .Priority }} {{ .Time }} {{ .Hostname }}`,
			},
		},
	}.Run(t)
}
