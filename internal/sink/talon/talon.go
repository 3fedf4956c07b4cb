// Package talon posts alerts to Falco Talon, as Falcosidekick's JSON.
package talon

import (
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Address string           // address: where to post; the destination is off without
	HTTP    httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("address", &c.Address, "", "where to post").Required(),
	)
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*httpsink.Events, error) {
	return httpsink.NewEvents(httpsink.Config{Name: "talon", URL: cfg.Address, Options: cfg.HTTP})
}
