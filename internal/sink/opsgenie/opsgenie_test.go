package opsgenie_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/opsgenie"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "opsgenie", Secrets: []string{"s3cretKey"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("opsgenie", v, opsgenie.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"opsgenie.host": url, "opsgenie.apikey": "s3cretKey"}
		},
		Limit: func(body []byte) error {
			var p struct {
				Message, Description string
				Details              map[string]string
			}
			if err := json.Unmarshal(body, &p); err != nil {
				return err
			}
			n := 0
			for k, v := range p.Details {
				n += utf8.RuneCountInString(k) + utf8.RuneCountInString(v)
			}
			if utf8.RuneCountInString(p.Message) > 130 || utf8.RuneCountInString(p.Description) > 15000 || n > 8000 {
				return fmt.Errorf("message %.200q, %d bytes of description, %d characters of details", p.Message, len(p.Description), n)
			}
			return nil
		},
	}.Run(t)
}
