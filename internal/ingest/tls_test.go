package ingest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	dir  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	a.cert, a.key = a.sign(t, "ca")
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// sign writes name.crt and name.key.
func (a *authority) sign(t *testing.T, name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{{127, 0, 0, 1}},
		IsCA: a.cert == nil, BasicConstraintsValid: true,
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: der}, ".key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(a.path(name+file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

// TestMutualTLS has a client with and one without a certificate, and the port without TLS.
func TestMutualTLS(t *testing.T) {
	a := newAuthority(t)
	a.sign(t, "server")
	a.sign(t, "client")
	k := &kept{}
	cfg := Listen{
		Address: "127.0.0.1", TLS: true, CertFile: a.path("server.crt"), KeyFile: a.path("server.key"), MutualTLS: true, CAFile: a.path("ca.crt"),
		PlainPaths: []string{"/ping", "metrics", "/{"},
	}
	s, err := Start(cfg, handler(t, k, TransformConfig{}), log.New(io.Discard, "", 0))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(t.Context())
	pair, err := tls.LoadX509KeyPair(a.path("client.crt"), a.path("client.key"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	client := func(certs ...tls.Certificate) *http.Client {
		return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: certs}}}
	}
	if answer, err := client(pair).Post("https://"+s.Addrs()[0].String(), "", strings.NewReader(good)); err != nil || answer.StatusCode != 200 {
		t.Errorf("with a certificate: %v, %v", answer, err)
	}
	if answer, err := client().Post("https://"+s.Addrs()[0].String(), "", strings.NewReader(good)); err == nil {
		t.Errorf("without a certificate: %v", answer.Status)
	}
	if err := os.WriteFile(a.path("server.key"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if answer, err := client(pair).Post("https://"+s.Addrs()[0].String(), "", strings.NewReader(good)); err != nil || answer.StatusCode != 200 {
		t.Errorf("while the certificate is replaced: %v, %v", answer, err)
	}
	renewed, _ := a.sign(t, "server")
	if answer, err := client(pair).Post("https://"+s.Addrs()[0].String(), "", strings.NewReader(good)); err != nil || !answer.TLS.PeerCertificates[0].Equal(renewed) {
		t.Errorf("after it was replaced: %v, %v", answer, err)
	}
	for path, code := range map[string]int{"/ping": 200, "/metrics": 200, "/": 404, "/ping/x": 404} {
		answer, err := http.Get("http://" + s.Addrs()[1].String() + path)
		if err != nil || answer.StatusCode != code {
			t.Errorf("%s without TLS: %v, %v, want %d", path, answer, err, code)
		}
	}
	cfg.CAFile = a.path("server.key")
	if _, err := Start(cfg, nil, nil); err == nil || !strings.Contains(err.Error(), "tlsserver.cacertfile") {
		t.Errorf("a key as authority: %v", err)
	}
	cfg.CertFile = a.path("none.crt")
	if _, err := Start(cfg, nil, nil); err == nil || !strings.Contains(err.Error(), "tlsserver.certfile") {
		t.Errorf("a certificate that is not there: %v", err)
	}
}
