package sinktest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	nethttp "net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/sink/servertest"
)

// APIServer is a real kube-apiserver over a real etcd.
type APIServer struct {
	Kubeconfig string // of a client that may do everything; its namespace is default

	url    string
	client *nethttp.Client
}

// StartAPIServer starts kube-apiserver and etcd for a test. The test is skipped when they are not installed.
func StartAPIServer(t *testing.T) *APIServer {
	t.Helper()
	for _, program := range []string{"etcd", "kube-apiserver"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("a real API server of Kubernetes needs %s: %v", program, err)
		}
	}
	dir := t.TempDir()
	write := func(name string, text []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	account := write("account.key", pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}))
	tokens := write("tokens.csv", []byte(KubernetesToken+",falco,1,system:masters\n"))
	store, peer, secure := servertest.Free(t), servertest.Free(t), servertest.Free(t)
	run(t, dir, "etcd", "--data-dir", filepath.Join(dir, "etcd"), "--listen-client-urls", "http://"+store, "--advertise-client-urls", "http://"+store,
		"--listen-peer-urls", "http://"+peer, "--initial-advertise-peer-urls", "http://"+peer, "--initial-cluster", "default=http://"+peer, "--unsafe-no-fsync")
	_, port, _ := strings.Cut(secure, ":")
	run(t, dir, "kube-apiserver", "--etcd-servers", "http://"+store, "--bind-address", "127.0.0.1", "--secure-port", port, "--cert-dir", filepath.Join(dir, "certs"),
		"--service-account-key-file", account, "--service-account-signing-key-file", account, "--service-account-issuer", "https://localhost", "--token-auth-file", tokens,
		"--service-cluster-ip-range", "10.0.0.0/24", "--disable-admission-plugins", "ServiceAccount", "--authorization-mode", "RBAC")
	s := &APIServer{url: "https://" + secure, client: &nethttp.Client{Timeout: patience, Transport: &nethttp.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, // the server has made its certificate itself
	}}}
	s.Kubeconfig = write("kubeconfig", fmt.Appendf(nil, `{"apiVersion":"v1","kind":"Config","current-context":"c","contexts":[{"name":"c","context":{"cluster":"c","user":"u"}}],`+
		`"clusters":[{"name":"c","cluster":{"server":%q,"insecure-skip-tls-verify":true}}],"users":[{"name":"u","user":{"token":%q}}]}`, s.url, KubernetesToken))
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	s.Await(t, "/readyz")
	s.Await(t, "/api/v1/namespaces/default")
	return s
}

// Await waits until there is something at the path, and returns it.
func (s *APIServer) Await(t *testing.T, path string) []byte {
	t.Helper()
	late := time.After(3 * time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		code, body, err := s.ask(nethttp.MethodGet, path, "")
		if err == nil && code == nethttp.StatusOK {
			return body
		}
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("the API server does not have %s: %d, %v, %s", path, code, err, body)
		}
	}
}

// Create creates an object.
func (s *APIServer) Create(t *testing.T, path, object string) {
	t.Helper()
	if code, body, err := s.ask(nethttp.MethodPost, path, object); err != nil || code != nethttp.StatusCreated {
		t.Fatalf("creating an object in %s: %d, %v, %s", path, code, err, body)
	}
}

// Delete deletes an object, or begins to.
func (s *APIServer) Delete(t *testing.T, path string) {
	t.Helper()
	if code, body, err := s.ask(nethttp.MethodDelete, path, ""); err != nil || code/100 != 2 {
		t.Fatalf("deleting %s: %d, %v, %s", path, code, err, body)
	}
}

func (s *APIServer) ask(method, path, body string) (int, []byte, error) {
	r, err := nethttp.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+KubernetesToken)
	r.Header.Set("Content-Type", "application/json")
	answer, err := s.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, text, err
}

// run starts a program that ends with the test, and shows what it says when that fails.
func run(t *testing.T, dir, name string, args ...string) {
	t.Helper()
	var said bytes.Buffer
	c := exec.Command(name, args...)
	c.Dir, c.Stdout, c.Stderr = dir, &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait() // it was killed
		if t.Failed() {
			text := said.String()
			t.Logf("%s: %s", name, text[max(0, len(text)-4000):])
		}
	})
}
