package httpsink_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/httpsink"
)

// TestTokens keeps a token until a minute before its end, and one that says nothing of its end for five minutes.
func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, life := 0, time.Hour
		tokens := httpsink.Tokens{Fetch: func(context.Context) (httpsink.Bearer, error) {
			n++
			b := httpsink.Bearer{Token: fmt.Sprint(n)}
			if life > 0 {
				b.Until = time.Now().Add(life)
			}
			return b, nil
		}}
		expect := func(refused, want string) {
			t.Helper()
			if got, err := tokens.Header(t.Context(), refused); got != want || err != nil {
				t.Errorf("got %s, %v; want %s", got, err, want)
			}
		}
		expect("", "Bearer 1")
		time.Sleep(58 * time.Minute)
		expect("", "Bearer 1")
		life = 0
		time.Sleep(time.Minute)
		expect("", "Bearer 2")
		time.Sleep(4 * time.Minute)
		expect("", "Bearer 2")
		time.Sleep(time.Minute)
		expect("", "Bearer 3")
		expect("Bearer 1", "Bearer 3")
		expect("Bearer 3", "Bearer 4")
	})
}

// TestToken sends a token with each request, once more with another one when it is refused, and never shows it.
func TestToken(t *testing.T) {
	var got []string
	code := http.StatusOK
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
		w.WriteHeader(code)
		fmt.Fprintf(w, "{\n \"error\": {\"code\": 403, \"message\": \"no, %s, %s\"}}", r.Header.Get("Authorization"), strings.Repeat("long ", 100))
	}))
	defer s.Close()
	var asked []string
	var failure error
	sender, err := httpsink.New(httpsink.Config{Name: "test", URL: s.URL, Token: func(_ context.Context, refused string) (string, error) {
		asked = append(asked, refused)
		return fmt.Sprintf("Bearer s3cret-%d", len(asked)), failure
	}})
	if err != nil {
		t.Fatal(err)
	}
	post := func(want string) error {
		t.Helper()
		got, asked = nil, nil
		_, err := sender.Do(t.Context(), httpsink.Request{Body: []byte("x")})
		if fmt.Sprint(got) != want || err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("sent %s, want %s; %v", got, want, err)
		}
		return err
	}
	if err := post("[Bearer s3cret-1]"); err != nil {
		t.Error(err)
	}
	code = http.StatusForbidden
	if err := post("[Bearer s3cret-1]"); !route.Permanent(err) || !strings.Contains(err.Error(), "403 Forbidden: no, ***, long long") {
		t.Error(err)
	}
	code = http.StatusUnauthorized
	if err := post("[Bearer s3cret-1 Bearer s3cret-2]"); err == nil || route.Permanent(err) || fmt.Sprint(asked) != "[ Bearer s3cret-1]" {
		t.Errorf("%v, %q", err, asked)
	}
	failure = errors.New("nobody there")
	if err := post("[]"); err == nil || route.Permanent(err) || !errors.Is(err, failure) || !strings.HasSuffix(err.Error(), ": getting a token: nobody there") {
		t.Error(err)
	}
}

// TestTransport goes through what the configuration says, or says why not.
func TestTransport(t *testing.T) {
	through := httpsink.Config{Name: "test", URL: "http://127.0.0.1:1/nothing", Transport: func(*http.Transport) (http.RoundTripper, error) {
		return http.NewFileTransport(http.Dir(t.TempDir())), nil
	}}
	s, err := httpsink.New(through)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Do(t.Context(), httpsink.Request{}); err == nil || !strings.Contains(err.Error(), "404 Not Found") {
		t.Error(err)
	}
	through.Transport = func(*http.Transport) (http.RoundTripper, error) { return nil, errors.New("no way") }
	if _, err := httpsink.New(through); err == nil || err.Error() != "test: no way" {
		t.Error(err)
	}
}
