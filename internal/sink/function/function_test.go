package function_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/function"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

type config struct {
	function.Access
	function string
}

func (c *config) Settings() setting.List {
	return append(c.Access.Settings(), setting.Text("function", &c.function, "", "function").Required())
}

func open(c config) (*function.Sink, error) {
	return function.Open(function.Config{
		Name: "platform", Access: c.Access, ContentType: "application/json", Header: map[string]string{"event-type": "falco"},
		Namespace: "ns", Service: "router", Port: 80, Path: "call/" + c.function,
	})
}

// Test runs the suite through the proxy of an API server.
func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "platform", Secrets: []string{sinktest.KubernetesToken},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("platform", v, open) },
		Settings: func(url string) setting.Values {
			return setting.Values{"platform.function": "fn", "platform.kubeconfig": sinktest.Kubeconfig(t, url)}
		},
	}.Run(t)
}
