// Package awss3 puts alerts into a bucket of Amazon S3, or of a server that speaks its protocol, each as an object of
// Falcosidekick's JSON.
//
// The object's name is "<prefix>/<day>/<time>-<uuid>.json" of the alert, where Falcosidekick has the time of the delivery and
// no uuid: two alerts of one nanosecond are two objects, and one alert that comes twice is one. An object may be larger than
// any alert.
package awss3

import (
	"context"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/aws"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Bucket string     // bucket: where to put objects; the destination is off without
	Prefix string     // prefix: of the names of objects
	ACL    string     // objectcannedacl: access control list of objects
	AWS    aws.Config // endpoint, credentials, region, checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.AWS.Settings(),
		setting.Text("bucket", &c.Bucket, "", "bucket to put objects into").Required(),
		setting.Text("prefix", &c.Prefix, "falco", "prefix of the names of objects"),
		setting.Text("objectcannedacl", &c.ACL, "bucket-owner-full-control", "canned access control list of objects"),
	)
}

// Sink puts alerts.
type Sink struct {
	cfg    Config
	bucket *aws.Bucket
}

// New returns a sink. It fails when the endpoint or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	b, err := aws.NewBucket("awss3", cfg.AWS, aws.BucketConfig{Bucket: cfg.Bucket, ACL: cfg.ACL, Checksum: true})
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
