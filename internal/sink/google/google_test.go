package google_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/google"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

// nowhere is an environment without credentials and without a metadata server.
func nowhere(t *testing.T) {
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
	t.Setenv("CLOUDSDK_CONFIG", t.TempDir())
	t.Setenv("GCE_METADATA_HOST", "127.0.0.1:1")
}

// service is a destination that takes the given tokens, and notes what it is shown.
type service struct {
	takes string
	shown []string
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.shown = append(s.shown, strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if s.takes != "" && s.shown[len(s.shown)-1] != s.takes {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, "not with %s", r.Header.Get("Authorization"))
	}
}

func serve(t *testing.T, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func access(t *testing.T, cfg google.Config, url string) *httpsink.Sender {
	t.Helper()
	s, err := cfg.Sender("test", url, "scope")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func identity(t *testing.T, cfg google.Config, url string) *httpsink.Sender {
	t.Helper()
	s, err := cfg.Caller(httpsink.Config{Name: "test", URL: url}, "audience")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func post(t *testing.T, s *httpsink.Sender) error {
	_, err := s.Do(t.Context(), httpsink.Request{Body: []byte("x")})
	return err
}

// TestPlaces finds credentials in each place, in their order.
func TestPlaces(t *testing.T) {
	nowhere(t)
	g := sinktest.ServeGoogle(t)
	metadata := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const path = "/computeMetadata/v1/instance/service-accounts/default/"
		switch {
		case r.Header.Get("Metadata-Flavor") != "Google":
			w.WriteHeader(http.StatusForbidden)
		case r.URL.RequestURI() == path+"token?scopes=scope":
			fmt.Fprint(w, `{"access_token":"of the machine","expires_in":3599,"token_type":"Bearer"}`)
		case r.URL.RequestURI() == path+"identity?format=full&audience=audience":
			fmt.Fprintln(w, sinktest.IdentityToken)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	file := filepath.Join(t.TempDir(), "key.json")
	if err := os.WriteFile(file, []byte(g.JSON), 0o600); err != nil {
		t.Fatal(err)
	}
	gcloud := t.TempDir()
	if err := os.WriteFile(filepath.Join(gcloud, "application_default_credentials.json"), []byte(g.JSON), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name        string
		env         map[string]string
		cfg         google.Config
		token, kind string
	}{
		{"given", nil, google.Config{Global: g.Credentials}, sinktest.AccessToken, "access"},
		{"given as JSON", nil, google.Config{Global: g.JSON}, sinktest.AccessToken, "access"},
		{"own", nil, google.Config{Own: g.Credentials, Global: "not looked at"}, sinktest.AccessToken, "access"},
		{"file", map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file}, google.Config{}, sinktest.AccessToken, "access"},
		{"gcloud", map[string]string{"CLOUDSDK_CONFIG": gcloud}, google.Config{}, sinktest.AccessToken, "access"},
		{"metadata", nil, google.Config{}, "of the machine", "access"},
		{"workload", map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file}, google.Config{Global: g.Credentials, Workload: true}, "of the machine", "access"},
		{"identity given", nil, google.Config{Global: g.Credentials}, sinktest.IdentityToken, "identity"},
		{"identity metadata", nil, google.Config{}, sinktest.IdentityToken, "identity"},
	} {
		t.Run(c.name, func(t *testing.T) {
			nowhere(t)
			t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(metadata, "http://"))
			for k, v := range c.env {
				t.Setenv(k, v)
			}
			to := &service{takes: c.token}
			url := serve(t, to)
			s := access(t, c.cfg, url)
			if c.kind == "identity" {
				s = identity(t, c.cfg, url)
			}
			for range 2 {
				if err := post(t, s); err != nil {
					t.Error(err)
				}
			}
			if len(to.shown) != 2 {
				t.Errorf("%d requests", len(to.shown))
			}
		})
	}
}

// TestImpersonation makes identity tokens by way of a service account that is impersonated, from a person's and from a
// cluster's credentials.
func TestImpersonation(t *testing.T) {
	nowhere(t)
	subject := filepath.Join(t.TempDir(), "subject")
	if err := os.WriteFile(subject, []byte("token of the cluster"), 0o600); err != nil {
		t.Fatal(err)
	}
	var asked []string
	url := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/token": // of a person
			fmt.Fprint(w, `{"access_token":"source","expires_in":3600,"token_type":"Bearer"}`)
		case "/sts":
			if r.PostFormValue("subject_token") != "token of the cluster" {
				w.WriteHeader(http.StatusBadRequest)
			}
			fmt.Fprint(w, `{"access_token":"source","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","expires_in":3600,"token_type":"Bearer"}`)
		default:
			var ask struct {
				Audience     string
				IncludeEmail bool
			}
			if err := json.NewDecoder(r.Body).Decode(&ask); err != nil || r.Header.Get("Authorization") != "Bearer source" || ask.Audience != "audience" || !ask.IncludeEmail {
				t.Errorf("%v: %v, %+v", err, r.Header, ask)
			}
			asked = append(asked, r.URL.Path)
			fmt.Fprintf(w, `{"token":%q}`, sinktest.IdentityToken)
		}
	}))
	sts := fmt.Sprintf(`{"type":"external_account","audience":"//iam.googleapis.com/x","subject_token_type":"urn:ietf:params:oauth:token-type:jwt","token_url":"%s/sts",
		"service_account_impersonation_url":"%[1]s/v1/sa:generateAccessToken","credential_source":{"file":%q}}`, url, subject)
	to := &service{takes: sinktest.IdentityToken}
	target := serve(t, to)
	if err := post(t, identity(t, google.Config{Global: sts}, target)); err != nil {
		t.Errorf("of a cluster: %v", err)
	}
	if fmt.Sprint(asked) != "[/v1/sa:generateIdToken]" {
		t.Errorf("asked for %v", asked)
	}
	person := google.Config{Global: `{"type":"authorized_user","client_id":"c","client_secret":"s","refresh_token":"r"}`}
	if err := post(t, identity(t, person, target)); err == nil || route.Permanent(err) || !strings.Contains(err.Error(), "use those of a service account") {
		t.Errorf("of a person: %v", err)
	}
}

// TestRefused gets another token when one is refused before its time, once.
func TestRefused(t *testing.T) {
	nowhere(t)
	n := 0
	t.Setenv("GCE_METADATA_HOST", strings.TrimPrefix(serve(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n++
		fmt.Fprintf(w, `{"access_token":"s3cret-%d","expires_in":3599}`, n)
	})), "http://"))
	to := &service{takes: "s3cret-2"}
	s := access(t, google.Config{}, serve(t, to))
	for range 2 {
		if err := post(t, s); err != nil {
			t.Error(err)
		}
	}
	if got := fmt.Sprint(to.shown); got != "[s3cret-1 s3cret-2 s3cret-2]" {
		t.Errorf("shown %s", got)
	}
	to.takes = "none"
	err := post(t, s)
	if err == nil || route.Permanent(err) || !strings.Contains(err.Error(), "401") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%v", err)
	}
	if len(to.shown) != 5 {
		t.Errorf("%d requests, want two more", len(to.shown))
	}
}

// TestNoToken meets token servers that give none: the alert can be sent again, at the time that the server asks for.
func TestNoToken(t *testing.T) {
	nowhere(t)
	g := sinktest.ServeGoogle(t)
	to := &service{}
	url := serve(t, to)
	s := access(t, google.Config{Global: g.Credentials}, url)
	fails := func(what string, s *httpsink.Sender, want string) error {
		t.Helper()
		err := post(t, s)
		if err == nil || route.Permanent(err) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), g.Key) {
			t.Errorf("%s: %v", what, err)
		}
		return err
	}
	g.Fail(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintf(w, `{"error":"busy","error_description":"later\nor never"}`)
	})
	var asks interface {
		RetryAfter() (time.Duration, bool)
	}
	err := fails("busy", s, "test: posting to "+url+": getting a token: the token server answers 503 Service Unavailable: busy: later")
	if !errors.As(err, &asks) {
		t.Fatal("no pause")
	}
	if d, ok := asks.RetryAfter(); !ok || d != 7*time.Second {
		t.Errorf("pause %v, %v", d, ok)
	}
	g.Fail(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	fails("forbidden", s, "403")
	hold := make(chan struct{})
	defer close(hold)
	g.Fail(func(http.ResponseWriter, *http.Request) { <-hold })
	hurried := google.Config{Global: g.Credentials}
	hurried.HTTP.Timeout = 100 * time.Millisecond
	fails("hangs", access(t, hurried, url), "no answer within 100ms")
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Do(over, httpsink.Request{}); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	fails("nothing", access(t, google.Config{}, url), "neither gcp.credentials")
	if len(to.shown) > 0 {
		t.Errorf("%d requests without a token", len(to.shown))
	}
	g.Fail(nil)
	if err := post(t, s); err != nil {
		t.Errorf("after the faults: %v", err)
	}
}

// TestConfig refuses what are no credentials, without showing them.
func TestConfig(t *testing.T) {
	b := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for text, want := range map[string]string{
		"s3cret!":   "not base64",
		b("s3cret"): "not JSON",
		b(`{"type":"s3","private_key":"s3cret"}`):              `type "s3"`,
		b(`{"type":"service_account","private_key":"s3cret"}`): "no private key",
	} {
		_, err := (google.Config{Global: text}).Sender("test", "http://127.0.0.1", "scope")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
