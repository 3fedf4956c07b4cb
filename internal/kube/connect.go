package kube

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/transport"
)

// Client reaches an API server.
type Client struct {
	rest rest.Interface
	host string
}

// Connect prepares the connection to the API server: as the kubeconfig says, or "" as the service account of the pod in which
// the program runs. It does not ask the server anything, so that one that is down is no error.
func Connect(kubeconfig string) (*Client, error) {
	c, err := clientConfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	return connect(c)
}

// clientConfig reads where the API server is and who asks it.
func clientConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig != "" {
		c, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
		if err != nil {
			return nil, fmt.Errorf("reading kubeconfig %s: %w", kubeconfig, err)
		}
		return c, nil
	}
	c, err := rest.InClusterConfig()
	if errors.Is(err, rest.ErrNotInCluster) {
		return nil, errors.New("connecting to Kubernetes: not in a pod, and no kubeconfig: name one by kubeconfig in init_config or by KUBECONFIG")
	}
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("connecting to Kubernetes: the pod has no service account token (automountServiceAccountToken has to be true): %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("connecting to Kubernetes: %w", err)
	}
	return c, nil
}

// Requests in a second, and at once: few, as every node of a cluster asks the same server.
const (
	requestRate  = 10
	requestBurst = 20
)

func connect(c *rest.Config) (*Client, error) {
	c = rest.CopyConfig(c)
	scheme := runtime.NewScheme()
	metav1.AddToGroupVersion(scheme, schema.GroupVersion{Version: "v1"}) // metav1.Status: why a request was refused
	c.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	c.GroupVersion = &schema.GroupVersion{Version: "v1"}
	c.UserAgent = "saker"
	c.WarningHandler = rest.NoWarnings{}
	c.QPS, c.Burst = requestRate, requestBurst
	c.Wrap(func(next http.RoundTripper) http.RoundTripper { return refusals{next} })
	if file := c.BearerTokenFile; file != "" {
		// Tokens run out, and the kubelet writes the next one into the same file. Read this way, a token that is refused is read
		// anew at once rather than after a minute.
		c.BearerToken, c.BearerTokenFile = "", ""
		c.Wrap(transport.ResettableTokenSourceWrapTransport(transport.NewCachedFileTokenSource(file)))
	}
	client, err := rest.UnversionedRESTClientFor(c)
	if err != nil {
		return nil, fmt.Errorf("connecting to Kubernetes: %w", err)
	}
	return &Client{rest: client, host: c.Host}, nil
}

// refusals bounds the answers that say why a request was refused: they are read as a whole.
type refusals struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (r refusals) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(req)
	if err == nil && resp.StatusCode >= 300 && resp.Body != nil {
		resp.Body = &limitedBody{Reader: io.LimitReader(resp.Body, 64<<10), Closer: resp.Body}
	}
	return resp, err
}

type limitedBody struct {
	io.Reader
	io.Closer
}
