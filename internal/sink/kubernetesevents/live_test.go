package kubernetesevents_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/saker-sec/saker/internal/sink/kubernetesevents"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

// TestAPIServer makes events on a real API server, whose validation is the one that counts.
func TestAPIServer(t *testing.T) {
	k := sinktest.StartAPIServer(t)
	for _, ns := range []string{"shop", "going"} {
		k.Create(t, "/api/v1/namespaces", fmt.Sprintf(`{"metadata":{"name":%q}}`, ns))
	}
	k.Delete(t, "/api/v1/namespaces/going")
	s, err := setting.Open("kubernetesevents", setting.Values{"kubernetesevents.enabled": "true", "kubernetesevents.kubeconfig": k.Kubeconfig}, kubernetesevents.New)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, sample := range sinktest.Samples() {
		n++
		a := sample.Alert(t)
		for range 2 {
			if err := s.Send(t.Context(), a, nil); err != nil {
				t.Errorf("%s: %v", sample.Name, err)
			}
		}
	}
	for i, ns := range []string{"shop", "going", "nowhere"} {
		n++
		a := about("k8s.ns.name="+ns, "k8s.pod.name=cart-0")
		a.UUID = fmt.Sprint("pod-", i)
		for range 2 {
			if err := s.Send(t.Context(), a, nil); err != nil {
				t.Errorf("%s: %v", ns, err)
			}
		}
	}
	var list struct {
		Items []struct{ ReportingController string }
	}
	if err := json.Unmarshal(k.Await(t, "/apis/events.k8s.io/v1/events"), &list); err != nil {
		t.Fatal(err)
	}
	for _, e := range list.Items {
		if e.ReportingController == "saker" {
			n--
		}
	}
	if n != 0 {
		t.Errorf("%d events are missing", n)
	}
}
