package httpsink_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/httpsink"
)

func open(t *testing.T, cfg httpsink.Config) *httpsink.Sender {
	t.Helper()
	cfg.Name = "name"
	s, err := httpsink.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func serve(t *testing.T, f http.HandlerFunc) string {
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestRequest sends what the configuration and the request say; the configuration's headers go before.
func TestRequest(t *testing.T) {
	var got *http.Request
	var body string
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var in io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			in = z
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Error(err)
		}
		got, body = r, string(text)
		io.WriteString(w, "answer")
	})
	s := open(t, httpsink.Config{URL: u + "/a", User: "u", Password: "p", Header: map[string]string{"X-One": "1", "Host": "h.example", "x-two": "mine"}, Gzip: true})
	answer, err := s.Do(t.Context(), httpsink.Request{
		Method: http.MethodPut, URL: u + "/b?c", ContentType: "text/x", Header: map[string]string{"X-Two": "2", "X-Three": "3"}, Body: []byte("body"),
	})
	if err != nil || string(answer) != "answer" {
		t.Fatal(string(answer), err)
	}
	user, password, _ := got.BasicAuth()
	h := got.Header
	if got.Method != "PUT" || got.RequestURI != "/b?c" || got.Host != "h.example" || user+password != "up" || body != "body" || h.Get("Content-Type") != "text/x" ||
		h.Get("X-One") != "1" || h.Get("X-Two") != "mine" || h.Get("X-Three") != "3" || h.Get("User-Agent") != "Falcosidekick" || h.Get("X-Idempotency-Key") != "" {
		t.Errorf("%+v %q", got, body)
	}
	if _, err := s.Do(t.Context(), httpsink.Request{URL: "http://elsewhere/"}); !route.Permanent(err) || !strings.Contains(err.Error(), "another host") {
		t.Error(err)
	}
}

// TestSecrets echoes everything, in all forms that it may have in an answer.
func TestSecrets(t *testing.T) {
	const secret = `s3cret/"q&=ü`
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, strings.Join([]string{
			r.URL.String(), r.URL.Path, r.URL.Query().Get("key"), user, password, r.Header.Get("Authorization"), r.Header.Get("X-Key"),
			strings.TrimPrefix(r.Header.Get("X-Key"), "Token "), url.PathEscape(secret), url.QueryEscape(secret), `s3cret\/\"q&=ü`, secret, "fine",
		}, " "))
	})
	s := open(t, httpsink.Config{
		URL: u + "/hook/s3cretpath/x?key=" + url.QueryEscape(secret), User: "me", Password: secret, Header: map[string]string{"X-Key": "Token s3cret-other"}, Secrets: []string{secret},
	})
	_, err := s.Do(t.Context(), httpsink.Request{})
	if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.HasSuffix(err.Error(), " fine") || !strings.HasPrefix(err.Error(), "name: posting to "+u+": the server answers 400 Bad Request: ") {
		t.Error(err)
	}
	var e *httpsink.Error
	if !errors.As(err, &e) || e.Code != 400 || !e.Permanent() {
		t.Errorf("%+v", e)
	}
}

func TestErrors(t *testing.T) {
	s := open(t, httpsink.Config{URL: "http://host/s3cretpath", Secrets: []string{"abcd"}})
	if err := s.Refuse("abcd is bad"); !route.Permanent(err) || err.Error() != "name: posting to http://host: *** is bad" {
		t.Error(err)
	}
	err := s.Fail("try abcd\nlater\x00" + strings.Repeat("x", 500)).Pause(2 * time.Hour)
	if d, ok := err.RetryAfter(); route.Permanent(err) || d != time.Hour || !ok || err.Error() != "name: posting to http://host: try ***" {
		t.Error(err, d, ok)
	}
	if err := s.JSON(t.Context(), func() {}); !route.Permanent(err) {
		t.Errorf("a function in JSON: %v", err)
	}
	for _, bad := range []string{"", "host", "ftp://host", "http://", "http://ho st/s3cret", "://s3cret"} {
		if _, err := httpsink.New(httpsink.Config{Name: "name", URL: bad}); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestHeaders refuses for good what HTTP cannot carry.
func TestHeaders(t *testing.T) {
	s := open(t, httpsink.Config{URL: "http://host"})
	if _, err := s.Do(t.Context(), httpsink.Request{Header: map[string]string{"event-id": "a\r\nX-Evil: b"}}); !route.Permanent(err) || !strings.Contains(err.Error(), "header event-id") {
		t.Error(err)
	}
	for name, value := range map[string]string{"": "x", "a b": "s3cret", "X": "s3cret\n"} {
		if _, err := httpsink.New(httpsink.Config{Name: "name", URL: "http://host", Header: map[string]string{name: value}}); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// TestRedirect follows what keeps the method and the body and stays on the host, and nothing else.
func TestRedirect(t *testing.T) {
	var got []string
	var code int
	var location string
	u := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.URL.Path+" "+string(body)+" "+r.Header.Get("X-Key"))
		if r.URL.Path != "/there" {
			w.Header().Set("Location", location)
			w.WriteHeader(code)
		}
	})
	elsewhere := strings.Replace(u, "127.0.0.1", "localhost", 1)
	for _, c := range []struct {
		code           int
		location, want string
	}{
		{307, "/there", "POST /here body k; POST /there body k"},
		{308, u + "/there", "POST /here body k; POST /there body k"},
		{301, "/there", "POST /here body k, 301"},
		{302, "/there", "POST /here body k, 302"},
		{303, "/there", "POST /here body k, 303"},
		{308, elsewhere + "/there", "POST /here body k, 308"},
		{308, "", "POST /here body k, 308"},
	} {
		got, code, location = nil, c.code, c.location
		s := open(t, httpsink.Config{URL: u + "/here", Header: map[string]string{"X-Key": "k"}})
		_, err := s.Do(t.Context(), httpsink.Request{Body: []byte("body")})
		said := strings.Join(got, "; ")
		var e *httpsink.Error
		if errors.As(err, &e) {
			said += fmt.Sprintf(", %d", e.Code)
			if !e.Permanent() {
				t.Errorf("%d to %s: %v is not permanent", c.code, c.location, err)
			}
		}
		if said != c.want {
			t.Errorf("%d to %s: %s, want %s", c.code, c.location, said, c.want)
		}
	}
	got, code, location = nil, 308, "/here"
	if _, err := open(t, httpsink.Config{URL: u + "/here"}).Do(t.Context(), httpsink.Request{}); err == nil || len(got) > 10 {
		t.Errorf("in a circle: %v after %d requests", err, len(got))
	}
}

// TestDenied tells a 403 that is about the credentials from one that is about the alert.
func TestDenied(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	for _, denied := range []bool{false, true} {
		if _, err := open(t, httpsink.Config{URL: u, Denied: denied}).Do(t.Context(), httpsink.Request{}); err == nil || route.Permanent(err) == denied {
			t.Errorf("%t: %v", denied, err)
		}
	}
}

// TestPause reads all forms of Retry-After.
func TestPause(t *testing.T) {
	header := ""
	s := open(t, httpsink.Config{URL: serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", header)
		w.WriteHeader(http.StatusTooManyRequests)
	})})
	for in, want := range map[string]time.Duration{
		"": -1, "soon": -1, "-5": -1, "NaN": -1, "7": 7 * time.Second, "0.25": 250 * time.Millisecond, "9999999999999": time.Hour, "+Inf": time.Hour,
		"0": -1, "1e-12": -1, "Mon, 02 Jan 2006 15:04:05 GMT": -1,
	} {
		header = in
		_, err := s.Do(t.Context(), httpsink.Request{})
		var e *httpsink.Error
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		if d, ok := e.RetryAfter(); ok != (want >= 0) || ok && d != want {
			t.Errorf("%q: %v, %v", in, d, ok)
		}
	}
}

// TestContext tells a time limit from a caller that gives up.
func TestContext(t *testing.T) {
	u := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	s := open(t, httpsink.Config{URL: u, Options: httpsink.Options{Timeout: 50 * time.Millisecond}})
	if _, err := s.Do(t.Context(), httpsink.Request{}); !errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), "no answer within 50ms") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Do(ctx, httpsink.Request{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestJoin(t *testing.T) {
	for _, c := range [][3]string{{"http://h", "a", "http://h/a"}, {"http://h/", "/a", "http://h/a"}, {"http://h/b//", "a/", "http://h/b/a/"}} {
		if got := httpsink.Join(c[0], c[1]); got != c[2] {
			t.Errorf("%q and %q are %q", c[0], c[1], got)
		}
	}
}
