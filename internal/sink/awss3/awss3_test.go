package awss3_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/awss3"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "aws.s3", AWS: "s3", Secrets: sinktest.AWSSecrets(), Retried: sinktest.AWSRetried(),
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("aws.s3", v, awss3.New) },
		Settings: func(url string) setting.Values {
			return sinktest.AWSSettings("aws.s3", url, setting.Values{"aws.s3.bucket": "my.bucket"})
		},
		Variants: map[string]setting.Values{
			"odd": {"aws.s3.bucket": "b", "aws.s3.prefix": "/a b+c/ü*~", "aws.s3.objectcannedacl": "private"},
		},
	}.Run(t)
}
