// Package yandexdatastreams puts alerts into a stream of Yandex Data Streams, which speaks the protocol of Amazon Kinesis, as
// awskinesis does.
package yandexdatastreams

import (
	"fmt"

	"github.com/saker-sec/saker/internal/sink/aws"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	StreamName string     // streamname: where to put records; the destination is off without
	Yandex     aws.Yandex // endpoint, keys, region, checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.Yandex.Settings("https://yds.serverless.yandexcloud.net"),
		setting.Text("streamname", &c.StreamName, "", "name of the stream, with folder and database").Required(),
	)
}

// Sink puts alerts, one by one or many at once.
type Sink struct{ *aws.Stream }

// New returns a sink. It fails when the endpoint or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	account, err := cfg.Yandex.Config()
	if err != nil {
		return nil, fmt.Errorf("yandexdatastreams: %w", err)
	}
	s, err := aws.NewStream("yandexdatastreams", account, cfg.StreamName)
	if err != nil {
		return nil, err
	}
	return &Sink{s}, nil
}
