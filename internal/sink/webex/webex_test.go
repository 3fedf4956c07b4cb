package webex_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/webex"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "webex", Secrets: []string{"s3cretpath", "s3cretT0ken"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("webex", v, webex.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"webex.webhookurl": url + "/hook/s3cretpath/s3cretT0ken"}
		},
		Limit: func(body []byte) error {
			var p struct{ Markdown string }
			if err := json.Unmarshal(body, &p); err != nil || len(p.Markdown) > 7439 {
				return fmt.Errorf("a message of %d bytes: %v", len(p.Markdown), err)
			}
			return nil
		},
	}.Run(t)
}
