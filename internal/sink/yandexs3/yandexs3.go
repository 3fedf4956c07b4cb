// Package yandexs3 puts alerts into a bucket of Yandex Object Storage, each as an object of Falcosidekick's JSON, under the
// names that awss3 gives.
package yandexs3

import (
	"context"
	"fmt"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/aws"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Bucket string     // bucket: where to put objects; the destination is off without
	Prefix string     // prefix: of the names of objects
	Yandex aws.Yandex // endpoint, keys, region, checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.Yandex.Settings("https://storage.yandexcloud.net"),
		setting.Text("bucket", &c.Bucket, "", "bucket to put objects into").Required(),
		setting.Text("prefix", &c.Prefix, "falco", "prefix of the names of objects"),
	)
}

// Sink puts alerts.
type Sink struct {
	cfg    Config
	bucket *aws.Bucket
}

// New returns a sink. It fails when the endpoint or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	account, err := cfg.Yandex.Config()
	if err != nil {
		return nil, fmt.Errorf("yandexs3: %w", err)
	}
	b, err := aws.NewBucket("yandexs3", account, aws.BucketConfig{Bucket: cfg.Bucket})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, bucket: b}, nil
}

// Send puts an alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	return s.bucket.PutAlert(ctx, s.cfg.Prefix, a)
}

// Close closes the connections.
func (s *Sink) Close(ctx context.Context) error { return s.bucket.Close(ctx) }
