package kubeapi_test

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/kubeapi"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

// serve starts an API server with TLS, and returns its URL and its authority in PEM form.
func serve(t *testing.T, h http.HandlerFunc) (url string, authority []byte) {
	s := httptest.NewUnstartedServer(h)
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

// config writes a kubeconfig with what it says of cluster and user, and returns its path.
func config(t *testing.T, cluster, user string) string {
	t.Helper()
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := `{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"c","user":"u","namespace":"falco"}}],` +
		`"clusters":[{"name":"c","cluster":{` + cluster + `}}],"users":[{"name":"u","user":{` + user + `}}]}`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func data(authority []byte) string {
	return fmt.Sprintf(`"certificate-authority-data":%q`, base64.StdEncoding.EncodeToString(authority))
}

func open(t *testing.T, cfg kubeapi.Config) *kubeapi.Client {
	t.Helper()
	c, err := kubeapi.Open("test", cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestWho proves who we are in the ways of a kubeconfig, and shows no secret when that is refused.
func TestWho(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("s3cret-in-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]string{
		`"token":"s3cret-token"`:                      "Bearer s3cret-token",
		fmt.Sprintf(`"tokenFile":%q`, token):          "Bearer s3cret-in-file",
		`"username":"u","password":"s3cret-password"`: "Basic " + base64.StdEncoding.EncodeToString([]byte("u:s3cret-password")),
		`"exec":{"apiVersion":"client.authentication.k8s.io/v1","command":"echo","interactiveMode":"Never","args":["{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":{\"token\":\"s3cret-of-a-program\"}}"]}`: "Bearer s3cret-of-a-program",
	} {
		refuse := false
		url, authority := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Authorization"); got != want || r.URL.Path != "/prefix/api" {
				t.Errorf("%s: %s, %s", user, got, r.URL)
			}
			if refuse {
				w.WriteHeader(http.StatusForbidden)
				fmt.Fprintf(w, "not with %s, %s", r.Header.Get("Authorization"), strings.TrimPrefix(want, "Bearer "))
			}
		})
		c := open(t, kubeapi.Config{Kubeconfig: config(t, fmt.Sprintf(`"server":%q,%s`, url+"/prefix/", data(authority)), user)})
		if c.Namespace != "falco" {
			t.Errorf("namespace %s", c.Namespace)
		}
		if _, err := c.Do(t.Context(), http.MethodGet, "/api", nil); err != nil {
			t.Error(err)
		}
		refuse = true
		_, err := c.Do(t.Context(), http.MethodGet, "/api", nil)
		if err == nil || kubeapi.Code(err) != 403 || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), strings.Fields(want)[1]) {
			t.Errorf("%s: %v", user, err)
		}
	}
}

// TestAuthorities trusts that of the kubeconfig, that of the settings, or any.
func TestAuthorities(t *testing.T) {
	url, authority := serve(t, func(http.ResponseWriter, *http.Request) {})
	other := sinktest.Authority(t) // of nobody
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, authority, 0o600); err != nil {
		t.Fatal(err)
	}
	server := fmt.Sprintf(`"server":%q`, url)
	for _, c := range []struct {
		name, cluster string
		http          httpsink.Options
		ok            bool
	}{
		{"none", server, httpsink.Options{}, false},
		{"the cluster's", server + "," + data(authority), httpsink.Options{}, true},
		{"another", server + "," + data(other), httpsink.Options{}, false},
		{"another and that of the settings", server + "," + data(other), httpsink.Options{CAFile: file}, true},
		{"that of the settings", server, httpsink.Options{CAFile: file}, true},
		{"unchecked by the settings", server + "," + data(other), httpsink.Options{Insecure: true}, true},
		{"unchecked by the kubeconfig", server + `,"insecure-skip-tls-verify":true`, httpsink.Options{}, true},
	} {
		_, err := open(t, kubeapi.Config{Kubeconfig: config(t, c.cluster, ""), HTTP: c.http}).Do(t.Context(), http.MethodGet, "/api", nil)
		if (err == nil) != c.ok || err != nil && (route.Permanent(err) || !strings.Contains(err.Error(), "certificate")) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestNoNamespace tells a namespace that is not there from all else.
func TestNoNamespace(t *testing.T) {
	for answer, want := range map[string]bool{
		`404 {"details":{"kind":"namespaces","name":"x"}}`:               true,
		`404 {"details":{"kind":"policyreports"}}`:                       false,
		`404 page not found`:                                             false,
		`403 {"details":{"causes":[{"reason":"NamespaceTerminating"}]}}`: true,
		`403 {"details":{"kind":"events"},"reason":"Forbidden"}`:         false,
		`503 {"details":{"kind":"namespaces"}}`:                          false,
	} {
		code, body, _ := strings.Cut(answer, " ")
		url := sinktest.ServeStatus(t, map[string]int{"404": 404, "403": 403, "503": 503}[code], body)
		_, err := open(t, kubeapi.Config{Kubeconfig: sinktest.Kubeconfig(t, url)}).Do(t.Context(), http.MethodPost, "/api", nil)
		if got := kubeapi.NoNamespace(err); got != want {
			t.Errorf("%s: %v", answer, got)
		}
	}
	if kubeapi.NoNamespace(nil) || kubeapi.Code(nil) != 0 {
		t.Error("no error")
	}
}

// TestPod looks for the service account of the pod.
func TestPod(t *testing.T) {
	if _, err := os.Stat("/var/run/secrets/kubernetes.io/serviceaccount"); err == nil {
		t.Skip("this is a pod with a service account")
	}
	t.Setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
	t.Setenv("KUBERNETES_SERVICE_PORT", "1")
	_, err := kubeapi.Open("test", kubeapi.Config{Kubeconfig: "/nowhere"})
	if err == nil || !strings.Contains(err.Error(), "the pod's service account cannot be used (open /var/run/secrets") || !strings.Contains(err.Error(), "/nowhere") {
		t.Errorf("%v", err)
	}
}
