package sinktest

import (
	"context"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Function is a destination that is a function in a cluster of Kubernetes.
type Function struct {
	// Open makes a sink.
	Open func(setting.Values) (route.Sink, error)
	// Values are those a sink needs in a cluster; Prefix.kubeconfig is added.
	Values setting.Values
	// Service is the URL of the service in the cluster, without the function's path.
	Service string
	// Proxy is the path of the function at the API server.
	Proxy string
}

// Run calls the function in the cluster, where nobody is, and through an API server, which must see an authentic request; a
// kubeconfig that is not there is an error.
func (f Function) Run(t *testing.T) {
	a := Samples()[0].Alert(t)
	send := func(ctx context.Context, v setting.Values) error {
		s, err := f.Open(v)
		if err != nil {
			t.Fatal(err)
		}
		defer s.(interface{ Close(context.Context) error }).Close(t.Context()) //nolint:errcheck // a sink over HTTP closes without errors
		return s.Send(ctx, a, nil)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel() // nobody is asked
	if err := send(over, f.Values); err == nil || !strings.Contains(err.Error(), " "+f.Service+": ") {
		t.Errorf("got  %v\nwant it from %s", err, f.Service)
	}

	asked := 0
	s := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		asked++
		body, _ := io.ReadAll(r.Body) // half a body is no alert
		if got, err := alert.Decode(body); err != nil || got.UUID != a.UUID || r.Header.Get("event-id") != a.UUID {
			t.Errorf("got %s with the event-id %q, %v", body, r.Header.Get("event-id"), err)
		}
		if got := r.Header.Get("User-Agent"); got != "Falcosidekick" {
			t.Errorf("got the user agent %s", got)
		}
		if got := r.Method + " " + r.RequestURI; got != "POST /prefix"+f.Proxy {
			t.Errorf("got  %s\nwant POST /prefix%s", got, f.Proxy)
		}
	}))
	defer s.Close()
	if err := send(t.Context(), f.with(Kubeconfig(t, s.URL+"/prefix"))); err != nil || asked != 1 {
		t.Errorf("%d requests; %v", asked, err)
	}
	none := filepath.Join(t.TempDir(), "none")
	if _, err := f.Open(f.with(none)); err == nil || !strings.Contains(err.Error(), none) {
		t.Errorf("a kubeconfig that is not there: %v", err)
	}
}

// with returns the values with a kubeconfig.
func (f Function) with(kubeconfig string) setting.Values {
	v := setting.Values{}
	for key, value := range f.Values {
		v[key] = value
		prefix, _, _ := strings.Cut(key, ".")
		v[prefix+".kubeconfig"] = kubeconfig
	}
	return v
}
