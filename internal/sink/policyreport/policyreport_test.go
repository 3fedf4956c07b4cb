package policyreport_test

import (
	"fmt"
	nethttp "net/http"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/policyreport"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "policyreport", Retried: []int{404}, Secrets: []string{sinktest.KubernetesToken},
		Open: func(v setting.Values) (route.Sink, error) { return setting.Open("policyreport", v, policyreport.New) },
		Settings: func(url string) setting.Values {
			return setting.Values{"policyreport.enabled": "true", "policyreport.kubeconfig": sinktest.Kubeconfig(t, url)}
		},
		Limit: func(body []byte) error { // of a result
			if len(body) > 20_000 {
				return fmt.Errorf("%d bytes", len(body))
			}
			return nil
		},
		Handle: func() func(nethttp.ResponseWriter, *nethttp.Request, []byte) {
			return sinktest.NewKubernetes("wgpolicyk8s.io/v1alpha2/policyreports", "wgpolicyk8s.io/v1alpha2/clusterpolicyreports").Serve
		},
	}.Run(t)
}
