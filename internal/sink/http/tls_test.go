package http_test

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
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/sink/http"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, name string) authority {
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign returns a certificate and its key in PEM form.
func (a authority) sign(t *testing.T, name string) (cert, key []byte) {
	k := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, &k.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: text})
}

func (a authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
}

func write(t *testing.T, name string, text []byte) string {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// serveTLS starts a server whose certificate the authority has signed; with clients it asks for certificates of theirs.
func serveTLS(t *testing.T, a authority, clients *authority) *server {
	cert, key := a.sign(t, "server")
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	if clients != nil {
		s.TLS.ClientAuth, s.TLS.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		s.TLS.ClientCAs.AddCert(clients.cert)
	}
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func TestAuthorities(t *testing.T) {
	dir := t.TempDir()
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	srv := serveTLS(t, ours, nil)
	good, bad := write(t, filepath.Join(dir, "good.pem"), ours.pem()), write(t, filepath.Join(dir, "bad.pem"), theirs.pem())
	both := write(t, filepath.Join(dir, "both.pem"), append(theirs.pem(), ours.pem()...))
	certs := filepath.Join(dir, "certs")
	if err := os.MkdirAll(filepath.Join(certs, "a directory"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(certs, "0123abcd.0"), ours.pem())
	write(t, filepath.Join(certs, "README"), []byte("no certificate"))
	const untrusted = "certificate signed by unknown authority"
	for name, c := range map[string]struct {
		cfg  http.Config
		want string // in the error of Send
	}{
		"insecure":                      {http.Config{Insecure: true}, ""},
		"insecure needs no files":       {http.Config{Insecure: true, CACert: "/none"}, ""},
		"ca_cert":                       {http.Config{CACert: good}, ""},
		"another ca_cert":               {http.Config{CACert: bad}, untrusted},
		"ca_bundle":                     {http.Config{CABundle: both}, ""},
		"ca_cert goes before ca_bundle": {http.Config{CACert: bad, CABundle: good}, untrusted},
		"ca_bundle goes before ca_path": {http.Config{CABundle: bad, CAPath: certs}, untrusted},
		"ca_path":                       {http.Config{CAPath: certs}, ""},
		"default ca_path":               {http.Config{CAPath: http.DefaultCAPath}, untrusted},
		"nothing":                       {http.Config{}, untrusted},
	} {
		c.cfg.URL = srv.URL
		err := send(t.Context(), open(t, c.cfg), "alert")
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	empty := t.TempDir()
	for want, cfg := range map[string]http.Config{
		"http output: reading http_output.ca_cert: open /none: no such file or directory":                            {CACert: "/none"},
		"http output: reading http_output.ca_bundle: " + certs + "/README holds no certificate in PEM form":          {CABundle: certs + "/README"},
		"http output: reading http_output.ca_path: open /none: no such file or directory":                            {CAPath: "/none"},
		"http output: reading http_output.ca_path: no file in " + empty + " holds a certificate in PEM form":         {CAPath: empty},
		"http output: reading the client certificate /none with its key /key: open /none: no such file or directory": {MTLS: true, ClientCert: "/none", ClientKey: "/key"},
	} {
		cfg.URL = srv.URL
		if _, err := http.New(cfg); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// TestClientCertificate shows a certificate that is replaced while the sink runs, as a certificate manager does it.
func TestClientCertificate(t *testing.T) {
	dir := t.TempDir()
	ours := newAuthority(t, "ours")
	srv := serveTLS(t, ours, &ours)
	replace := func(name string) (string, string) {
		cert, key := ours.sign(t, name)
		return write(t, filepath.Join(dir, "client.crt"), cert), write(t, filepath.Join(dir, "client.key"), key)
	}
	cfg := http.Config{URL: srv.URL, CACert: write(t, filepath.Join(dir, "ca.pem"), ours.pem())}
	if err := send(t.Context(), open(t, cfg), "alert"); err == nil {
		t.Error("the server takes an alert without a certificate")
	}
	cfg.MTLS = true
	cfg.ClientCert, cfg.ClientKey = replace("first")
	s := open(t, cfg)
	for _, name := range []string{"first", "second"} {
		replace(name)
		if err := send(t.Context(), s, "alert"); err != nil {
			t.Fatal(err)
		}
		if got := srv.last.TLS.PeerCertificates[0].Subject.CommonName; got != name {
			t.Errorf("the client is %s, want %s", got, name)
		}
		srv.CloseClientConnections()
	}
}

// TestReopen reads the authorities anew, and keeps the old ones when that fails.
func TestReopen(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	srv := serveTLS(t, ours, nil)
	ca := write(t, filepath.Join(t.TempDir(), "ca.pem"), theirs.pem())
	s := open(t, http.Config{URL: srv.URL, CACert: ca})
	if send(t.Context(), s, "alert") == nil {
		t.Error("an unknown authority is trusted")
	}
	write(t, ca, ours.pem())
	if err := s.Reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, ca, nil)
	if s.Reopen(t.Context()) == nil {
		t.Error("an empty file of authorities is read")
	}
	if err := send(t.Context(), s, "alert"); err != nil {
		t.Error(err)
	}
}
