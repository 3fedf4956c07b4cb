// Package nodered posts alerts to an "http in" node of Node-RED, as Falcosidekick's JSON.
package nodered

import (
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Address       string            // address: where to post; the destination is off without
	User          string            // user: user, of basic authentication
	Password      string            // password: password, of basic authentication
	CustomHeaders map[string]string // customheaders: headers to send
	HTTP          httpsink.Options  // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("address", &c.Address, "", "where to post").Secret().Required(),
		setting.Text("user", &c.User, "", "user, of basic authentication"),
		setting.Text("password", &c.Password, "", "password, of basic authentication").Secret(),
		setting.Map("customheaders", &c.CustomHeaders, "headers to send, as name:value").Secret(),
	)
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*httpsink.Events, error) {
	return httpsink.NewEvents(httpsink.Config{Name: "nodered", URL: cfg.Address, Options: cfg.HTTP, User: cfg.User, Password: cfg.Password, Header: cfg.CustomHeaders})
}
