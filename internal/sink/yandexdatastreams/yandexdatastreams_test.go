package yandexdatastreams_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/yandexdatastreams"
)

func open(v setting.Values) (route.Sink, error) {
	s, err := setting.Open("yandex.datastreams", v, yandexdatastreams.New)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "yandex.datastreams", AWS: "kinesis", Secrets: []string{sinktest.SecretKey}, Retried: sinktest.AWSRetried(), Open: open,
		Settings: func(url string) setting.Values {
			return setting.Values{
				"yandex.datastreams.streamname": "/ru-central1/folder/base/stream", "yandex.datastreams.endpoint": url, "yandex.region": sinktest.Region,
				"yandex.accesskeyid": sinktest.AccessKey, "yandex.secretaccesskey": sinktest.SecretKey,
			}
		},
		Answer: func(*http.Request, []byte) string { return `{"SequenceNumber":"1","ShardId":"0"}` },
	}.Run(t)
}

// TestKeys wants keys.
func TestKeys(t *testing.T) {
	if _, err := open(setting.Values{"yandex.datastreams.streamname": "s"}); err == nil || !strings.Contains(err.Error(), "yandex.accesskeyid") {
		t.Error(err)
	}
}
