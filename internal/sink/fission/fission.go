// Package fission calls a function of Fission with each alert, through the platform's router.
package fission

import (
	"github.com/saker-sec/saker/internal/sink/function"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Namespace string // routernamespace: of the router
	Service   string // routerservice: of the router
	Port      int    // routerport: of the router
	Function  string // function: name; the destination is off without
	function.Access
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.Access.Settings(),
		setting.Text("routernamespace", &c.Namespace, "fission", "namespace of the router"),
		setting.Text("routerservice", &c.Service, "router", "service of the router"),
		setting.Int("routerport", &c.Port, 80, 1, "port of the router"),
		setting.Text("function", &c.Function, "", "function").Required(),
	)
}

// New returns a sink. It fails when the address, the kubeconfig or a certificate cannot be used.
func New(cfg Config) (*function.Sink, error) {
	return function.Open(function.Config{
		Name: "fission", Access: cfg.Access, ContentType: "application/json",
		Namespace: cfg.Namespace, Service: cfg.Service, Port: cfg.Port, Domain: ".svc.cluster.local", Path: "fission-function/" + cfg.Function,
	})
}
