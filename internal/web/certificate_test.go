package web

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// writePEM writes key and certificate of a server into one file and returns the certificate.
func writePEM(t *testing.T, path, name string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, b := range []*pem.Block{{Type: "PRIVATE KEY", Bytes: keyDER}, {Type: "CERTIFICATE", Bytes: der}} {
		if err := pem.Encode(&out, b); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func trusting(cert *x509.Certificate) *http.Client {
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
}

// TestTLS serves with a certificate, uses a renewed one, keeps it when the file breaks, and refuses old protocols.
func TestTLS(t *testing.T) {
	path := filepath.Join(t.TempDir(), "falco.pem")
	var log logged
	c := config()
	c.Certificate, c.Log = path, log.add
	if _, err := Listen(c); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "webserver.ssl_certificate") {
		t.Errorf("without a file: error %v", err)
	}
	first := writePEM(t, path, "one")
	s := start(t, c)
	url := "https://" + s.Address() + "/healthz"
	if status, _, body := get(t, trusting(first), "GET", url); status != 200 || body != `{"status": "ok"}` {
		t.Errorf("got %d %q", status, body)
	}

	second := writePEM(t, path, "another-name")
	if status, _, _ := get(t, trusting(second), "GET", url); status != 200 {
		t.Errorf("with the renewed certificate: status %d", status)
	}
	if err := os.WriteFile(path, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := get(t, trusting(second), "GET", url); status != 200 {
		t.Errorf("with a broken file: status %d", status)
	}

	old := &tls.Config{RootCAs: x509.NewCertPool(), MaxVersion: tls.VersionTLS11, InsecureSkipVerify: true}
	if conn, err := tls.Dial("tcp", s.Address(), old); err == nil {
		conn.Close()
		t.Error("TLS 1.1 is accepted")
	}
	log.mu.Lock()
	defer log.mu.Unlock()
	for _, l := range log.lines {
		if !strings.HasPrefix(l, "web server: ") || strings.Contains(l, "\n") {
			t.Errorf("logged %q", l)
		}
	}
}
