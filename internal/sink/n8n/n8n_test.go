package n8n_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/n8n"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "n8n", Secrets: []string{"s3cretPassword", "s3cretHeader", "s3cretpath"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("n8n", v, n8n.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"n8n.address": url + "/webhook/s3cretpath", "n8n.user": "u", "n8n.password": "s3cretPassword", "n8n.headerauthname": "X-Key", "n8n.headerauthvalue": "s3cretHeader"}
		},
		Variants: map[string]setting.Values{
			"bare": {"n8n.user": "", "n8n.headerauthname": ""},
		},
	}.Run(t)
}
