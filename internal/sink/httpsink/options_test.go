package httpsink_test

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
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/sink/httpsink"
)

// pair returns a self-signed certificate and its key in PEM form.
func pair(t *testing.T, name string) (cert, key []byte) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	text, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: text})
}

func write(t *testing.T, name string, text []byte) string {
	t.Helper()
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestMutualTLS shows the certificate of the folder, or of the files that are named, and verifies the server's in any case.
func TestMutualTLS(t *testing.T) {
	dir, seen := t.TempDir(), ""
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r.TLS.PeerCertificates[0].Subject.CommonName }))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	srv.StartTLS()
	defer srv.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	inFolder, folderKey := pair(t, "folder")
	write(t, filepath.Join(dir, "client.crt"), inFolder)
	write(t, filepath.Join(dir, "client.key"), folderKey)
	write(t, filepath.Join(dir, "ca.crt"), ca)
	named, namedKey := pair(t, "named")
	cert, key := write(t, filepath.Join(dir, "n.crt"), named), write(t, filepath.Join(dir, "n.key"), namedKey)
	for want, o := range map[string]httpsink.Options{
		"folder": {MutualTLS: true, Folder: dir, Insecure: true},
		"named":  {MutualTLS: true, Folder: "/none", CertFile: cert, KeyFile: key, ClientCA: filepath.Join(dir, "ca.crt")},
	} {
		if _, err := open(t, httpsink.Config{URL: srv.URL, Options: o}).Do(t.Context(), httpsink.Request{}); err != nil || seen != want {
			t.Errorf("%s: %q, %v", want, seen, err)
		}
	}
	write(t, filepath.Join(dir, "ca.crt"), inFolder) // an authority that has not signed the server's
	s := open(t, httpsink.Config{URL: srv.URL, Options: httpsink.Options{MutualTLS: true, Folder: dir, Insecure: true}})
	if _, err := s.Do(t.Context(), httpsink.Request{}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("checkcert has an effect with mutual TLS: %v", err)
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	empty := write(t, filepath.Join(dir, "empty"), nil)
	cert, _ := pair(t, "x")
	write(t, filepath.Join(dir, "ca.crt"), cert)
	for want, o := range map[string]httpsink.Options{
		"name: reading the authorities to trust: open /none: no such file or directory":                                                          {CAFile: "/none"},
		"name: reading the authorities to trust: " + empty + " holds no certificate in PEM form":                                                 {CAFile: empty},
		"name: reading the authorities to trust: open /none/ca.crt: no such file or directory":                                                   {MutualTLS: true, Folder: "/none"},
		"name: reading the client certificate " + dir + "/client.crt with its key /none: open " + dir + "/client.crt: no such file or directory": {MutualTLS: true, Folder: dir, KeyFile: "/none"},
	} {
		if _, err := httpsink.New(httpsink.Config{Name: "name", URL: "https://h", Options: o}); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}
