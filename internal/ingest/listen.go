package ingest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/saker-sec/saker/internal/crowd"
)

// The time limits of connections.
const (
	headerTimeout = 10 * time.Second
	bodyTimeout   = 60 * time.Second
	idleTimeout   = 2 * time.Minute
)

// mostHeader bounds the header of a request.
const mostHeader = 16 << 10

// crowdedEvery is the least time between two lines about connections that are closed for others.
const crowdedEvery = time.Minute

// Listen says where alerts come in (reference: sidekick.md §1.3).
type Listen struct {
	Address string // IP; "" is all
	Port    int

	TLS               bool
	CertFile, KeyFile string // in PEM form; read anew for each connection
	MutualTLS         bool   // only clients with a certificate of CAFile
	CAFile            string
	PlainPort         int      // without TLS, for PlainPaths only
	PlainPaths        []string // none: no such port
}

// Server listens.
type Server struct {
	servers   []*http.Server
	listeners []net.Listener
	failed    chan error
}

// Start listens and serves. It fails when the address is in use or a certificate cannot be read. ErrorLog takes what goes wrong on
// connections; nil drops it.
func Start(cfg Listen, h http.Handler, errorLog *log.Logger) (*Server, error) {
	s := &Server{failed: make(chan error, 2)}
	if errorLog == nil {
		errorLog = log.New(io.Discard, "", 0)
	}
	var secure *tls.Config
	if cfg.TLS {
		var err error
		if secure, err = cfg.tls(); err != nil {
			return nil, err
		}
	}
	if err := s.serve(cfg.Address, cfg.Port, secure, h, errorLog); err != nil {
		return nil, err
	}
	if cfg.TLS && len(cfg.PlainPaths) > 0 {
		if err := s.serve(cfg.Address, cfg.PlainPort, nil, only(cfg.PlainPaths, h), errorLog); err != nil {
			return nil, errors.Join(err, s.Close(context.Background()))
		}
	}
	return s, nil
}

func (s *Server) serve(address string, port int, secure *tls.Config, h http.Handler, errorLog *log.Logger) error {
	l, err := net.Listen("tcp", net.JoinHostPort(strings.Trim(address, "[]"), strconv.Itoa(port)))
	if err != nil {
		return fmt.Errorf("listening for alerts: %w", err)
	}
	var said atomic.Int64 // when, in nanoseconds
	connections := crowd.New(mostConnections, func() {
		now, last := time.Now().UnixNano(), said.Load()
		if now-last >= int64(crowdedEvery) && said.CompareAndSwap(last, now) {
			errorLog.Printf("there are %d connections: those that have done nothing new for the longest time are closed for others", mostConnections)
		}
	})
	server := &http.Server{
		Handler: h, ConnState: connections.Changed, ErrorLog: errorLog, ReadHeaderTimeout: headerTimeout, ReadTimeout: bodyTimeout, WriteTimeout: bodyTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: mostHeader, TLSConfig: secure,
	}
	s.servers, s.listeners = append(s.servers, server), append(s.listeners, l)
	go func() {
		var err error
		if secure != nil {
			err = server.ServeTLS(l, "", "")
		} else {
			err = server.Serve(l)
		}
		if !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("listening for alerts: %w", err)
		}
	}()
	return nil
}

// only serves some paths.
func only(paths []string, h http.Handler) http.Handler {
	served := map[string]bool{}
	for _, p := range paths {
		served["/"+strings.Trim(strings.TrimSpace(p), "/")] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !served[r.URL.Path] {
			http.NotFound(w, r)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// tls reads the certificates once, to say at once what is wrong. Later, what was read before stays in use while the files cannot be: they may
// be half written, and a sender that is turned away may not come again.
func (cfg Listen) tls() (*tls.Config, error) {
	var last atomic.Pointer[tls.Certificate]
	load := func() error {
		pair, err := tls.LoadX509KeyPair(cfg.CertFile, cfg.KeyFile)
		if err == nil {
			last.Store(&pair)
		}
		return err
	}
	if err := load(); err != nil {
		return nil, fmt.Errorf("reading the server's certificate (tlsserver.certfile, tlsserver.keyfile): %w", err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		_ = load()
		return last.Load(), nil
	}}
	if cfg.MutualTLS {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, fmt.Errorf("reading the authorities of clients (tlsserver.cacertfile): %w", err)
		}
		c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !c.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("reading the authorities of clients (tlsserver.cacertfile): %s holds no certificate in PEM", cfg.CAFile)
		}
	}
	return c, nil
}

// Addrs returns where it listens: the port with alerts first.
func (s *Server) Addrs() (out []net.Addr) {
	for _, l := range s.listeners {
		out = append(out, l.Addr())
	}
	return out
}

// Failed yields an error when it cannot go on listening.
func (s *Server) Failed() <-chan error { return s.failed }

// Close answers the requests that have begun until ctx is done, and takes no new ones.
func (s *Server) Close(ctx context.Context) error {
	var errs []error
	for _, server := range s.servers {
		if err := server.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("ending the requests: %w", err), server.Close())
		}
	}
	return errors.Join(errs...)
}
