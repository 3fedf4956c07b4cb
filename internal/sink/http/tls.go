package http

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// tlsConfig reads the certificates that the configuration names.
func tlsConfig(cfg Config) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: cfg.Insecure} // insecure is for the user to say
	if !cfg.Insecure {
		roots, err := authorities(cfg)
		if err != nil {
			return nil, err
		}
		config.RootCAs = roots
	}
	if !cfg.MTLS {
		return config, nil
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(cfg.ClientCert, cfg.ClientKey)
		if err != nil {
			return nil, fmt.Errorf("reading the client certificate %s with its key %s: %w", cfg.ClientCert, cfg.ClientKey, err)
		}
		return &pair, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return config, nil
}

// authorities returns the certificates of the authorities to trust; nil are the system's.
func authorities(cfg Config) (*x509.CertPool, error) {
	key, file := "ca_cert", cfg.CACert
	if file == "" {
		key, file = "ca_bundle", cfg.CABundle
	}
	if file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("reading http_output.%s: %w", key, err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("reading http_output.%s: %s holds no certificate in PEM form", key, file)
		}
		return pool, nil
	}
	if cfg.CAPath == "" || filepath.Clean(cfg.CAPath) == DefaultCAPath {
		return nil, nil
	}
	entries, err := os.ReadDir(cfg.CAPath)
	if err != nil {
		return nil, fmt.Errorf("reading http_output.ca_path: %w", err)
	}
	pool, found := x509.NewCertPool(), false
	var errs []error
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(cfg.CAPath, e.Name()))
		if err != nil {
			errs = append(errs, err) // a directory, or a link to nothing
			continue
		}
		found = pool.AppendCertsFromPEM(text) || found
	}
	if !found {
		return nil, errors.Join(fmt.Errorf("reading http_output.ca_path: no file in %s holds a certificate in PEM form", cfg.CAPath), errors.Join(errs...))
	}
	return pool, nil
}
