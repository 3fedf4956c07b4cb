// Package kubeapi talks to the API server of Kubernetes for the sinks that write objects there: it finds the server and who we
// are as all clients do (the service account of the pod, else a kubeconfig), and makes requests as httpsink makes them. So time
// limits, errors without secrets and what can be tried again are those of all sinks over HTTP.
package kubeapi

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config says how to find the server.
type Config struct {
	Kubeconfig string // kubeconfig: file, outside of a cluster; "" is what KUBECONFIG or the home directory has
	First      bool   // the kubeconfig goes before the service account of the pod
	HTTP       httpsink.Options
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("kubeconfig", &c.Kubeconfig, "", "kubeconfig, outside of a cluster; without it, that of KUBECONFIG or ~/.kube/config"),
	)
}

// Client makes requests.
type Client struct {
	Namespace string // our own

	sender *httpsink.Sender
	base   string
}

// serviceAccount is where a pod finds its own namespace, among others.
const serviceAccount = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

// Open prepares requests of the sink with the name. It fails when no server is configured or its certificates cannot be used.
func Open(name string, cfg Config) (*Client, error) {
	c, namespace, err := cfg.load()
	if err != nil {
		return nil, fmt.Errorf("%s: looking for the API server of Kubernetes: %w", name, err)
	}
	sender, err := httpsink.New(httpsink.Config{
		Name: name, URL: address(c.Host), Options: cfg.HTTP, Secrets: []string{c.BearerToken, c.Password},
		Transport: func(t *http.Transport) (http.RoundTripper, error) { return cfg.through(c, t) },
	})
	if err != nil {
		return nil, err
	}
	return &Client{Namespace: namespace, sender: sender, base: address(c.Host)}, nil
}

// load returns how to reach the server, and our namespace.
func (cfg Config) load() (*rest.Config, string, error) {
	c, cluster := rest.InClusterConfig()
	if cluster == nil && !cfg.First {
		namespace, err := os.ReadFile(serviceAccount)
		if err != nil {
			return nil, "", fmt.Errorf("reading the pod's namespace: %w", err)
		}
		return c, strings.TrimSpace(string(namespace)), nil
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if path := cfg.Kubeconfig; path != "" {
		if rest, ok := strings.CutPrefix(path, "~/"); ok {
			path = filepath.Join(os.Getenv("HOME"), rest)
		}
		rules = &clientcmd.ClientConfigLoadingRules{ExplicitPath: path}
	}
	file := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, nil)
	c, err := file.ClientConfig()
	if err != nil {
		if cfg.First {
			return nil, "", fmt.Errorf("the kubeconfig cannot be used: %w", err)
		}
		if errors.Is(cluster, rest.ErrNotInCluster) {
			return nil, "", fmt.Errorf("this is no pod, and the kubeconfig cannot be used: %w", err)
		}
		return nil, "", fmt.Errorf("the pod's service account cannot be used (%w), nor a kubeconfig: %w", cluster, err)
	}
	namespace, _, err := file.Namespace()
	if err != nil {
		return nil, "", fmt.Errorf("reading the namespace of the kubeconfig: %w", err)
	}
	return c, namespace, nil
}

// address returns the URL of a server, which a kubeconfig may name by its host alone.
func address(host string) string {
	if strings.Contains(host, "://") {
		return host
	}
	return "https://" + host
}

// through makes a transport one that proves who we are and knows the cluster's authority.
func (cfg Config) through(c *rest.Config, t *http.Transport) (http.RoundTripper, error) {
	config, err := rest.TLSConfigFor(c)
	if err != nil {
		return nil, fmt.Errorf("reading the certificates of the API server: %w", err)
	}
	if own := t.TLSClientConfig; config != nil {
		config.MinVersion = own.MinVersion
		config.InsecureSkipVerify = config.InsecureSkipVerify || own.InsecureSkipVerify
		if config.RootCAs == nil {
			config.RootCAs = own.RootCAs
		} else if err := add(config.RootCAs, cfg.HTTP.CAFile); err != nil {
			return nil, err
		}
		t.TLSClientConfig = config
	}
	if c.Proxy != nil {
		t.Proxy = c.Proxy
	}
	through, err := rest.HTTPWrappersForConfig(c, t)
	if err != nil {
		return nil, fmt.Errorf("reading the credentials for the API server: %w", err)
	}
	return through, nil
}

// add adds the authorities of a file to a cluster's.
func add(pool *x509.CertPool, path string) error {
	if path == "" {
		return nil
	}
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return fmt.Errorf("reading the authorities to trust: %w", err)
	}
	pool.AppendCertsFromPEM(text) // httpsink has looked at it
	return nil
}

// Do makes a request with a body in JSON, which may be nil, for what the path names. It returns the answer.
func (c *Client) Do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	return c.Request(ctx, path, httpsink.Request{Method: method, Body: body, ContentType: "application/json"})
}

// Request makes a request for what the path names, whatever URL it has. It returns the answer.
func (c *Client) Request(ctx context.Context, path string, r httpsink.Request) ([]byte, error) {
	r.URL = httpsink.Join(c.base, path)
	return c.sender.Do(ctx, r)
}

// Fail returns an error that may be tried again.
func (c *Client) Fail(reason string) *httpsink.Error { return c.sender.Fail(reason) }

// Refuse returns a permanent error.
func (c *Client) Refuse(reason string) *httpsink.Error { return c.sender.Refuse(reason) }

// Close closes the connections.
func (c *Client) Close() { c.sender.Close() }

// Code returns the status of the server's answer in an error; 0 is none.
func Code(err error) int {
	var e *httpsink.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// NoNamespace says whether an object could not be made because its namespace is not there, or is about to go.
func NoNamespace(err error) bool {
	var e *httpsink.Error
	if !errors.As(err, &e) {
		return false
	}
	var said struct {
		Details struct {
			Kind   string
			Causes []struct{ Reason string }
		}
	}
	if json.Unmarshal(e.Body, &said) != nil {
		return false
	}
	for _, cause := range said.Details.Causes {
		if e.Code == http.StatusForbidden && cause.Reason == "NamespaceTerminating" {
			return true
		}
	}
	return e.Code == http.StatusNotFound && said.Details.Kind == "namespaces"
}
