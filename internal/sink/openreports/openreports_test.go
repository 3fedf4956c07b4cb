package openreports_test

import (
	"fmt"
	nethttp "net/http"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/openreports"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "openreports", Retried: []int{404}, Secrets: []string{sinktest.KubernetesToken},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("openreports", v, openreports.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"openreports.enabled": "true", "openreports.kubeconfig": sinktest.Kubeconfig(t, url)}
		},
		Limit: func(body []byte) error { // of a result
			if len(body) > 20_000 {
				return fmt.Errorf("%d bytes", len(body))
			}
			return nil
		},
		Handle: func() func(nethttp.ResponseWriter, *nethttp.Request, []byte) {
			return sinktest.NewKubernetes("openreports.io/v1alpha1/reports", "openreports.io/v1alpha1/clusterreports").Serve
		},
	}.Run(t)
}
