// Package function calls a function of a serverless platform in a Kubernetes cluster with each alert, as Falcosidekick's JSON,
// for the sinks that are such platforms.
//
// A function is behind a service of the cluster. It is called at the service's name, as pods do; or, from outside, through the
// API server's proxy to services, when a kubeconfig is named (kubernetes.io/docs, "Access Services Running on Clusters"); or at
// any address that the configuration names instead.
package function

import (
	"context"
	"fmt"
	"maps"
	"net/url"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/kubeapi"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Access is the part of a sink's configuration that says from where functions are called.
type Access struct {
	Kubeconfig string           // kubeconfig: calls go through the API server that it names
	URL        string           // url: address of the function, in place of the service's in the cluster; ours
	HTTP       httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys.
func (a *Access) Settings() setting.List {
	return append(a.HTTP.Settings(),
		setting.Text("kubeconfig", &a.Kubeconfig, "", "kubeconfig, to call through the API server's proxy from outside of the cluster"),
		setting.Text("url", &a.URL, "", "address of the function, in place of the service's in the cluster"),
	)
}

// Config is a function and how to call it.
type Config struct {
	Name   string // of the destination, in errors
	Access Access

	Namespace, Service string // of the service that calls go to
	Port               int
	Domain             string // what follows the namespace in the service's name for pods, like ".svc.cluster.local"
	Path               string // of the function there

	ContentType string            // "" is httpsink.JSONType
	Header      map[string]string // sent with each call; the alert's uuid is added as event-id
}

// Sink calls a function.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender // nil when calls go through api
	api    *kubeapi.Client
	path   string // of the function at the API server
}

// Open prepares calls. It fails when the address, the kubeconfig or a certificate cannot be used.
func Open(cfg Config) (*Sink, error) {
	if a := cfg.Access; a.URL == "" && a.Kubeconfig != "" {
		api, err := kubeapi.Open(cfg.Name, kubeapi.Config{Kubeconfig: a.Kubeconfig, First: true, HTTP: a.HTTP})
		if err != nil {
			return nil, err
		}
		service := fmt.Sprintf("/api/v1/namespaces/%s/services/%s:%d/proxy/", url.PathEscape(cfg.Namespace), url.PathEscape(cfg.Service), cfg.Port)
		return &Sink{cfg: cfg, api: api, path: service + cfg.Path}, nil
	}
	address := cfg.Access.URL
	if address == "" {
		address = fmt.Sprintf("http://%s.%s%s:%d/%s", cfg.Service, cfg.Namespace, cfg.Domain, cfg.Port, cfg.Path)
	}
	sender, err := httpsink.New(httpsink.Config{Name: cfg.Name, URL: address, Options: cfg.Access.HTTP})
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send calls the function.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) (err error) {
	r := httpsink.Request{Body: httpsink.Event(a), ContentType: s.cfg.ContentType, Header: s.cfg.Header}
	if a.UUID != "" {
		r.Header = map[string]string{"event-id": a.UUID}
		maps.Copy(r.Header, s.cfg.Header)
	}
	if s.api != nil {
		_, err = s.api.Request(ctx, s.path, r)
	} else {
		_, err = s.sender.Do(ctx, r)
	}
	return err
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	if s.api != nil {
		s.api.Close()
	} else {
		s.sender.Close()
	}
	return nil
}
