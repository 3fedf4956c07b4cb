package yandexs3_test

import (
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
	"github.com/saker-sec/saker/internal/sink/yandexs3"
)

func open(v setting.Values) (route.Sink, error) {
	s, err := setting.Open("yandex.s3", v, yandexs3.New)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "yandex.s3", AWS: "s3", Secrets: []string{sinktest.SecretKey}, Retried: sinktest.AWSRetried(), Open: open,
		Settings: func(url string) setting.Values {
			return setting.Values{
				"yandex.s3.bucket": "bucket", "yandex.s3.endpoint": url, "yandex.region": sinktest.Region,
				"yandex.accesskeyid": sinktest.AccessKey, "yandex.secretaccesskey": sinktest.SecretKey,
			}
		},
	}.Run(t)
}

// TestKeys wants keys: those of AWS are not taken in their place.
func TestKeys(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "id")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "key")
	if _, err := open(setting.Values{"yandex.s3.bucket": "bucket"}); err == nil || !strings.Contains(err.Error(), "yandex.secretaccesskey") {
		t.Error(err)
	}
}
