package fission_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/fission"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "fission", Secrets: []string{},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("fission", v, fission.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"fission.function": "fn", "fission.url": url + "/function"}
		},
	}.Run(t)
}

// TestAddress looks for the service in the cluster, and from outside for the API server's proxy to it.
func TestAddress(t *testing.T) {
	sinktest.Function{
		Open:    func(v setting.Values) (route.Sink, error) { return setting.Open("fission", v, fission.New) },
		Values:  setting.Values{"fission.function": "fn"},
		Service: "http://router.fission.svc.cluster.local:80", Proxy: "/api/v1/namespaces/fission/services/router:80/proxy/fission-function/fn",
	}.Run(t)
}
