package googlechat_test

import (
	"fmt"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/googlechat"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "googlechat", Secrets: []string{"s3cretkey", "s3cretT0ken"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("googlechat", v, googlechat.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"googlechat.webhookurl": url + "/v1/spaces/S/messages?key=s3cretkey&token=s3cretT0ken"}
		},
		Limit: func(body []byte) error {
			if len(body) > 32000 {
				return fmt.Errorf("a message of %d bytes", len(body))
			}
			return nil
		},
		Variants: map[string]setting.Values{
			"text":     {"googlechat.outputformat": "text"},
			"v2":       {"googlechat.cards": "v2"},
			"template": {"googlechat.messageformat": `rule *{{ .Rule }}* {{ .UUID }}`},
		},
	}.Run(t)
}
