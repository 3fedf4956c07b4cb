// Package kubeless calls a function of Kubeless with each alert, which is a service of its own.
package kubeless

import (
	"github.com/saker-sec/saker/internal/sink/function"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Namespace string // namespace: of the function; the destination is off without
	Function  string // function: name; the destination is off without
	Port      int    // port: of the service
	function.Access
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.Access.Settings(),
		setting.Text("namespace", &c.Namespace, "", "namespace of the function").Required(),
		setting.Text("function", &c.Function, "", "function").Required(),
		setting.Int("port", &c.Port, 8080, 1, "port of the service"),
	)
}

// New returns a sink. It fails when the address, the kubeconfig or a certificate cannot be used.
func New(cfg Config) (*function.Sink, error) {
	return function.Open(function.Config{
		Name: "kubeless", Access: cfg.Access, ContentType: "application/json", Header: map[string]string{"event-type": "falco", "event-namespace": cfg.Namespace},
		Namespace: cfg.Namespace, Service: cfg.Function, Port: cfg.Port, Domain: ".svc.cluster.local",
	})
}
