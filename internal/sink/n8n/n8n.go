// Package n8n posts alerts to a webhook of n8n, as Falcosidekick's JSON.
package n8n

import (
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Address     string           // address: where to post; the destination is off without
	User        string           // user: user, of basic authentication
	Password    string           // password: password, of basic authentication
	HeaderName  string           // headerauthname: name of a header that authenticates
	HeaderValue string           // headerauthvalue: value of that header
	HTTP        httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("address", &c.Address, "", "where to post").Secret().Required(),
		setting.Text("user", &c.User, "", "user, of basic authentication"),
		setting.Text("password", &c.Password, "", "password, of basic authentication").Secret(),
		setting.Text("headerauthname", &c.HeaderName, "", "name of a header that authenticates"),
		setting.Text("headerauthvalue", &c.HeaderValue, "", "value of that header").Secret(),
	)
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*httpsink.Events, error) {
	header := map[string]string{}
	if cfg.HeaderName != "" && cfg.HeaderValue != "" {
		header[cfg.HeaderName] = cfg.HeaderValue
	}
	return httpsink.NewEvents(httpsink.Config{Name: "n8n", URL: cfg.Address, Options: cfg.HTTP, User: cfg.User, Password: cfg.Password, Header: header})
}
