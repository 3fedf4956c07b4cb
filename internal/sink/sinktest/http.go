package sinktest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	nethttp "net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// update rewrites the golden files.
var update = flag.Bool("update", false, "rewrite the golden files")

// HTTP is a destination that alerts are posted to.
type HTTP struct {
	// Prefix is that of the destination's keys.
	Prefix string
	// Open makes a sink.
	Open func(setting.Values) (route.Sink, error)
	// Settings returns the values that a sink needs to post to the server at the URL, with a secret wherever there can be one.
	Settings func(url string) setting.Values
	// Secrets are those in the settings; no error may show them.
	Secrets []string
	// Variants are further settings, each with a golden file of this name; "" and what it has is the first.
	Variants map[string]setting.Values
	// Answer returns what the server answers with status 200; nil is an empty answer.
	Answer func(r *nethttp.Request, body []byte) string
	// Handle returns what answers in place of Answer, with any status. It is made anew for each server.
	Handle func() func(w nethttp.ResponseWriter, r *nethttp.Request, body []byte)
	// Plain returns a body without its encoding, for what is looked for in it; nil changes nothing.
	Plain func(body []byte) []byte
	// Limit says whether the destination would refuse a body for its size; nil takes all.
	Limit func(body []byte) error
	// Refused are the samples that the destination cannot take.
	Refused []string
	// Retried are statuses that stay permanent errors elsewhere, and here are for the operator to mend.
	Retried []int
	// AWS is the service that requests must carry a valid signature for, of SecretKey and in Region; "" wants none.
	AWS string
	// Blur replaces what differs from one run to the next in a body; nil replaces nothing.
	Blur func(body string) string
}

// Run runs the suite.
func (h HTTP) Run(t *testing.T) {
	t.Run("payload", h.payload)
	t.Run("status", h.status)
	t.Run("outage", h.outage)
	t.Run("timeout", h.timeout)
	t.Run("certificate", h.certificate)
	t.Run("size", h.size)
	t.Run("settings", h.settings)
	t.Run("batch", h.batch)
}

// server records requests. Its fault, when there is one, answers in its place.
type server struct {
	*httptest.Server
	aws      string // the service that requests are signed for
	errorf   func(string, ...any)
	mu       sync.Mutex
	fault    nethttp.HandlerFunc
	answer   func(*nethttp.Request, []byte) string
	handle   func(nethttp.ResponseWriter, *nethttp.Request, []byte)
	requests []recorded
}

type recorded struct {
	head string
	body []byte
}

func (s *server) ServeHTTP(w nethttp.ResponseWriter, r *nethttp.Request) {
	s.mu.Lock()
	fault := s.fault
	s.mu.Unlock()
	if fault != nil {
		fault(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	body = unzip(r, body)
	if s.aws != "" {
		if err := signature(r, body, s.aws); err != nil {
			s.errorf("%s %s: %v", r.Method, r.URL, err)
			w.WriteHeader(nethttp.StatusForbidden)
			return
		}
	}
	answer := ""
	if s.answer != nil {
		answer = s.answer(r, body)
	}
	s.mu.Lock()
	s.requests = append(s.requests, recorded{head(r), body})
	s.mu.Unlock()
	if s.handle != nil {
		s.handle(w, r, body)
		return
	}
	io.WriteString(w, answer)
}

// unzip returns the body of a request without its compression.
func unzip(r *nethttp.Request, body []byte) []byte {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return body
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return body
	}
	text, _ := io.ReadAll(z) // what cannot be read differs from what is wanted
	return text
}

// head returns the request's first line and its headers.
func head(r *nethttp.Request) string {
	var lines []string
	for name, values := range r.Header {
		if signed(r) && slices.Contains(checked, name) {
			continue
		}
		if name != "Content-Length" && name != "Accept-Encoding" && name != "User-Agent" {
			lines = append(lines, name+": "+strings.Join(values, ", "))
		}
	}
	slices.Sort(lines)
	return r.Method + " " + r.URL.RequestURI() + "\n" + strings.Join(lines, "\n") + "\n"
}

func (s *server) breakWith(f nethttp.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = f
}

// taken returns the requests since the last call.
func (s *server) taken() []recorded {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.requests
	s.requests = nil
	return out
}

func (h HTTP) serve(t *testing.T, tls bool) *server {
	s := &server{answer: h.Answer, aws: h.AWS, errorf: t.Errorf}
	if h.Handle != nil {
		s.handle = h.Handle()
	}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if tls {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

func (h HTTP) open(t *testing.T, url string, more ...setting.Values) route.Sink {
	t.Helper()
	values := h.Settings(url)
	for _, m := range more {
		for k, v := range m {
			values[k] = v
		}
	}
	s, err := h.Open(values)
	if err != nil {
		t.Fatal(err)
	}
	if c, ok := s.(route.Closer); ok {
		t.Cleanup(func() {
			if err := c.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	return s
}

func send(ctx context.Context, s route.Sink, a *alert.Alert) error {
	return s.Send(ctx, a, a.AppendText(nil, style()))
}

// payload compares what is sent of each sample with the golden files, and that sending changes no alert.
func (h HTTP) payload(t *testing.T) {
	variants := map[string]setting.Values{"": nil}
	for name, values := range h.Variants {
		variants[name] = values
	}
	for name, values := range variants {
		s := h.serve(t, false)
		sink := h.open(t, s.URL, values)
		var b strings.Builder
		for _, sample := range Samples() {
			fmt.Fprintf(&b, "== %s\n", sample.Name)
			a, again := sample.Alert(t), sample.Alert(t)
			err := send(t.Context(), sink, a)
			if slices.Contains(h.Refused, sample.Name) {
				if err == nil || !route.Permanent(err) {
					t.Errorf("%s: %v, want a permanent error", sample.Name, err)
				}
				fmt.Fprintf(&b, "refused: %v\n", strings.ReplaceAll(err.Error(), s.URL, "SERVER"))
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", sample.Name, err)
			}
			if !bytes.Equal(a.AppendSidekick(nil), again.AppendSidekick(nil)) {
				t.Errorf("%s: sending has changed the alert", sample.Name)
			}
			for _, r := range s.taken() {
				body := strings.ReplaceAll(string(r.body), s.URL, "SERVER")
				if h.Blur != nil {
					body = h.Blur(body)
				}
				if !strings.HasSuffix(body, "\n") {
					body += "\n(no line feed)\n"
				}
				fmt.Fprintf(&b, "%s\n%s", r.head, body)
			}
		}
		if name == "" {
			name = "payload"
		}
		golden(t, filepath.Join("testdata", name+".golden"), b.String())
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("%v (-update writes it)", err)
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		g, w := "(end)", "(end)"
		if i < len(gotLines) {
			g = gotLines[i]
		}
		if i < len(wantLines) {
			w = wantLines[i]
		}
		if g != w {
			t.Fatalf("%s:%d\ngot  %.2000s\nwant %.2000s", name, i+1, g, w)
		}
	}
}

// status gives all kinds of answers that are no success, with everything of the request in them.
func (h HTTP) status(t *testing.T) {
	s := h.serve(t, false)
	sink := h.open(t, s.URL)
	for _, c := range []struct {
		code       int
		retryAfter string
		permanent  bool
		pause      time.Duration // negative: none
	}{
		{302, "", true, -1},
		{400, "", true, -1},
		{401, "", false, -1},
		{403, "", true, -1},
		{404, "", true, -1},
		{413, "", true, -1},
		{422, "", true, -1},
		{408, "", false, -1},
		{429, "7", false, 7 * time.Second},
		{429, "", false, -1},
		{500, "", false, -1},
		{502, "", false, -1},
		{503, "3", false, 3 * time.Second},
		{504, "", false, -1},
	} {
		s.breakWith(func(w nethttp.ResponseWriter, r *nethttp.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("Location", "/elsewhere?"+r.URL.RawQuery)
			if c.retryAfter != "" {
				w.Header().Set("Retry-After", c.retryAfter)
			}
			w.WriteHeader(c.code)
			fmt.Fprintf(w, "no: %s %v %s", r.URL.RequestURI(), r.Header, body)
		})
		err := send(t.Context(), sink, Samples()[0].Alert(t))
		if err == nil {
			t.Errorf("%d: no error", c.code)
			continue
		}
		h.secret(t, err)
		if slices.Contains(h.Retried, c.code) {
			c.permanent = false
		}
		if route.Permanent(err) != c.permanent {
			t.Errorf("%d: permanent %v: %v", c.code, route.Permanent(err), err)
		}
		if !strings.Contains(err.Error(), fmt.Sprint(c.code)) {
			t.Errorf("%d: %v does not say so", c.code, err)
		}
		var asks interface {
			RetryAfter() (time.Duration, bool)
		}
		pause, ok := time.Duration(0), errors.As(err, &asks)
		if ok {
			pause, ok = asks.RetryAfter()
		}
		if !c.permanent && (ok != (c.pause >= 0) || ok && pause != c.pause) {
			t.Errorf("%d: pause %v, %v; want %v", c.code, pause, ok, c.pause)
		}
	}
	s.breakWith(nil)
	if err := send(t.Context(), sink, Samples()[0].Alert(t)); err != nil {
		t.Errorf("after the faults: %v", err)
	}
}

// secret fails when an error shows a secret.
func (h HTTP) secret(t *testing.T, err error) {
	t.Helper()
	for _, secret := range h.Secrets {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("the error shows %q: %v", secret, err)
		}
	}
}

// outage resets connections, closes the server, and gives up.
func (h HTTP) outage(t *testing.T) {
	s := h.serve(t, false)
	sink := h.open(t, s.URL)
	a := Samples()[0].Alert(t)
	reset := func(w nethttp.ResponseWriter, _ *nethttp.Request) {
		conn, _, err := w.(nethttp.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
	fails := func(what string) {
		t.Helper()
		err := send(t.Context(), sink, a)
		if err == nil || route.Permanent(err) {
			t.Errorf("%s: %v, want an error that is not permanent", what, err)
			return
		}
		h.secret(t, err)
	}
	s.breakWith(reset)
	fails("reset")
	s.breakWith(func(w nethttp.ResponseWriter, r *nethttp.Request) { // a status and no end
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(nethttp.StatusServiceUnavailable)
		io.WriteString(w, "half")
		w.(nethttp.Flusher).Flush()
		reset(w, r)
	})
	fails("reset within the answer")
	s.breakWith(nil)
	if err := send(t.Context(), sink, a); err != nil {
		t.Errorf("after a reset: %v", err)
	}
	s.CloseClientConnections()
	s.Close()
	fails("nobody listens")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := send(over, sink, a); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
}

// timeout lets the server hang before its answer, and within it.
func (h HTTP) timeout(t *testing.T) {
	s := h.serve(t, false)
	sink := h.open(t, s.URL, setting.Values{h.Prefix + ".timeout": "150ms"})
	a := Samples()[0].Alert(t)
	hold := make(chan struct{})
	t.Cleanup(sync.OnceFunc(func() { close(hold) }))
	s.breakWith(func(_ nethttp.ResponseWriter, r *nethttp.Request) {
		io.Copy(io.Discard, r.Body)
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	})
	err := send(t.Context(), sink, a)
	if err == nil || route.Permanent(err) || !strings.Contains(err.Error(), "no answer within 150ms") {
		t.Errorf("no answer: %v", err)
	} else {
		h.secret(t, err)
	}
	s.breakWith(func(w nethttp.ResponseWriter, r *nethttp.Request) { // a slow body
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(nethttp.StatusInternalServerError)
		io.WriteString(w, "beginning")
		w.(nethttp.Flusher).Flush()
		select {
		case <-hold:
		case <-r.Context().Done():
		}
	})
	if err = send(t.Context(), sink, a); err == nil || route.Permanent(err) {
		t.Errorf("slow answer: %v", err)
	}
}

// certificate meets a server whose certificate nobody has signed.
func (h HTTP) certificate(t *testing.T) {
	s := h.serve(t, true)
	a := Samples()[0].Alert(t)
	err := send(t.Context(), h.open(t, s.URL), a)
	if err == nil || route.Permanent(err) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("unknown certificate: %v", err)
	} else {
		h.secret(t, err)
	}
	if n := len(s.taken()); n > 0 {
		t.Errorf("%d requests were sent to a server that nobody trusts", n)
	}
	if err := send(t.Context(), h.open(t, s.URL, setting.Values{h.Prefix + ".checkcert": "false"}), a); err != nil {
		t.Errorf("without check: %v", err)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, certificatePEM(s.Certificate().Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := send(t.Context(), h.open(t, s.URL, setting.Values{"tlsclient.cacertfile": ca}), a); err != nil {
		t.Errorf("with the authority: %v", err)
	}
}

// size sends more than any destination wants.
func (h HTTP) size(t *testing.T) {
	s := h.serve(t, false)
	if err := send(t.Context(), h.open(t, s.URL), huge(t)); err != nil && !route.Permanent(err) {
		t.Errorf("a huge alert: %v", err)
	} else if h.Limit != nil && err != nil {
		t.Errorf("a huge alert is not cut: %v", err)
	}
	for _, r := range s.taken() {
		if h.Limit == nil {
			break
		}
		if err := h.Limit(r.body); err != nil {
			t.Error(err)
		}
	}
}

// settings leaves out each value, and gives an address that is none.
func (h HTTP) settings(t *testing.T) {
	for k, v := range h.Settings("ftp://user:s3cret-address@host") {
		if !strings.Contains(v, "ftp://") {
			continue
		}
		values := h.Settings("http://127.0.0.1")
		values[k] = v
		if _, err := h.Open(values); err == nil {
			t.Errorf("%s: %q is taken", k, v)
		} else if strings.Contains(err.Error(), "s3cret-address") {
			t.Errorf("the error shows the address: %v", err)
		}
	}
	if _, err := h.Open(setting.Values{}); err == nil {
		t.Error("a sink without settings")
	}
}

// Serve starts a server that answers with status 200 and what answer returns. It returns its URL.
func Serve(t *testing.T, answer func(r *nethttp.Request, body []byte) string) string {
	t.Helper()
	return HTTP{Answer: answer}.serve(t, false).URL
}

// ServeStatus starts a server that gives one answer. It returns its URL.
func ServeStatus(t *testing.T, code int, answer string) string {
	t.Helper()
	s := HTTP{}.serve(t, false)
	s.breakWith(func(w nethttp.ResponseWriter, _ *nethttp.Request) {
		w.WriteHeader(code)
		io.WriteString(w, answer)
	})
	return s.URL
}
