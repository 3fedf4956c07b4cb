package datadog_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/datadog"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "datadog", Secrets: []string{"s3cretKey"}, Retried: []int{403},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("datadog", v, datadog.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"datadog.host": url, "datadog.apikey": "s3cretKey"}
		},
		Limit: func(body []byte) error {
			var p struct{ Title, Text string }
			if err := json.Unmarshal(body, &p); err != nil || utf8.RuneCountInString(p.Title) > 500 || utf8.RuneCountInString(p.Text) > 4000 {
				return fmt.Errorf("an event with a title of %d bytes and a text of %d: %v", len(p.Title), len(p.Text), err)
			}
			return nil
		},
	}.Run(t)
}
