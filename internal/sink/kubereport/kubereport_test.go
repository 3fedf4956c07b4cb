package kubereport_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/kubereport"
	"github.com/saker-sec/saker/internal/sink/policyreport"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

const (
	group   = "wgpolicyk8s.io/v1alpha2"
	cluster = "/apis/" + group + "/clusterpolicyreports/falco-cluster-policy-report"
)

func namespaced(ns string) string {
	return "/apis/" + group + "/namespaces/" + ns + "/policyreports/falco-policy-report"
}

func server() *sinktest.Kubernetes {
	return sinktest.NewKubernetes(group+"/policyreports", group+"/clusterpolicyreports")
}

func open(t *testing.T, kubeconfig string, more ...string) *kubereport.Sink {
	t.Helper()
	v := setting.Values{"policyreport.enabled": "true", "policyreport.kubeconfig": kubeconfig}
	for _, m := range more {
		key, value, _ := strings.Cut(m, "=")
		v["policyreport."+key] = value
	}
	s, err := setting.Open("policyreport", v, policyreport.New)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func one(id string, p alert.Priority, fields ...string) *alert.Alert {
	a := sinktest.Alert("m")
	a.UUID, a.Priority, a.Time = id, p, time.Unix(1795459618, 138453459)
	for _, f := range fields {
		k, v, _ := strings.Cut(f, "=")
		a.Fields = append(a.Fields, alert.Field{Key: k, Value: alert.Value{Kind: alert.Text, Text: v}})
	}
	return a
}

func send(t *testing.T, s *kubereport.Sink, alerts ...*alert.Alert) {
	t.Helper()
	for _, a := range alerts {
		if err := s.Send(t.Context(), a, nil); err != nil {
			t.Error(err)
		}
	}
}

// report is what we look at of one.
type report struct {
	Metadata struct {
		Labels map[string]string
	}
	Extra   string
	Summary map[string]int
	Results []struct {
		Severity, Message string
		Properties        map[string]string
		Timestamp         struct{ Seconds, Nanos int }
		Resources         []struct{ Kind, Namespace, Name, APIVersion string }
	}
}

// uuids returns those of the results of a report, in order; "none" without one.
func uuids(k *sinktest.Kubernetes, path string) string {
	var r report
	if !k.Object(path, &r) {
		return "none"
	}
	var out []string
	for _, result := range r.Results {
		out = append(out, result.Properties["falco.uuid"])
	}
	return strings.Join(out, " ")
}

func expect(t *testing.T, k *sinktest.Kubernetes, path, want string) {
	t.Helper()
	if got := uuids(k, path); got != want {
		t.Errorf("%s has %s, want %s", path, got, want)
	}
}

// TestPrune fills reports: the oldest goes, or the least severe.
func TestPrune(t *testing.T) {
	k := server()
	s := open(t, k.Start(t), "maxevents=3")
	for i := range 6 {
		send(t, s, one(fmt.Sprint(i), alert.Warning))
	}
	expect(t, k, cluster, "3 4 5")
	if errs := s.SendBatch(t.Context(), []*alert.Alert{one("6", alert.Error), one("7", alert.Debug), one("8", alert.Debug), one("9", alert.Error)}); errs != nil {
		t.Error(errs)
	}
	expect(t, k, cluster, "7 8 9")

	k = server()
	s = open(t, k.Start(t), "maxevents=3", "prunebypriority=true")
	send(t, s, one("a", alert.Critical), one("b", alert.Notice), one("c", alert.Notice), one("d", alert.Critical))
	expect(t, k, cluster, "a c d")
	send(t, s, one("e", alert.Warning))
	expect(t, k, cluster, "a d e")
	send(t, s, one("f", alert.Debug)) // it is itself the least severe
	expect(t, k, cluster, "a d e")
	send(t, s, one("g", alert.Emergency), one("h", alert.Alarm))
	expect(t, k, cluster, "d g h")
	var r report
	if !k.Object(cluster, &r) || r.Summary["fail"] != 3 || r.Summary["warn"] != 0 {
		t.Errorf("summary %v", r.Summary)
	}
}

// TestBytes keeps a report below what the server takes, whatever is in it.
func TestBytes(t *testing.T) {
	k := server()
	s := open(t, k.Start(t))
	var alerts []*alert.Alert
	for i := range 120 {
		alerts = append(alerts, one(fmt.Sprint(i), alert.Warning, "a="+strings.Repeat("x", 1<<17), "b="+strings.Repeat("\"", 9000)))
	}
	if errs := s.SendBatch(t.Context(), alerts); errs != nil {
		t.Error(errs)
	}
	got := strings.Fields(uuids(k, cluster))
	if n := len(got); n < 50 || n > 119 || got[n-1] != "119" {
		t.Errorf("%d results, the last is %s", n, got[n-1])
	}
	var r report
	if k.Object(cluster, &r); !strings.HasSuffix(r.Results[0].Properties["a"], "[...]") {
		t.Error("no mark where a text is cut")
	}
}

// TestAgain adds an alert that comes twice, in one batch or later, once.
func TestAgain(t *testing.T) {
	k := server()
	s := open(t, k.Start(t))
	a, b := one("a", alert.Warning), one("b", alert.Warning)
	send(t, s, a, b, a)
	if errs := s.SendBatch(t.Context(), []*alert.Alert{b, one("c", alert.Error), one("c", alert.Error)}); errs != nil {
		t.Error(errs)
	}
	expect(t, k, cluster, "a b c")
	send(t, s, one("", alert.Warning), one("", alert.Warning)) // nothing tells these apart
	expect(t, k, cluster, "a b c  ")
}

// TestContents looks at what Falcosidekick gets wrong, and leaves alone what is not ours.
func TestContents(t *testing.T) {
	k := server()
	k.Put(cluster, `{"apiVersion":"`+group+`","kind":"ClusterPolicyReport","metadata":{"name":"falco-cluster-policy-report","labels":{"team":"a"}},"extra":"kept","results":[{"policy":"p","result":"pass","severity":"info","timestamp":{"seconds":1,"nanos":0}}]}`)
	s := open(t, k.Start(t))
	send(t, s, one("a", alert.Critical, "ka.target.resource=secrets", "ka.target.name=s", "ka.target.namespace=shop"), one("b", alert.Notice),
		one("c", alert.Debug, "ka.target.resource=clusterroles", "ka.resp.name=r"), one("d", alert.Error, "k8s.ns.name=../../x", "k8s.pod.name=p"))
	var r report
	if !k.Object(cluster, &r) || len(r.Results) != 4 || r.Metadata.Labels["team"] != "a" || r.Extra != "kept" || fmt.Sprint(r.Summary) != "map[error:0 fail:1 pass:1 skip:2 warn:0]" {
		t.Fatalf("%+v", r)
	}
	if at := r.Results[1].Timestamp; at.Seconds != 1795459618 || at.Nanos != 138453459 {
		t.Errorf("time %+v", at)
	}
	if got := fmt.Sprint(r.Results[1].Resources, r.Results[2].Resources, r.Results[3].Resources); got != "[] [{ClusterRole  r rbac.authorization.k8s.io/v1}] [{Pod ../../x p v1}]" {
		t.Errorf("about %s", got)
	}
	if !k.Object(namespaced("shop"), &r) || fmt.Sprint(r.Results[0].Resources) != "[{Secret shop s v1}]" || r.Results[0].Severity != "critical" {
		t.Errorf("%+v", r)
	}
}

// TestNamespaces finds the report of a namespace, or of ours when it is not there; there is one update for each in a batch.
func TestNamespaces(t *testing.T) {
	k := server()
	config := k.Start(t)
	s := open(t, config)
	errs := s.SendBatch(t.Context(), []*alert.Alert{
		one("a", alert.Error, "k8s.ns.name=shop"), one("b", alert.Error), one("c", alert.Error, "k8s.ns.name=nowhere", "k8s.pod.name=p"), one("d", alert.Error, "k8s.ns.name=shop"),
		one("e", alert.Error, "k8s.ns.name=going"),
	})
	if errs != nil {
		t.Error(errs)
	}
	expect(t, k, namespaced("shop"), "a d")
	expect(t, k, cluster, "b")
	expect(t, k, namespaced("falco"), "c e")
	send(t, open(t, config, "falconamespace=default"), one("f", alert.Error, "k8s.ns.name=nowhere"))
	expect(t, k, namespaced("default"), "f")
	err := open(t, config, "falconamespace=nowhere2").Send(t.Context(), one("g", alert.Error, "k8s.ns.name=nowhere"), nil)
	if err == nil || route.Permanent(err) || !strings.Contains(err.Error(), `namespaces \"nowhere2\" not found`) {
		t.Errorf("no namespace at all: %v", err)
	}
}

// TestErrors gives each alert of a batch its own error, and says what to install. That may still come, so none is given up.
func TestErrors(t *testing.T) {
	k := sinktest.NewKubernetes(group + "/policyreports") // the definition of the cluster's is not installed
	errs := open(t, k.Start(t)).SendBatch(t.Context(), []*alert.Alert{one("a", alert.Error, "k8s.ns.name=shop"), one("b", alert.Error)})
	if len(errs) != 2 || errs[0] != nil || errs[1] == nil || route.Permanent(errs[1]) || !strings.Contains(errs[1].Error(), "are the custom resource definitions of "+group+" installed?") {
		t.Errorf("%v", errs)
	}
}

// TestInvalid has a batch refused for one of its alerts: the others are written.
func TestInvalid(t *testing.T) {
	k := server()
	k.Refuse = func(body []byte) bool { return strings.Contains(string(body), `"falco.uuid":"bad"`) }
	errs := open(t, k.Start(t)).SendBatch(t.Context(), []*alert.Alert{one("a", alert.Error), one("bad", alert.Error), one("c", alert.Error)})
	if len(errs) != 3 || errs[0] != nil || !route.Permanent(errs[1]) || errs[2] != nil {
		t.Errorf("%v", errs)
	}
	expect(t, k, cluster, "a c")
}

// TestConcurrent lets many write to one report at once, while somebody deletes it now and then: nothing is lost but what was
// deleted with it.
func TestConcurrent(t *testing.T) {
	k := server()
	config := k.Start(t)
	var all sync.WaitGroup
	const writers, each = 8, 12
	for w := range writers {
		s := open(t, config)
		all.Go(func() {
			for i := range each {
				a := one(fmt.Sprintf("%d-%d", w, i), alert.Error)
				for { // as route does it
					err := s.Send(t.Context(), a, nil)
					if err == nil {
						break
					}
					if route.Permanent(err) {
						t.Error(err)
						break
					}
				}
			}
		})
	}
	all.Wait()
	got := map[string]int{}
	for _, id := range strings.Fields(uuids(k, cluster)) {
		got[id]++
	}
	if len(got) != writers*each || len(strings.Fields(uuids(k, cluster))) != writers*each {
		t.Errorf("%d alerts of %d are there", len(got), writers*each)
	}
	if k.Conflicts() == 0 {
		t.Error("there was no conflict; the test shows nothing")
	}
}

// TestRaces has others make, change and delete the report between reading and writing.
func TestRaces(t *testing.T) {
	k := server()
	s := open(t, k.Start(t))
	once := func(f func()) {
		k.Read = func(string) {
			k.Read = nil
			f()
		}
	}
	other := open(t, k.Start(t))
	once(func() { send(t, other, one("other", alert.Error)) })
	send(t, s, one("a", alert.Error)) // made by both
	expect(t, k, cluster, "other a")
	once(func() { send(t, other, one("more", alert.Error)) })
	send(t, s, one("b", alert.Error)) // changed by both
	expect(t, k, cluster, "other a more b")
	once(func() { k.Delete(cluster) })
	send(t, s, one("c", alert.Error))
	expect(t, k, cluster, "c")
	n := 0
	k.Read = func(string) { // changed every time
		n++
		k.Put(cluster, `{"apiVersion":"`+group+`","kind":"ClusterPolicyReport","metadata":{"name":"falco-cluster-policy-report"}}`)
	}
	if err := s.Send(t.Context(), one("d", alert.Error), nil); err == nil || route.Permanent(err) || n < 3 {
		t.Errorf("after %d attempts: %v", n, err)
	}
}

// TestConfig says what is missing.
func TestConfig(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	t.Setenv("KUBECONFIG", "")
	t.Setenv("HOME", t.TempDir())
	for value, want := range map[string]string{"/nowhere": "/nowhere: no such file", "": "this is no pod, and the kubeconfig cannot be used", "~/.kube/config": "/.kube/config: no such file"} {
		_, err := setting.Open("policyreport", setting.Values{"policyreport.enabled": "true", "policyreport.kubeconfig": value}, policyreport.New)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", value, err)
		}
	}
	if _, err := setting.Open("policyreport", setting.Values{"policyreport.enabled": "yes"}, policyreport.New); err == nil || !strings.Contains(err.Error(), `policyreport.enabled is "yes", it must be true or false`) {
		t.Error(err)
	}
}
