// Package web is the HTTP server of the agent: whether it is healthy, which versions it has, and its metrics (reference:
// falco-core.md §2.6). It answers, and changes nothing: there is no request that does.
//
// It knows nothing of what it serves; Config hands it in. Listen binds the address, so that a port in use is found before
// events are; Serve answers until Close. Everybody in the network can reach it, so what a request may cost is limited: in
// time, in size, and in open connections, of which the oldest gives way to the newest.
package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/saker-sec/saker/internal/crowd"
)

// Config sets up a Server.
type Config struct {
	Address string // to listen on, an IP address (webserver.listen_address)
	Port    int    // 0 takes any that is free (webserver.listen_port)
	// HealthPath is where health is answered (webserver.k8s_healthz_endpoint); "/" is put before it if missing.
	HealthPath string
	// Certificate is a PEM file with both the key and the certificates, leaf first; "" serves without TLS
	// (webserver.ssl_enabled and ssl_certificate). It is read again when it changes.
	Certificate string

	// Health reports whether events flow, and if not, why. It is called for each request.
	Health func() (ok bool, reason string)
	// Destinations returns JSON about where alerts are delivered to, which the answer about health gets beside it; nil adds nothing. It
	// is for people: that one of them does not work makes the agent no less healthy.
	Destinations func() []byte
	// Versions is the JSON document of /versions.
	Versions []byte
	// Metrics returns the text of /metrics; nil answers 404 there. At most once a second it is called, by one at a time.
	Metrics func() []byte
	// MetricsType is the media type of that text.
	MetricsType string
	// Log takes what goes wrong with single connections, a line at a time; nil for nobody.
	Log func(string)
}

// The limits of a request. A probe of Kubernetes gives up after one second by default, Prometheus after ten.
const (
	headerTime     = 5 * time.Second
	requestTime    = 10 * time.Second
	idleTime       = 60 * time.Second
	maxHeaderBytes = 16 << 10
	maxConnections = 256
)

// Server answers requests.
type Server struct {
	http     *http.Server
	listener net.Listener
	tls      bool
}

// Listen binds the address. An error says which address it was.
func Listen(c Config) (*Server, error) {
	if c.HealthPath == "" || c.HealthPath[0] != '/' {
		c.HealthPath = "/" + c.HealthPath
	}
	address := net.JoinHostPort(c.Address, strconv.Itoa(c.Port))
	s := &Server{tls: c.Certificate != "", http: &http.Server{
		Handler: newHandler(c), ReadHeaderTimeout: headerTime, ReadTimeout: requestTime, WriteTimeout: 2 * requestTime,
		IdleTimeout: idleTime, MaxHeaderBytes: maxHeaderBytes, ConnState: crowd.New(maxConnections, nil).Changed,
		ErrorLog: log.New(lines{c.Log}, "", 0),
	}}
	if s.tls {
		pair := &certificate{path: c.Certificate}
		if _, err := pair.current(nil); err != nil {
			return nil, fmt.Errorf("starting the web server: %w", err)
		}
		s.http.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.current}
	}
	var err error
	if s.listener, err = net.Listen("tcp", address); err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("starting the web server: %s is in use by another program (maybe Falco, or Saker itself); "+
				"stop it, or choose another webserver.listen_port", address)
		}
		return nil, fmt.Errorf("starting the web server on %s: %w", address, err)
	}
	return s, nil
}

// Address returns the address that is listened on, with the port that was taken.
func (s *Server) Address() string { return s.listener.Addr().String() }

// Serve answers requests until Close, which is no error.
func (s *Server) Serve() error {
	var err error
	if s.tls {
		err = s.http.ServeTLS(s.listener, "", "")
	} else {
		err = s.http.Serve(s.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serving HTTP on %s: %w", s.Address(), err)
}

// Close stops to listen and waits for answers under way until ctx is done; then it cuts them off.
func (s *Server) Close(ctx context.Context) error {
	// Shutdown does not know the listener if Serve was never called.
	defer s.listener.Close()
	if err := s.http.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("stopping the web server: %w", err), s.http.Close())
	}
	return nil
}

// lines passes on what net/http logs.
type lines struct{ to func(string) }

func (l lines) Write(p []byte) (int, error) {
	if l.to != nil {
		l.to("web server: " + strings.TrimSuffix(string(p), "\n"))
	}
	return len(p), nil
}
