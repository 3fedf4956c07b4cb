// Package http posts alerts to a URL, one request each.
//
// It differs from Falco in three ways (reference: falco-core.md §8.4). The status of the answer counts: 2xx is success; 408,
// 425, 429 and 5xx are tried again, after the pause that a Retry-After header asks for; anything else is a permanent error,
// reported with the reason the server gives. A request has a timeout. And compress_uploads compresses the body, as its
// documentation says; a server that answers a compressed request with 400, 415 or 422 but takes the same body uncompressed,
// like Falcosidekick, gets no compressed ones any more.
//
// Of the URL, only scheme and host are in errors: user, path and query may be secrets.
package http

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	nethttp "net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/saker-sec/saker/internal/alert"
)

// Defaults of Falco's configuration.
const (
	DefaultUserAgent  = "falcosecurity/falco"
	DefaultCAPath     = "/etc/ssl/certs"
	DefaultClientCert = "/etc/ssl/certs/client.crt"
	DefaultClientKey  = "/etc/ssl/certs/client.key"
	DefaultTimeouts   = 5
)

// DefaultTimeout bounds a request with its answer.
const DefaultTimeout = 10 * time.Second

// Config is http_output (reference: falco-core.md §2.4). Strings and MaxTimeouts are used as they are; the defaults above are
// for the one who reads the configuration.
type Config struct {
	URL       string
	UserAgent string
	JSON      bool // the content type is application/json, else text/plain

	Insecure              bool   // the server's certificate is not verified
	CACert                string // PEM file of the authorities to trust; before CABundle
	CABundle              string // the same; before CAPath
	CAPath                string // directory of such files; "" and DefaultCAPath are the system's authorities
	MTLS                  bool   // show the client certificate
	ClientCert, ClientKey string // PEM files, read anew for each connection

	Echo      io.Writer // gets the answers' bodies (echo: standard output); nil is nowhere
	Compress  bool      // compress_uploads
	KeepAlive bool      // TCP probes on an idle connection; a connection is reused in any case
	// MaxTimeouts is how many timeouts in a row are followed by another attempt at once; after that attempts are spaced out.
	MaxTimeouts int
	Timeout     time.Duration // of a request with its answer; 0 is DefaultTimeout
}

// Sink posts alerts.
type Sink struct {
	cfg    Config
	url    *url.URL
	client *nethttp.Client
	hide   *strings.Replacer // of what is secret in an answer

	timeouts int // in a row
	compress bool
	zip      *gzip.Writer
}

// New returns a sink. It fails when the URL is none or a file of certificates cannot be used.
func New(cfg Config) (*Sink, error) {
	u, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = DefaultTimeout
	}
	s := &Sink{cfg: cfg, url: u, compress: cfg.Compress, hide: hide(u), zip: gzip.NewWriter(nil)}
	if s.client, err = newClient(cfg); err != nil {
		return nil, fmt.Errorf("http output: %w", err)
	}
	return s, nil
}

// parseURL parses the URL, which may be in quotes as Falco allows. Its errors do not show it.
func parseURL(text string) (*url.URL, error) {
	if n := len(text); n >= 2 && text[0] == text[n-1] && (text[0] == '"' || text[0] == '\'') {
		text = text[1 : n-1]
	}
	if text == "" {
		return nil, errors.New("http output: http_output.url is empty, it must be an http or https URL")
	}
	if !strings.Contains(text, "://") {
		text = "http://" + text // as curl does
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("http output: http_output.url is not a URL that begins with http:// or https:// and a host (it is not shown, it may hold a password)")
	}
	return u, nil
}

// hide returns what replaces the secret parts of a URL in other texts.
func hide(u *url.URL) *strings.Replacer {
	var secrets []string
	add := func(texts ...string) {
		for _, t := range texts {
			if len(t) > 3 {
				secrets = append(secrets, t, "***")
			}
		}
	}
	if u.User != nil {
		password, _ := u.User.Password()
		add(u.User.String(), password, u.User.Username())
	}
	add(u.RequestURI(), u.Path, u.EscapedPath(), u.RawQuery)
	return strings.NewReplacer(secrets...)
}

// Send posts the line.
func (s *Sink) Send(ctx context.Context, _ *alert.Alert, line []byte) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	err := s.post(ctx, line, s.compress)
	var status *statusError
	if s.compress && errors.As(err, &status) && (status.code == nethttp.StatusBadRequest ||
		status.code == nethttp.StatusUnsupportedMediaType || status.code == nethttp.StatusUnprocessableEntity) {
		if s.post(ctx, line, false) == nil {
			s.compress, err = false, nil
		}
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		s.timeouts = 0
		return err
	}
	s.timeouts++
	return timeoutError{fmt.Errorf("posting to %s: no answer within %v: %w", s.where(), s.cfg.Timeout, err), s.timeouts <= s.cfg.MaxTimeouts}
}

// post makes one request. The transport may read the body even after it has answered, so it gets a copy of the line.
func (s *Sink) post(ctx context.Context, line []byte, compress bool) error {
	var body []byte
	if compress {
		var b bytes.Buffer
		s.zip.Reset(&b)
		_, _ = s.zip.Write(line) // a bytes.Buffer does not fail
		_ = s.zip.Close()
		body = b.Bytes()
	} else {
		body = bytes.Clone(line)
	}
	r, err := nethttp.NewRequestWithContext(ctx, nethttp.MethodPost, s.url.String(), bytes.NewReader(body))
	if err != nil {
		return errors.New("making the request: http_output.url cannot be used")
	}
	r.Header.Set("Content-Type", "text/plain")
	if s.cfg.JSON {
		r.Header.Set("Content-Type", "application/json")
	}
	if compress {
		r.Header.Set("Content-Encoding", "gzip")
	}
	r.Header.Set("User-Agent", s.cfg.UserAgent)
	// The nil value is not sent; it lets the transport repeat a request on a new connection when the server has closed an
	// idle one (net/http, Transport).
	r.Header["X-Idempotency-Key"] = nil
	answer, err := s.client.Do(r)
	if err != nil {
		if err = cause(err); ctx.Err() != nil {
			return err
		}
		return fmt.Errorf("posting to %s: %w", s.where(), err)
	}
	defer answer.Body.Close()
	return s.read(answer)
}

// where is the URL without its secrets.
func (s *Sink) where() string { return s.url.Scheme + "://" + s.url.Host }

// cause returns what made a request fail, without the URL that url.Error shows.
func cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return err
}

// bodyLimit is how much of an answer is read.
const bodyLimit = 256 << 10

// read reads the answer and says whether it means success.
func (s *Sink) read(answer *nethttp.Response) error {
	body, readErr := io.ReadAll(io.LimitReader(answer.Body, bodyLimit))
	if s.cfg.Echo != nil && len(body) > 0 {
		_, _ = s.cfg.Echo.Write(body) // an echo that nobody reads is no failure of the delivery
	}
	if answer.StatusCode/100 == 2 {
		return nil // it has taken the alert, even when its answer broke off (readErr)
	}
	text := fmt.Sprintf("posting to %s: the server answers %s", s.where(), answer.Status)
	if reason := s.reason(body); reason != "" {
		text += ": " + reason
	}
	if readErr != nil {
		text += " (the answer broke off)"
	}
	e := &statusError{text: text, code: answer.StatusCode}
	e.after, e.asked = retryAfter(answer.Header.Get("Retry-After"), time.Now())
	return e
}

// reason returns the first line of what the server says, if it is text, without what is secret.
func (s *Sink) reason(body []byte) string {
	const most = 200
	text := s.hide.Replace(strings.TrimSpace(strings.ToValidUTF8(string(body), "?")))
	text, _, _ = strings.Cut(text, "\n")
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text))
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// longestPause bounds what a server can ask for.
const longestPause = time.Hour

// retryAfter reads a Retry-After header: seconds, or a date (RFC 9110, section 10.2.3). One that asks for no pause asks for nothing: a
// server that always says so is not to be asked without pause.
func retryAfter(header string, now time.Time) (time.Duration, bool) {
	if header == "" {
		return 0, false
	}
	if n, err := strconv.ParseUint(strings.TrimSpace(header), 10, 31); err == nil {
		return min(time.Duration(n)*time.Second, longestPause), n > 0
	}
	at, err := nethttp.ParseTime(header)
	if err != nil || !at.After(now) {
		return 0, false
	}
	return min(at.Sub(now), longestPause), true
}

// Reopen reads the files of certificates anew. When that fails, the old ones stay in use.
func (s *Sink) Reopen(context.Context) error {
	client, err := newClient(s.cfg)
	if err != nil {
		return err
	}
	s.client.CloseIdleConnections()
	s.client, s.compress = client, s.cfg.Compress
	return nil
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.client.CloseIdleConnections()
	return nil
}

// newClient returns a client that follows no redirections.
func newClient(cfg Config) (*nethttp.Client, error) {
	config, err := tlsConfig(cfg)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{KeepAlive: -1}
	if cfg.KeepAlive {
		dialer.KeepAlive = time.Minute // curl's pause before and between probes
	}
	return &nethttp.Client{
		Transport: &nethttp.Transport{
			Proxy: proxy, DialContext: dialer.DialContext, TLSClientConfig: config, DisableCompression: true,
			MaxIdleConns: 1, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*nethttp.Request, []*nethttp.Request) error { return nethttp.ErrUseLastResponse },
	}, nil
}

// proxy returns the proxy that the environment names.
func proxy(r *nethttp.Request) (*url.URL, error) {
	u, err := nethttp.ProxyFromEnvironment(r)
	if err != nil {
		return nil, errors.New("the proxy that the environment names is not a URL (it is not shown, it may hold a password)")
	}
	return u, nil
}

// statusError is an answer that is not 2xx.
type statusError struct {
	text  string
	code  int
	after time.Duration
	asked bool // for a pause
}

// Error says what the server answers.
func (e *statusError) Error() string { return e.text }

// Permanent says that trying again is of no use.
func (e *statusError) Permanent() bool {
	switch e.code {
	case nethttp.StatusRequestTimeout, nethttp.StatusTooEarly, nethttp.StatusTooManyRequests:
		return false
	}
	return e.code < 500
}

// RetryAfter returns the pause that the server asks for.
func (e *statusError) RetryAfter() (time.Duration, bool) { return e.after, e.asked }

// timeoutError is a request that took too long.
type timeoutError struct {
	error
	again bool // at once
}

// RetryAfter asks for no pause while there were few timeouts.
func (e timeoutError) RetryAfter() (time.Duration, bool) { return 0, e.again }

// Unwrap returns the cause.
func (e timeoutError) Unwrap() error { return e.error }
