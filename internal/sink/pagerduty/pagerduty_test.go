package pagerduty_test

import (
	"fmt"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/pagerduty"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "pagerduty", Secrets: []string{"s3cretKey"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("pagerduty", v, pagerduty.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"pagerduty.host": url, "pagerduty.routingkey": "s3cretKey"}
		},
		Limit: func(body []byte) error {
			if len(body) > 512<<10 {
				return fmt.Errorf("an event of %d bytes", len(body))
			}
			return nil
		},
	}.Run(t)
}
