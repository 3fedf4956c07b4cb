package http_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/http"
	"github.com/saker-sec/saker/internal/sink/servertest"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

// server keeps what is posted to it.
type server struct {
	*httptest.Server
	answer func(w nethttp.ResponseWriter, r *nethttp.Request) bool // says whether it has answered instead

	mu     sync.Mutex
	bodies []string
	last   *nethttp.Request
}

func serve(t *testing.T, answer func(nethttp.ResponseWriter, *nethttp.Request) bool) *server {
	s := &server{answer: answer}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w nethttp.ResponseWriter, r *nethttp.Request) {
	if s.answer != nil && s.answer(w, r) {
		return
	}
	var body io.Reader = r.Body
	if r.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(r.Body)
		if err != nil {
			nethttp.Error(w, err.Error(), nethttp.StatusBadRequest)
			return
		}
		body = z
	}
	text, err := io.ReadAll(body)
	if err != nil {
		nethttp.Error(w, err.Error(), nethttp.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bodies = append(s.bodies, string(text))
	s.last = r
	io.WriteString(w, "taken\n")
}

func (s *server) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bodies
}

func open(t *testing.T, cfg http.Config) *http.Sink {
	t.Helper()
	s, err := http.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

func send(ctx context.Context, s *http.Sink, m string) error {
	return s.Send(ctx, sinktest.Alert(m), []byte(m))
}

func TestConformance(t *testing.T) {
	for name, c := range map[string]struct {
		compress bool
		fail     func(nethttp.ResponseWriter)
	}{
		"plain":      {false, func(w nethttp.ResponseWriter) { w.WriteHeader(nethttp.StatusServiceUnavailable) }},
		"compressed": {true, func(w nethttp.ResponseWriter) { w.WriteHeader(nethttp.StatusTooManyRequests) }},
		"hung up":    {false, func(nethttp.ResponseWriter) { panic(nethttp.ErrAbortHandler) }},
	} {
		t.Run(name, func(t *testing.T) {
			sinktest.Run(t, func(t *testing.T) sinktest.Target {
				broken := make(chan struct{}, 1)
				s := serve(t, func(w nethttp.ResponseWriter, _ *nethttp.Request) bool {
					if len(broken) == 0 {
						return false
					}
					c.fail(w)
					return true
				})
				return sinktest.Target{
					Sink: open(t, http.Config{URL: s.URL, Compress: c.compress, KeepAlive: true}), Lines: s.lines,
					Break: func() { broken <- struct{}{} }, Mend: func() { <-broken },
				}
			})
		})
	}
}

func TestRequest(t *testing.T) {
	for _, c := range []struct {
		cfg  http.Config
		path string
		want map[string]string
	}{
		{http.Config{UserAgent: "falcosecurity/falco"}, "/a?b=c", map[string]string{
			"Content-Type": "text/plain", "User-Agent": "falcosecurity/falco", "Content-Encoding": "", "X-Idempotency-Key": "", "Authorization": "",
		}},
		{http.Config{JSON: true, Compress: true, UserAgent: "me"}, "/", map[string]string{
			"Content-Type": "application/json", "User-Agent": "me", "Content-Encoding": "gzip",
		}},
	} {
		srv := serve(t, nil)
		var echo bytes.Buffer
		c.cfg.URL, c.cfg.Echo = `"`+srv.URL+c.path+`"`, &echo
		if err := send(t.Context(), open(t, c.cfg), "alert"); err != nil {
			t.Fatal(err)
		}
		for header, want := range c.want {
			if got := srv.last.Header.Get(header); got != want {
				t.Errorf("%s is %q, want %q", header, got, want)
			}
		}
		if got := srv.last.Method + " " + srv.last.RequestURI; got != "POST "+c.path {
			t.Errorf("the request is %s", got)
		}
		if echo.String() != "taken\n" || srv.lines()[0] != "alert" {
			t.Errorf("the answer is %q to %q", echo.String(), srv.lines()[0])
		}
	}
}

func TestUserInfoIsSent(t *testing.T) {
	srv := serve(t, nil)
	if err := send(t.Context(), open(t, http.Config{URL: strings.Replace(srv.URL, "://", "://user:p%40ss@", 1)}), "alert"); err != nil {
		t.Fatal(err)
	}
	if user, password, ok := srv.last.BasicAuth(); !ok || user != "user" || password != "p@ss" {
		t.Errorf("%q, %q, %v", user, password, ok)
	}
}

// TestConnectionIsReused posts many alerts, some of them refused, over one connection.
func TestConnectionIsReused(t *testing.T) {
	connections := map[string]bool{}
	n := 0
	srv := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) bool {
		connections[r.RemoteAddr] = true
		if n++; n%3 == 0 {
			nethttp.Error(w, "busy", nethttp.StatusServiceUnavailable)
		}
		return n%3 == 0
	})
	s := open(t, http.Config{URL: srv.URL})
	for range 30 {
		send(t.Context(), s, "alert")
	}
	if len(connections) != 1 {
		t.Errorf("%d connections", len(connections))
	}
}

func TestStatus(t *testing.T) {
	type advice interface {
		RetryAfter() (time.Duration, bool)
	}
	for _, c := range []struct {
		status     int
		retryAfter string
		body       string
		err        string
		permanent  bool
		pause      time.Duration // -1 is up to the caller
	}{
		{status: 200},
		{status: 202},
		{status: 301, err: "301 Moved Permanently", permanent: true, pause: -1},
		{status: 400, body: "no such\tfield\nmore", err: "400 Bad Request: no such field", permanent: true, pause: -1},
		{status: 401, body: "\xff\x00\x1b[31m", err: "401 Unauthorized: ?  [31m", permanent: true, pause: -1},
		{status: 404, body: "no /secret/path?token=x here", err: "404 Not Found: no *** here", permanent: true, pause: -1},
		{status: 408, err: "408 Request Timeout", pause: -1},
		{status: 429, retryAfter: "7", err: "429 Too Many Requests", pause: 7 * time.Second},
		{status: 429, retryAfter: "99999999", err: "429 Too Many Requests", pause: time.Hour},
		{status: 429, retryAfter: "soon", err: "429 Too Many Requests", pause: -1},
		{status: 500, body: strings.Repeat("x", 1000), err: "500 Internal Server Error: " + strings.Repeat("x", 200) + "…", pause: -1},
		{status: 503, retryAfter: "Mon, 02 Jan 2006 15:04:05 GMT", err: "503 Service Unavailable", pause: -1},
		{status: 503, retryAfter: "0", err: "503 Service Unavailable", pause: -1},
	} {
		srv := serve(t, func(w nethttp.ResponseWriter, _ *nethttp.Request) bool {
			if c.retryAfter != "" {
				w.Header().Set("Retry-After", c.retryAfter)
			}
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			io.WriteString(w, c.body)
			return true
		})
		err := send(t.Context(), open(t, http.Config{URL: srv.URL + "/secret/path?token=x"}), "alert")
		if c.err == "" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if want := "posting to " + srv.URL + ": the server answers " + c.err; err == nil || err.Error() != want {
			t.Errorf("%d:\ngot  %v\nwant %s", c.status, err, want)
			continue
		}
		if route.Permanent(err) != c.permanent {
			t.Errorf("%d: permanent %v", c.status, route.Permanent(err))
		}
		var a advice
		if !errors.As(err, &a) {
			t.Fatal(err)
		}
		if d, ok := a.RetryAfter(); ok != (c.pause >= 0) || ok && d != c.pause {
			t.Errorf("%d: pause %v, %v; want %v", c.status, d, ok, c.pause)
		}
	}
}

// TestTimeouts repeats at once after a few timeouts, and then not at once.
func TestTimeouts(t *testing.T) {
	hang := true
	hold := make(chan struct{})
	srv := serve(t, func(_ nethttp.ResponseWriter, r *nethttp.Request) bool {
		if hang {
			io.Copy(io.Discard, r.Body)
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		return hang
	})
	defer close(hold)
	s := open(t, http.Config{URL: srv.URL, Timeout: 30 * time.Millisecond, MaxTimeouts: 2})
	for i, want := range []bool{true, true, false, false} {
		err := send(t.Context(), s, "alert")
		var a interface {
			RetryAfter() (time.Duration, bool)
		}
		if !errors.As(err, &a) || !strings.Contains(err.Error(), "no answer within 30ms") {
			t.Fatal(err)
		}
		if _, now := a.RetryAfter(); now != want || route.Permanent(err) {
			t.Errorf("after timeout %d: again at once %v, want %v", i+1, now, want)
		}
	}
}

// TestGivesUp ends a request when the time for draining is over.
func TestGivesUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	srv := serve(t, func(_ nethttp.ResponseWriter, r *nethttp.Request) bool {
		cancel()
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		return true
	})
	if err := send(ctx, open(t, http.Config{URL: srv.URL}), "alert"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestServerWithoutGzip falls back to bodies that are not compressed, as Falco sends them.
func TestServerWithoutGzip(t *testing.T) {
	compressed := 0
	srv := serve(t, func(w nethttp.ResponseWriter, r *nethttp.Request) bool {
		if r.Header.Get("Content-Encoding") == "" {
			return false
		}
		compressed++
		nethttp.Error(w, "invalid character '\\x1f' looking for beginning of value", nethttp.StatusBadRequest)
		return true
	})
	s := open(t, http.Config{URL: srv.URL, Compress: true})
	for i := range 3 {
		if err := send(t.Context(), s, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(srv.lines(), " "); got != "0 1 2" || compressed != 1 {
		t.Errorf("got %s and %d compressed requests", got, compressed)
	}
	// What is refused in either form is refused, and says nothing of gzip.
	all := serve(t, func(w nethttp.ResponseWriter, _ *nethttp.Request) bool {
		w.WriteHeader(nethttp.StatusBadRequest)
		return true
	})
	if err := send(t.Context(), open(t, http.Config{URL: all.URL, Compress: true}), "x"); !route.Permanent(err) {
		t.Error(err)
	}
}

func TestURL(t *testing.T) {
	const secret = "s3cret"
	for _, u := range []string{
		"", "''", "http://", "ftp://user:s3cret@host/", "http://user:s3cret/@host", "http://user:s3cret@ho st/", "http://user:%s3cret@host", "://",
		"http://host:s3cret/", "http://\x7fs3cret/",
	} {
		_, err := http.New(http.Config{URL: u})
		if err == nil || strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", u, err)
		}
	}
	addr := servertest.Free(t)
	err := send(t.Context(), open(t, http.Config{URL: "http://user:s3cret@" + addr + "/s3cret?key=s3cret"}), "alert")
	if err == nil || strings.Contains(err.Error(), secret) || !strings.HasPrefix(err.Error(), "posting to http://"+addr+": dial tcp") {
		t.Errorf("nobody listens: %v", err)
	}
	srv := serve(t, nil)
	if err := send(t.Context(), open(t, http.Config{URL: strings.TrimPrefix(srv.URL, "http://")}), "alert"); err != nil {
		t.Errorf("without a scheme: %v", err)
	}
}
