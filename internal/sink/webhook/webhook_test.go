package webhook_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/webhook"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "webhook", Secrets: []string{"s3cretT0ken", "s3cretBearer"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("webhook", v, webhook.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"webhook.address": url + "/in?token=s3cretT0ken", "webhook.customheaders": "Authorization:Bearer s3cretBearer, X-Other:a:b"}
		},
		Variants: map[string]setting.Values{
			"put": {"webhook.method": "PUT", "webhook.customheaders": "", "webhook.customheaders.Content-Type": "application/x-falco"},
		},
	}.Run(t)
}
