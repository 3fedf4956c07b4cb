// Package zincsearch posts alerts to an index of Zincsearch, as Falcosidekick's JSON.
package zincsearch

import (
	"net/url"

	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	HostPort string           // hostport: address of the server; the destination is off without
	Index    string           // index: index
	Username string           // username: user, of basic authentication
	Password string           // password: password, of basic authentication
	HTTP     httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("hostport", &c.HostPort, "", "address of the server").Required(),
		setting.Text("index", &c.Index, "falco", "index"),
		setting.Text("username", &c.Username, "", "user, of basic authentication"),
		setting.Text("password", &c.Password, "", "password, of basic authentication").Secret(),
	)
}

// New returns a sink. It fails when the address or something else of the configuration cannot be used.
func New(cfg Config) (*httpsink.Events, error) {
	return httpsink.NewEvents(httpsink.Config{
		Name: "zincsearch", URL: httpsink.Join(cfg.HostPort, "api/"+url.PathEscape(cfg.Index)+"/_doc"), Options: cfg.HTTP,
		User: cfg.Username, Password: cfg.Password,
	})
}
