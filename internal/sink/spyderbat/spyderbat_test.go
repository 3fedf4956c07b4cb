package spyderbat_test

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/spyderbat"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "spyderbat", Secrets: []string{"s3cretKey"},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("spyderbat", v, spyderbat.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"spyderbat.apiurl": url, "spyderbat.orguid": "org", "spyderbat.apikey": "s3cretKey"}
		},
		Refused: []string{"minimal"},
		Retried: []int{302, 400, 403, 404, 413, 422}, // the first request asks for the sources, and says nothing of the alert
		Answer: func(r *http.Request, _ []byte) string {
			if r.Method == http.MethodGet {
				return `[{"uid":"other"}]`
			}
			return ""
		},
		Blur: func(body string) string {
			return regexp.MustCompile(`"(monotonic_time|orc_time)":[0-9.e+]+`).ReplaceAllString(body, `"$1":0`)
		},
	}.Run(t)
}
