package kubeless_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/kubeless"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "kubeless", Secrets: []string{},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("kubeless", v, kubeless.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"kubeless.namespace": "ns", "kubeless.function": "fn", "kubeless.url": url + "/function"}
		},
	}.Run(t)
}

// TestAddress looks for the service in the cluster, and from outside for the API server's proxy to it.
func TestAddress(t *testing.T) {
	sinktest.Function{
		Open:    func(v setting.Values) (route.Sink, error) { return setting.Open("kubeless", v, kubeless.New) },
		Values:  setting.Values{"kubeless.namespace": "ns", "kubeless.function": "fn"},
		Service: "http://fn.ns.svc.cluster.local:8080", Proxy: "/api/v1/namespaces/ns/services/fn:8080/proxy/",
	}.Run(t)
}
