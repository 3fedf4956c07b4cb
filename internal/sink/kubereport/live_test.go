package kubereport_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/kubereport"
	"github.com/saker-sec/saker/internal/sink/openreports"
	"github.com/saker-sec/saker/internal/sink/policyreport"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

// definition returns a custom resource definition of reports: the names and the values that theirs allow.
func definition(group, version, kind, scope string) string {
	plural := strings.ToLower(kind) + "s"
	return fmt.Sprintf(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"%[1]s.%[2]s","annotations":{"api-approved.kubernetes.io":"unapproved, a test"}},
		"spec":{"group":%[2]q,"scope":%[5]q,"names":{"plural":%[1]q,"singular":%[6]q,"kind":%[4]q},"versions":[{"name":%[3]q,"served":true,"storage":true,"schema":{"openAPIV3Schema":{
		"type":"object","properties":{"summary":{"type":"object","properties":{"pass":{"type":"integer"},"fail":{"type":"integer"},"warn":{"type":"integer"},"error":{"type":"integer"},"skip":{"type":"integer"}}},
		"results":{"type":"array","items":{"type":"object","required":["policy"],"properties":{"source":{"type":"string"},"policy":{"type":"string"},"rule":{"type":"string"},"category":{"type":"string"},
		"message":{"type":"string"},"properties":{"type":"object","additionalProperties":{"type":"string"}},"result":{"type":"string","enum":["pass","fail","warn","error","skip"]},
		"severity":{"type":"string","enum":["critical","high","low","medium","info"]},
		"timestamp":{"type":"object","required":["nanos","seconds"],"properties":{"nanos":{"type":"integer","format":"int32"},"seconds":{"type":"integer","format":"int64"}}},
		"resources":{"type":"array","items":{"type":"object","properties":{"kind":{"type":"string"},"name":{"type":"string"},"namespace":{"type":"string"},"apiVersion":{"type":"string"}}}}}}}}}}}]}}`,
		plural, group, version, kind, scope, strings.ToLower(kind))
}

// TestAPIServer writes to a real API server: all samples, conflicts, a namespace that is not there, and one that is going.
func TestAPIServer(t *testing.T) {
	k := sinktest.StartAPIServer(t)
	for _, ns := range []string{"shop", "going"} {
		k.Create(t, "/api/v1/namespaces", fmt.Sprintf(`{"metadata":{"name":%q}}`, ns))
	}
	k.Delete(t, "/api/v1/namespaces/going") // for ever: nobody finalizes it here
	for _, c := range []struct {
		name, group, version, kind string
		open                       func(kubereport.Config) (*kubereport.Sink, error)
	}{
		{"policyreport", "wgpolicyk8s.io", "v1alpha2", "PolicyReport", policyreport.New},
		{"openreports", "openreports.io", "v1alpha1", "Report", openreports.New},
	} {
		t.Run(c.name, func(t *testing.T) {
			connect := func() *kubereport.Sink {
				s, err := setting.Open(c.name, setting.Values{c.name + ".enabled": "true", c.name + ".kubeconfig": k.Kubeconfig}, c.open)
				if err != nil {
					t.Fatal(err)
				}
				return s
			}
			s := connect()
			if err := s.Send(t.Context(), one("a", alert.Error), nil); err == nil || !strings.Contains(err.Error(), "are the custom resource definitions") {
				t.Errorf("without definitions: %v", err)
			}
			k.Create(t, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition(c.group, c.version, c.kind, "Namespaced"))
			k.Create(t, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition(c.group, c.version, "Cluster"+c.kind, "Cluster"))
			api := "/apis/" + c.group + "/" + c.version
			k.Await(t, api+"/cluster"+strings.ToLower(c.kind)+"s")
			k.Await(t, api+"/"+strings.ToLower(c.kind)+"s")
			for _, sample := range sinktest.Samples() {
				a := sample.Alert(t)
				for range 2 {
					if err := s.Send(t.Context(), a, nil); err != nil {
						t.Errorf("%s: %v", sample.Name, err)
					}
				}
			}
			var all sync.WaitGroup
			for w := range 4 {
				s := connect()
				all.Go(func() {
					for i := range 10 {
						a := one(fmt.Sprintf("%d-%d", w, i), alert.Error)
						for err := s.Send(t.Context(), a, nil); err != nil; err = s.Send(t.Context(), a, nil) {
							if route.Permanent(err) {
								t.Error(err)
								return
							}
						}
					}
				})
			}
			all.Wait()
			if errs := s.SendBatch(t.Context(), []*alert.Alert{one("n", alert.Error, "k8s.ns.name=nowhere"), one("g", alert.Error, "k8s.ns.name=going")}); errs != nil {
				t.Error(errs)
			}
			for path, want := range map[string]int{
				api + "/cluster" + strings.ToLower(c.kind) + "s/falco-cluster-policy-report":     len(sinktest.Samples()) - 1 + 40,
				api + "/namespaces/shop/" + strings.ToLower(c.kind) + "s/falco-policy-report":    1,
				api + "/namespaces/default/" + strings.ToLower(c.kind) + "s/falco-policy-report": 2,
			} {
				var r report
				if err := json.Unmarshal(k.Await(t, path), &r); err != nil || len(r.Results) != want {
					t.Errorf("%s has %d results, want %d; %v", path, len(r.Results), want, err)
				}
			}
		})
	}
}
