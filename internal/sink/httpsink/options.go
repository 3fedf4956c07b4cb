package httpsink

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/saker-sec/saker/internal/sink/setting"
)

// DefaultTimeout bounds a request with its answer.
const DefaultTimeout = 10 * time.Second

// Options are what all destinations over HTTP, and those that encrypt otherwise, have in common (reference: sidekick.md §1.3).
// The zero value checks certificates against the system's authorities.
type Options struct {
	Insecure  bool          // the server's certificate is not verified; without effect together with MutualTLS, as in Falcosidekick
	MutualTLS bool          // show a client certificate
	Folder    string        // of client.crt, client.key and ca.crt
	CertFile  string        // client certificate in PEM form; "" is the one in the folder
	KeyFile   string        // its key
	ClientCA  string        // authorities to trust beside the system's, with mutual TLS
	CAFile    string        // authorities to trust beside the system's
	Timeout   time.Duration // of a request with its answer; 0 is DefaultTimeout
}

// Settings binds Falcosidekick's keys, and one of ours: timeout.
func (o *Options) Settings() setting.List {
	return append(o.TLSSettings(), setting.Duration("timeout", &o.Timeout, DefaultTimeout, "longest time that a request may take, with its answer"))
}

// TLSSettings binds those of the keys that are about TLS.
func (o *Options) TLSSettings() setting.List {
	return setting.List{
		setting.Not("checkcert", &o.Insecure, true, "verify the server's certificate"),
		setting.Bool("mutualtls", &o.MutualTLS, false, "show a client certificate; the server's is always verified then"),
		setting.Text("mutualtlsfilespath", &o.Folder, "/etc/certs", "folder of client.crt, client.key and ca.crt").Global(),
		setting.Text("mutualtlsclient.certfile", &o.CertFile, "", "client certificate, in place of the one in the folder").Global(),
		setting.Text("mutualtlsclient.keyfile", &o.KeyFile, "", "key of the client certificate, in place of the one in the folder").Global(),
		setting.Text("mutualtlsclient.cacertfile", &o.ClientCA, "", "authorities to trust with mutual TLS, in place of those in the folder").Global(),
		setting.Text("tlsclient.cacertfile", &o.CAFile, "", "authorities to trust beside the system's").Global(),
	}
}

func (o Options) file(set, name string) string {
	if set != "" {
		return set
	}
	return filepath.Join(o.Folder, name)
}

// Client returns a client for other servers than the destination's, which give tokens: their certificates are always verified,
// and no client certificate is shown.
func (o Options) Client() (*http.Client, error) {
	config, err := Options{CAFile: o.CAFile}.TLS()
	if err != nil {
		return nil, err
	}
	if o.Timeout <= 0 {
		o.Timeout = DefaultTimeout
	}
	return &http.Client{Transport: transport(config), Timeout: o.Timeout}, nil
}

// TLS reads the certificates. It returns what a connection needs that is to be encrypted.
func (o Options) TLS() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.Insecure && !o.MutualTLS} // insecure is for the user to say
	var files []string
	if o.CAFile != "" {
		files = append(files, o.CAFile)
	}
	if o.MutualTLS {
		files = append(files, o.file(o.ClientCA, "ca.crt"))
	}
	if len(files) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			return nil, fmt.Errorf("reading the system's certificates: %w", err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				return nil, fmt.Errorf("reading the authorities to trust: %w", err)
			}
			if !pool.AppendCertsFromPEM(text) {
				return nil, fmt.Errorf("reading the authorities to trust: %s holds no certificate in PEM form", f)
			}
		}
		config.RootCAs = pool
	}
	if !o.MutualTLS {
		return config, nil
	}
	cert, key := o.file(o.CertFile, "client.crt"), o.file(o.KeyFile, "client.key")
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("reading the client certificate %s with its key %s: %w", cert, key, err)
		}
		return &pair, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return config, nil
}
