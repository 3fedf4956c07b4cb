// Package openfaas calls a function of OpenFaaS with each alert, through the platform's gateway.
package openfaas

import (
	"github.com/saker-sec/saker/internal/sink/function"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Namespace         string // gatewaynamespace: of the gateway
	Service           string // gatewayservice: of the gateway
	Port              int    // gatewayport: of the gateway
	Function          string // functionname: the destination is off without
	FunctionNamespace string // functionnamespace: of the function
	function.Access
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.Access.Settings(),
		setting.Text("gatewaynamespace", &c.Namespace, "openfaas", "namespace of the gateway"),
		setting.Text("gatewayservice", &c.Service, "gateway", "service of the gateway"),
		setting.Int("gatewayport", &c.Port, 8080, 1, "port of the gateway"),
		setting.Text("functionname", &c.Function, "", "function").Required(),
		setting.Text("functionnamespace", &c.FunctionNamespace, "openfaas-fn", "namespace of the function"),
	)
}

// New returns a sink. It fails when the address, the kubeconfig or a certificate cannot be used.
func New(cfg Config) (*function.Sink, error) {
	return function.Open(function.Config{
		Name: "openfaas", Access: cfg.Access,
		Namespace: cfg.Namespace, Service: cfg.Service, Port: cfg.Port, Path: "function/" + cfg.Function + "." + cfg.FunctionNamespace,
	})
}
