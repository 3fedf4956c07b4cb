// Package httpsink posts to a server over HTTP, for all destinations that are one. A sink makes a Sender, and gives it what to
// send; certificates, credentials, time limits, compression, what an answer means, and errors without secrets are here.
//
// Status 2xx is success. 401, 407, 408, 425, 429, 5xx and everything that goes wrong on the way may be tried again, after the pause that
// a Retry-After header asks for. Anything else is a permanent error with a short excerpt of the answer, in which all that is
// secret (the URL's user, path and query, the values of headers, and what the sink names) is replaced. A redirection is followed
// when it keeps the method and the body (307, 308) and stays on the host, as one from http to https; others would turn a POST into a GET.
//
// It differs from Falcosidekick in that a request has a time limit, a mutual TLS certificate is read anew for each
// connection, and no error shows a URL beyond its host (reference: sidekick.md §2).
package httpsink

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// JSONType is the content type that Falcosidekick sends unless a destination wants another.
const JSONType = "application/json; charset=utf-8"

// UserAgent is the name that requests carry, which is Falcosidekick's: servers may filter by it.
const UserAgent = "Falcosidekick"

// Config says whom to send to.
type Config struct {
	Name     string            // of the destination, in errors
	URL      string            // with all secrets that belong to it
	Options  Options           // TLS and time limit
	User     string            // of basic authentication, used when both are set
	Password string            // of basic authentication
	Header   map[string]string // sent with each request, in place of what else is sent under these names
	Secrets  []string          // what else must not be in an error: a key that is in bodies
	Gzip     bool              // compress bodies
	Denied   bool              // the server says with status 403, where others say 401, that it does not take the credentials
	Absent   bool              // status 404 says of the address, not of what is sent, that it is not there yet
	// Token returns the Authorization header of a request, for credentials that change. It gets the header that the server has
	// just refused with status 401, or "", and is to return another one then. Its errors are never permanent: they say nothing
	// of the alert. Nil is none.
	Token func(ctx context.Context, refused string) (string, error)
	// Transport returns what requests go through, which may be the transport that it gets, changed; nil changes nothing.
	Transport func(*http.Transport) (http.RoundTripper, error)
}

// Sender sends requests. It may be used by several goroutines at once.
type Sender struct {
	cfg    Config
	url    *url.URL
	client *http.Client
	hide   *strings.Replacer
}

// Request is one request.
type Request struct {
	Method      string            // "" is POST
	URL         string            // "" is that of the configuration; it must be on the same host
	ContentType string            // "" is JSONType
	Header      map[string]string // beside that of the configuration, which goes before
	Body        []byte
	Gzip        bool // compress the body, also when the configuration does not say so
}

// New returns a sender. It fails when the URL is none or a file of certificates cannot be used.
func New(cfg Config) (*Sender, error) {
	u, err := parse(cfg.Name, cfg.URL)
	if err != nil {
		return nil, err
	}
	for name, value := range cfg.Header {
		if !sendable(name, value) {
			return nil, fmt.Errorf("%s: the header %q cannot be sent: its name must be of letters, digits and dashes, its value one line", cfg.Name, name)
		}
	}
	if cfg.Options.Timeout <= 0 {
		cfg.Options.Timeout = DefaultTimeout
	}
	config, err := cfg.Options.TLS()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Name, err)
	}
	var through http.RoundTripper = transport(config)
	if cfg.Transport != nil {
		if through, err = cfg.Transport(transport(config)); err != nil {
			return nil, fmt.Errorf("%s: %w", cfg.Name, err)
		}
	}
	return &Sender{cfg: cfg, url: u, hide: cfg.secrets(u), client: &http.Client{
		Transport: through, CheckRedirect: redirect,
	}}, nil
}

// mostRedirections is how many redirections of one request are followed.
const mostRedirections = 5

// redirect says whether to follow a redirection. What is sent, credentials included, is for the host of the configuration only, and is not
// sent in clear text when it was to be encrypted.
func redirect(r *http.Request, via []*http.Request) error {
	code, from := r.Response.StatusCode, via[0].URL
	keeps := code == http.StatusTemporaryRedirect || code == http.StatusPermanentRedirect
	if !keeps || len(via) > mostRedirections || r.URL.Hostname() != from.Hostname() || r.URL.Scheme != "https" && r.URL.Scheme != from.Scheme {
		return http.ErrUseLastResponse
	}
	return nil
}

func transport(config *tls.Config) *http.Transport {
	return &http.Transport{
		Proxy: proxy, DialContext: (&net.Dialer{}).DialContext, TLSClientConfig: config, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 16,
		IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 64 << 10,
	}
}

// parse parses a URL. The error does not show it.
func parse(name, text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%s: the address is not a URL that begins with http:// or https:// and a host (it is not shown, it may hold a secret)", name)
	}
	return u, nil
}

// Join returns a URL with a path added, without a double slash between them.
func Join(base, path string) string {
	return strings.TrimRight(base, "/") + "/" + strings.TrimLeft(path, "/")
}

// secrets returns what replaces all that is secret.
func (cfg Config) secrets(u *url.URL) *strings.Replacer {
	h := hidden{}
	if u.User != nil {
		password, _ := u.User.Password()
		h.add(u.User.String(), password, u.User.Username())
	}
	h.add(u.RequestURI(), u.RawQuery)
	if u.Path != "/" {
		h.add(u.Path)
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		if len(part) >= 8 {
			h.add(part)
		}
	}
	for _, values := range u.Query() {
		h.add(values...)
	}
	for _, v := range cfg.Header {
		h.add(v)
		if _, token, ok := strings.Cut(v, " "); ok {
			h.add(token)
		}
	}
	if cfg.basic() {
		h.add(cfg.Password, base64.StdEncoding.EncodeToString([]byte(cfg.User+":"+cfg.Password)))
	}
	h.add(cfg.Secrets...)
	return h.replacer()
}

func (cfg Config) basic() bool { return cfg.User != "" && cfg.Password != "" }

// JSON posts a value as JSON, as Go's encoder writes it.
func (s *Sender) JSON(ctx context.Context, v any) error {
	body, err := Encode(v)
	if err != nil {
		return s.Refuse(err.Error())
	}
	_, err = s.Do(ctx, Request{Body: body})
	return err
}

// Encode returns the JSON of a value with a line feed, as Go's encoder writes it. It fails for values that JSON does not have.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		return nil, fmt.Errorf("encoding what to send: %w", err)
	}
	return b.Bytes(), nil
}

// Event returns what Falcosidekick posts to destinations that take alerts as they are: its JSON and a line feed.
func Event(a *alert.Alert) []byte { return append(a.AppendSidekick(nil), '\n') }

// answerLimit is how much of an answer is read.
const answerLimit = 4 << 20

// Do makes one request and returns what the server answers. Errors are of type *Error, or those of a context that is done.
func (s *Sender) Do(ctx context.Context, r Request) ([]byte, error) {
	limited, cancel := context.WithTimeout(ctx, s.cfg.Options.Timeout)
	defer cancel()
	token, err := s.token(limited, "")
	if err == nil {
		var body []byte
		if body, err = s.do(limited, r, token); !refused(err) || s.cfg.Token == nil {
			return body, s.expired(ctx, limited, err)
		}
		if token, err = s.token(limited, token); err == nil {
			body, err = s.do(limited, r, token)
			return body, s.expired(ctx, limited, err)
		}
	}
	return nil, s.expired(ctx, limited, err)
}

// token returns the Authorization header of the next request; "" is that of the configuration.
func (s *Sender) token(ctx context.Context, refused string) (string, error) {
	if s.cfg.Token == nil {
		return "", nil
	}
	token, err := s.cfg.Token(ctx, refused)
	if err != nil {
		e := s.errorf(err, "getting a token: %v", err)
		var asks interface {
			RetryAfter() (time.Duration, bool)
		}
		if errors.As(err, &asks) {
			e.after, e.asked = asks.RetryAfter()
		}
		return "", e
	}
	return token, nil
}

// refused says whether a server does not take the credentials, which another token may change.
func refused(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == http.StatusUnauthorized
}

// expired returns what there is to say of an error when the time was over.
func (s *Sender) expired(ctx, limited context.Context, err error) error {
	var e *Error
	switch {
	case err == nil || errors.As(err, &e) && e.Code != 0:
		return err // the server has answered
	case ctx.Err() != nil:
		return fmt.Errorf("%s: posting to %s: %w", s.cfg.Name, s.where(), ctx.Err())
	case limited.Err() != nil:
		return s.errorf(limited.Err(), "no answer within %v", s.cfg.Options.Timeout)
	}
	return err
}

// do makes one request with a token.
func (s *Sender) do(ctx context.Context, r Request, token string) ([]byte, error) {
	request, err := s.request(ctx, r)
	if err != nil {
		return nil, err
	}
	if token != "" {
		request.Header.Set("Authorization", token)
	}
	answer, err := s.client.Do(request)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the URL
		}
		return nil, s.errorf(err, "%v", err)
	}
	defer answer.Body.Close()
	body, readErr := io.ReadAll(io.LimitReader(answer.Body, answerLimit))
	if answer.StatusCode/100 == 2 {
		return body, nil // it has taken the alert, even when its answer broke off
	}
	text := "the server answers " + answer.Status
	if reason := Excerpt(hideSent(answer, s.hide.Replace(string(body)))); reason != "" {
		text += ": " + reason
	}
	if readErr != nil {
		text += " (the answer broke off)"
	}
	e := s.errorf(nil, "%s", text)
	e.Code, e.Body, e.permanent = answer.StatusCode, body, s.permanent(answer.StatusCode)
	e.after, e.asked = retryAfter(answer.Header.Get("Retry-After"), time.Now())
	return nil, e
}

// hideSent hides the credentials that a request carried, as far as nothing else has hidden them: those of a token, or those that
// the transport has added.
func hideSent(answer *http.Response, text string) string {
	h := hidden{}
	for _, v := range answer.Request.Header.Values("Authorization") {
		h.add(v)
		if _, token, ok := strings.Cut(v, " "); ok {
			h.add(token)
		}
	}
	return h.replacer().Replace(text)
}

// request makes the request. The transport may read the body even after Do has returned, so it must stay as it is.
func (s *Sender) request(ctx context.Context, r Request) (*http.Request, error) {
	if r.Method == "" {
		r.Method = http.MethodPost
	}
	where := s.url
	if r.URL != "" {
		u, err := parse(s.cfg.Name, r.URL)
		if err != nil {
			return nil, err
		}
		if u.Host != s.url.Host {
			return nil, s.Refuse("a request for another host")
		}
		where = u
	}
	compress := (s.cfg.Gzip || r.Gzip) && len(r.Body) > 0
	if compress {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(r.Body) // a bytes.Buffer does not fail
		_ = z.Close()
		r.Body = b.Bytes()
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, where.String(), bytes.NewReader(r.Body))
	if err != nil {
		return nil, s.Refuse("the address or the method cannot be used")
	}
	h := request.Header
	if r.ContentType == "" {
		r.ContentType = JSONType
	}
	h.Set("Content-Type", r.ContentType)
	h.Set("User-Agent", UserAgent)
	if compress {
		h.Set("Content-Encoding", "gzip")
	}
	// The nil value is not sent; it lets the transport repeat a request on a new connection when the server has closed an
	// idle one (net/http, Transport).
	h["X-Idempotency-Key"] = nil
	if s.cfg.basic() {
		request.SetBasicAuth(s.cfg.User, s.cfg.Password)
	}
	for _, more := range []map[string]string{r.Header, s.cfg.Header} {
		for name, value := range more {
			if !sendable(name, value) {
				return nil, s.Refuse("the header " + name + " cannot be sent: its value must be one line")
			}
			if h.Set(name, value); strings.EqualFold(name, "Host") {
				request.Host = value
			}
		}
	}
	return request, nil
}

// sendable says whether a header has a name and a value that HTTP takes (RFC 9110, section 5).
func sendable(name, value string) bool {
	token := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-.^_`|~", r)
	}
	control := func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }
	return name != "" && strings.TrimFunc(name, token) == "" && !strings.ContainsFunc(value, control)
}

// where is the URL without its secrets.
func (s *Sender) where() string { return s.url.Scheme + "://" + s.url.Host }

// Close closes the connections that nobody uses.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// proxy returns the proxy that the environment names.
func proxy(r *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(r)
	if err != nil {
		return nil, errors.New("the proxy that the environment names is not a URL (it is not shown, it may hold a password)")
	}
	return u, nil
}
