package kubernetesevents_test

import (
	"encoding/json"
	"fmt"
	nethttp "net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/kubernetesevents"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

var instance = regexp.MustCompile(`"reportingInstance":"[^"]*"`)

const events = "/apis/events.k8s.io/v1/namespaces/"

func server() *sinktest.Kubernetes {
	k := sinktest.NewKubernetes("pods", "events.k8s.io/v1/events")
	k.Put("/api/v1/namespaces/shop/pods/cart-0", `{"metadata":{"uid":"0d9f"}}`)
	return k
}

func Test(t *testing.T) {
	sinktest.HTTP{
		Prefix: "kubernetesevents", Retried: []int{404}, Secrets: []string{sinktest.KubernetesToken},
		Open: func(v setting.Values) (route.Sink, error) {
			return setting.Open("kubernetesevents", v, kubernetesevents.New)
		},
		Settings: func(url string) setting.Values {
			return setting.Values{"kubernetesevents.enabled": "true", "kubernetesevents.kubeconfig": sinktest.Kubeconfig(t, url)}
		},
		Handle: func() func(nethttp.ResponseWriter, *nethttp.Request, []byte) { return server().Serve },
		Blur:   func(body string) string { return instance.ReplaceAllString(body, `"reportingInstance":"HOST"`) },
		Limit: func(body []byte) error { // of the note; the server would refuse it, too
			var e struct{ Note string }
			if len(body) > 0 && (json.Unmarshal(body, &e) != nil || len(e.Note) > 1024 || !strings.HasSuffix(e.Note, "[...]")) {
				return fmt.Errorf("%.2000s", body)
			}
			return nil
		},
	}.Run(t)
}

func open(t *testing.T, k *sinktest.Kubernetes) *kubernetesevents.Sink {
	t.Helper()
	s, err := setting.Open("kubernetesevents", setting.Values{"kubernetesevents.enabled": "true", "kubernetesevents.kubeconfig": k.Start(t)}, kubernetesevents.New)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func about(fields ...string) *alert.Alert {
	a := sinktest.Alert("m")
	a.UUID = "0A"
	for _, f := range fields {
		k, v, _ := strings.Cut(f, "=")
		a.Fields = append(a.Fields, alert.Field{Key: k, Value: alert.Value{Kind: alert.Text, Text: v}})
	}
	return a
}

// TestConcerned finds what an alert is about, and keeps names that are none out of addresses.
func TestConcerned(t *testing.T) {
	type regarding struct{ Kind, Namespace, Name, UID string }
	for _, c := range []struct {
		alert *alert.Alert
		at    string
		want  regarding
	}{
		{about("k8s.ns.name=shop", "k8s.pod.name=cart-0"), "shop", regarding{"Pod", "shop", "cart-0", "0d9f"}},
		{about("k8s.ns.name=shop", "k8s.pod.name=gone"), "shop", regarding{"Pod", "shop", "gone", ""}},
		{about("k8s.ns.name=shop", "k8s.pod.name=cart-0", "k8s.pod.uid=mine"), "shop", regarding{"Pod", "shop", "cart-0", "mine"}},
		{about("k8s.ns.name=shop", "k8s.pod.name=<NA>"), "default", regarding{"Namespace", "", "shop", ""}},
		{about("ka.target.namespace=shop", "ka.target.resource=pods", "ka.target.name=cart-0"), "shop", regarding{"Pod", "shop", "cart-0", "0d9f"}},
		{about("ka.target.namespace=shop", "ka.target.resource=secrets", "ka.target.name=s"), "default", regarding{"Namespace", "", "shop", ""}},
		{about(), "default", regarding{"Node", "", "host", "host"}},
		{about("k8s.ns.name=../../x", "k8s.pod.name=a/b?c"), "default", regarding{"Node", "", "host", "host"}},
		{about("k8s.ns.name=nowhere", "k8s.pod.name=p"), "default", regarding{"Namespace", "", "nowhere", ""}},
		{about("k8s.ns.name=going", "k8s.pod.name=p"), "default", regarding{"Namespace", "", "going", ""}},
		{&alert.Alert{Rule: "***", Priority: alert.Error, Source: "aws_cloudtrail", UUID: "0a"}, "default", regarding{"Namespace", "", "default", ""}},
	} {
		k := server()
		s := open(t, k)
		for range 2 { // it comes again
			if err := s.Send(t.Context(), c.alert, nil); err != nil {
				t.Errorf("%v: %v", c.want, err)
			}
		}
		var e struct {
			Regarding    regarding
			Reason, Type string
		}
		paths := slices.DeleteFunc(k.Paths(), func(p string) bool { return strings.Contains(p, "/pods/") })
		if !slices.Equal(paths, []string{events + c.at + "/events/saker-0a"}) || !k.Object(paths[0], &e) || e.Regarding != c.want {
			t.Errorf("got %v %+v, want %v in %s", paths, e, c.want, c.at)
		}
		if reason := map[string]string{"a rule": "ARule", "***": "Alert"}[c.alert.Rule]; e.Reason != reason || (e.Type == "Warning") != (c.alert.Priority <= alert.Warning) {
			t.Errorf("%+v", e)
		}
	}
}

// TestNames makes names of what is no name.
func TestNames(t *testing.T) {
	k := server()
	s := open(t, k)
	for _, id := range []string{"", "../x", "Größe", strings.Repeat("a", 300)} {
		a := about()
		a.UUID = id
		for range 2 {
			if err := s.Send(t.Context(), a, nil); err != nil {
				t.Errorf("%q: %v", id, err)
			}
		}
	}
	if n := len(k.Paths()); n != 1+4 {
		t.Errorf("%d objects: %v", n, k.Paths())
	}
}
