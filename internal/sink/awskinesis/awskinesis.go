// Package awskinesis puts alerts into a data stream of Amazon Kinesis, as Falcosidekick's JSON. The uuid is the partition key,
// where Falcosidekick has a random one: an alert that comes again is in the same shard. Of one that is larger than a record
// (1 MiB) texts are cut, each with a mark.
package awskinesis

import (
	"github.com/saker-sec/saker/internal/sink/aws"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	StreamName string     // streamname: where to put records; the destination is off without
	AWS        aws.Config // endpoint, credentials, region, checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.AWS.Settings(), setting.Text("streamname", &c.StreamName, "", "name of the stream").Required())
}

// Sink puts alerts, one by one or many at once.
type Sink struct{ *aws.Stream }

// New returns a sink. It fails when the endpoint or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	s, err := aws.NewStream("awskinesis", cfg.AWS, cfg.StreamName)
	if err != nil {
		return nil, err
	}
	return &Sink{s}, nil
}
