// Package slack posts alerts to Slack, through an incoming webhook.
package slack

import (
	"github.com/saker-sec/saker/internal/sink/chat"
	"github.com/saker-sec/saker/internal/sink/message"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// limit is how many characters Slack takes in a text (api.slack.com, "Truncating really long messages").
const limit = 40000

// Config is the destination's configuration.
type Config struct {
	chat.Config
	Channel string // channel: where to post, in place of the webhook's own channel
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.Config.Settings(), setting.Text("channel", &c.Channel, "", "channel, in place of the webhook's own"))
}

// New returns a sink. It fails when the address, the template or a certificate cannot be used.
func New(cfg Config) (*chat.Sink, error) {
	return chat.Open(cfg.Config, chat.Style{Name: "slack", Channel: cfg.Channel, Limit: limit, HostAfter: "source", Clean: message.NoSlack})
}
