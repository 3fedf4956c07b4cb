package openfaas_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/openfaas"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "openfaas", Secrets: []string{},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("openfaas", v, openfaas.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"openfaas.functionname": "fn", "openfaas.url": url + "/function"}
		},
	}.Run(t)
}

// TestAddress looks for the service in the cluster, and from outside for the API server's proxy to it.
func TestAddress(t *testing.T) {
	sinktest.Function{
		Open:    func(v setting.Values) (route.Sink, error) { return setting.Open("openfaas", v, openfaas.New) },
		Values:  setting.Values{"openfaas.functionname": "fn"},
		Service: "http://gateway.openfaas:8080", Proxy: "/api/v1/namespaces/openfaas/services/gateway:8080/proxy/function/fn.openfaas-fn",
	}.Run(t)
}
