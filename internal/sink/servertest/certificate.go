package servertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"testing"
	"time"
)

// Certificates are files of an authority, and of a server of this machine and a client that it vouches for. Everybody can
// read them.
type Certificates struct {
	Dir                    string // has client.crt, client.key and ca.crt too, as Falcosidekick names them
	CA                     string
	ServerCert, ServerKey  string
	ClientCert, ClientKey  string
	authority              *x509.Certificate
	serverPair, clientPair tls.Certificate
}

// NewCertificates makes an authority and its certificates.
func NewCertificates(t testing.TB) *Certificates {
	t.Helper()
	c := &Certificates{Dir: Dir(t, "")}
	key := newKey(t)
	c.authority = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Authority of a test"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c.authority, c.authority, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if c.authority, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	c.CA = Write(t, c.Dir, "ca.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	c.ServerCert, c.ServerKey, c.serverPair = c.issue(t, key, "server", x509.ExtKeyUsageServerAuth)
	c.ClientCert, c.ClientKey, c.clientPair = c.issue(t, key, "client", x509.ExtKeyUsageClientAuth)
	return c
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (c *Certificates) issue(t testing.TB, authority *ecdsa.PrivateKey, name string, use x509.ExtKeyUsage) (certFile, keyFile string, pair tls.Certificate) {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(use) + 2), Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{use},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, c.authority, key.Public(), authority)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	if pair, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		t.Fatal(err)
	}
	return Write(t, c.Dir, name+".crt", string(certPEM)), Write(t, c.Dir, name+".key", string(keyPEM)), pair
}

// Private gives the server's key to a user and to nobody else, as some servers want.
func (c *Certificates) Private(t testing.TB, name string) {
	t.Helper()
	if err := os.Chmod(c.ServerKey, 0o600); err != nil {
		t.Fatal(err)
	}
	if u := credential(t, name); u != nil {
		if err := os.Chown(c.ServerKey, int(u.Uid), int(u.Gid)); err != nil {
			t.Fatal(err)
		}
	}
}

func (c *Certificates) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(c.authority)
	return pool
}

// Server returns the configuration of a server; mutual wants a certificate of each client.
func (c *Certificates) Server(mutual bool) *tls.Config {
	config := &tls.Config{Certificates: []tls.Certificate{c.serverPair}, ClientCAs: c.pool(), MinVersion: tls.VersionTLS12}
	if mutual {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config
}

// Client returns the configuration of a client that shows a certificate.
func (c *Certificates) Client() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{c.clientPair}, RootCAs: c.pool(), MinVersion: tls.VersionTLS12}
}
