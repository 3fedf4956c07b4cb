// Package google proves who we are to the services of Google Cloud, for the sinks that post to them: it binds the keys of
// Falcosidekick's configuration, finds the credentials, and gets tokens.
//
// Credentials are looked for where Google's own programs look, in this order: gcp.credentials; the file that
// GOOGLE_APPLICATION_CREDENTIALS names; the one that gcloud keeps; the metadata server of the machine or of the pod (workload
// identity of GKE, Cloud Run). Files and the metadata server are asked anew for every token, so that what is rotated or comes
// late is found. A token that cannot be had is never a permanent error: it says nothing of an alert.
package google

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/oauth2"
	oauth "golang.org/x/oauth2/google"

	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// CloudPlatform is the scope of all of Google Cloud; what is allowed in it is for IAM to say.
const CloudPlatform = "https://www.googleapis.com/auth/cloud-platform"

// Config are the keys that all destinations of Google Cloud have.
type Config struct {
	Own      string           // credentials: in place of Global
	Global   string           // gcp.credentials: base64 of a service account's JSON
	Workload bool             // gcp.workloadidentity: ask the metadata server, whatever else there is
	HTTP     httpsink.Options // checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys, and one of ours: credentials.
func (c *Config) Settings() setting.List {
	return append(c.HTTP.Settings(),
		setting.Text("credentials", &c.Own, "", "credentials in place of gcp.credentials").Secret(),
		setting.Text("gcp.credentials", &c.Global, "", "base64 of a service account's JSON; without it, what the environment, gcloud or the metadata server have").Secret().Global(),
		setting.Bool("gcp.workloadidentity", &c.Workload, false, "be who the machine or pod is, whatever other credentials there are").Global(),
	)
}

// Sender returns a sender of requests with an access token for the scope.
func (c Config) Sender(name, endpoint, scope string) (*httpsink.Sender, error) {
	return c.sender(httpsink.Config{Name: name, URL: endpoint}, func(ctx context.Context, p *proof) (httpsink.Bearer, error) { return p.access(ctx, scope) })
}

// Caller returns a sender of requests with an identity token for the audience, which is how services on Cloud Run know whom
// they let in. Credentials of a person cannot make one.
func (c Config) Caller(cfg httpsink.Config, audience string) (*httpsink.Sender, error) {
	return c.sender(cfg, func(ctx context.Context, p *proof) (httpsink.Bearer, error) { return p.identity(ctx, audience) })
}

func (c Config) sender(cfg httpsink.Config, fetch func(context.Context, *proof) (httpsink.Bearer, error)) (*httpsink.Sender, error) {
	p, err := c.proof()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Name, err)
	}
	tokens := httpsink.Tokens{Fetch: func(ctx context.Context) (httpsink.Bearer, error) { return fetch(ctx, p) }}
	cfg.Options, cfg.Token = c.HTTP, tokens.Header
	cfg.Denied, cfg.Absent = true, true // 403 is what IAM answers, and some quotas; 404 is a topic, bucket or function that is to be made
	return httpsink.New(cfg)
}

// proof gets tokens.
type proof struct {
	given    []byte           // credentials; nil is what the environment has
	workload bool             // nothing but the metadata server is asked
	client   *http.Client     // for token servers
	metadata *httpsink.Sender // metadata server
	host     string           // its address
}

func (c Config) proof() (*proof, error) {
	p := &proof{workload: c.Workload}
	text := c.Own
	if text == "" {
		text = c.Global
	}
	var err error
	if text != "" && !c.Workload {
		if p.given, err = decode(text); err != nil {
			return nil, err
		}
	}
	if p.client, err = c.HTTP.Client(); err != nil {
		return nil, err
	}
	host := os.Getenv("GCE_METADATA_HOST")
	if host == "" {
		host = "metadata.google.internal"
	}
	p.host = "http://" + host
	p.metadata, err = httpsink.New(httpsink.Config{
		Name: "the metadata server", URL: p.host, Options: httpsink.Options{Timeout: c.HTTP.Timeout},
		Transport: func(t *http.Transport) (http.RoundTripper, error) {
			t.Proxy = nil // it is on this machine
			return t, nil
		},
	})
	return p, err
}

// decode returns the JSON of credentials, which may stand as it is, too.
func decode(text string) ([]byte, error) {
	body := []byte(strings.TrimSpace(text))
	if !bytes.HasPrefix(body, []byte("{")) {
		var err error
		if body, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err != nil {
			return nil, errors.New("the credentials of Google are not base64 (they are not shown)")
		}
	}
	_, err := parse(body)
	return body, err
}

// file is what we need to know of credentials; the rest is the library's.
type file struct {
	Type        oauth.CredentialsType `json:"type"`
	PrivateKey  string                `json:"private_key"`
	Impersonate string                `json:"service_account_impersonation_url"`
	Source      json.RawMessage       `json:"source_credentials"`
}

func parse(body []byte) (file, error) {
	var f file
	if json.Unmarshal(body, &f) != nil {
		return f, errors.New("the credentials of Google are not JSON (they are not shown)")
	}
	switch f.Type {
	case oauth.ServiceAccount:
		if block, _ := pem.Decode([]byte(f.PrivateKey)); block == nil {
			return f, errors.New("the credentials of Google hold no private key in PEM form (they are not shown)")
		}
	case oauth.AuthorizedUser, oauth.ExternalAccount, oauth.ExternalAccountAuthorizedUser, oauth.ImpersonatedServiceAccount:
	default:
		return f, fmt.Errorf("the credentials of Google have the type %.40q, it must be service_account, external_account, impersonated_service_account or authorized_user", f.Type)
	}
	return f, nil
}

// find returns the credentials, or nil for those of the metadata server.
func (p *proof) find() ([]byte, error) {
	if p.given != nil || p.workload {
		return p.given, nil
	}
	if name := os.Getenv("GOOGLE_APPLICATION_CREDENTIALS"); name != "" {
		body, err := os.ReadFile(filepath.Clean(name))
		if err != nil {
			return nil, fmt.Errorf("reading the file that GOOGLE_APPLICATION_CREDENTIALS names: %w", err)
		}
		return body, nil
	}
	dir := os.Getenv("CLOUDSDK_CONFIG")
	if dir == "" {
		dir = filepath.Join(os.Getenv("HOME"), ".config", "gcloud")
	}
	body, err := os.ReadFile(filepath.Join(filepath.Clean(dir), "application_default_credentials.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading gcloud's credentials: %w", err)
	}
	return body, nil
}

// access gets an access token.
func (p *proof) access(ctx context.Context, scope string) (httpsink.Bearer, error) {
	body, err := p.find()
	if err != nil {
		return httpsink.Bearer{}, err
	}
	if body == nil {
		return p.ask(ctx, "token?scopes="+url.QueryEscape(scope))
	}
	f, err := parse(body)
	if err != nil {
		return httpsink.Bearer{}, err
	}
	return p.exchange(ctx, body, f.Type, scope)
}

// exchange turns credentials into an access token.
func (p *proof) exchange(ctx context.Context, body []byte, kind oauth.CredentialsType, scope string) (httpsink.Bearer, error) {
	c, err := oauth.CredentialsFromJSONWithType(p.context(ctx), body, kind, scope)
	if err != nil {
		return httpsink.Bearer{}, errors.New("the credentials of Google cannot be used, something of them is missing or wrong (they are not shown)")
	}
	return bearer(c.TokenSource)
}

// identity gets an identity token.
func (p *proof) identity(ctx context.Context, audience string) (httpsink.Bearer, error) {
	body, err := p.find()
	if err != nil {
		return httpsink.Bearer{}, err
	}
	if body == nil {
		return p.ask(ctx, "identity?format=full&audience="+url.QueryEscape(audience))
	}
	f, err := parse(body)
	if err != nil {
		return httpsink.Bearer{}, err
	}
	switch {
	case f.Type == oauth.ServiceAccount:
		c, err := oauth.JWTConfigFromJSON(body)
		if err != nil {
			return httpsink.Bearer{}, errors.New("the credentials of Google cannot be used, something of them is missing or wrong (they are not shown)")
		}
		c.PrivateClaims, c.UseIDToken = map[string]any{"target_audience": audience}, true
		return bearer(c.TokenSource(p.context(ctx)))
	case f.Impersonate != "":
		return p.impersonate(ctx, body, f, audience)
	}
	return httpsink.Bearer{}, fmt.Errorf("credentials of the type %s cannot make an identity token; use those of a service account", f.Type)
}

// impersonate gets the identity token of the service account that credentials impersonate.
func (p *proof) impersonate(ctx context.Context, body []byte, f file, audience string) (httpsink.Bearer, error) {
	source, kind := []byte(f.Source), f.Type
	if f.Type == oauth.ImpersonatedServiceAccount {
		s, err := parse(source)
		if err != nil {
			return httpsink.Bearer{}, err
		}
		kind = s.Type
	} else { // the same, without the last step
		var all map[string]json.RawMessage
		err := json.Unmarshal(body, &all)
		if err == nil {
			delete(all, "service_account_impersonation_url")
			source, err = json.Marshal(all)
		}
		if err != nil {
			return httpsink.Bearer{}, fmt.Errorf("encoding the credentials: %w", err)
		}
	}
	who, err := p.exchange(ctx, source, kind, CloudPlatform)
	if err != nil {
		return who, err
	}
	ask, err := httpsink.Encode(struct {
		Audience string `json:"audience"`
		Email    bool   `json:"includeEmail"`
	}{audience, true})
	if err != nil {
		return who, err
	}
	where := strings.Replace(f.Impersonate, ":generateAccessToken", ":generateIdToken", 1)
	s, err := httpsink.New(httpsink.Config{
		Name: "the impersonated service account", URL: where, Header: map[string]string{"Authorization": "Bearer " + who.Token},
		Transport: func(*http.Transport) (http.RoundTripper, error) { return p.client.Transport, nil },
	})
	if err != nil {
		return who, err
	}
	answer, err := s.Do(ctx, httpsink.Request{Body: ask})
	if err != nil {
		return who, err
	}
	var said struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(answer, &said); err != nil || said.Token == "" {
		return who, s.Fail("the answer holds no token")
	}
	return httpsink.Bearer{Token: said.Token, Until: end(said.Token)}, nil
}

// ask asks the metadata server.
func (p *proof) ask(ctx context.Context, what string) (httpsink.Bearer, error) {
	const path = "computeMetadata/v1/instance/service-accounts/default/"
	body, err := p.metadata.Do(ctx, httpsink.Request{
		Method: http.MethodGet, URL: httpsink.Join(p.host, path+what), Header: map[string]string{"Metadata-Flavor": "Google"},
	})
	if err != nil {
		if p.workload {
			return httpsink.Bearer{}, err
		}
		return httpsink.Bearer{}, fmt.Errorf("neither gcp.credentials, GOOGLE_APPLICATION_CREDENTIALS nor gcloud's file are there, and the metadata server gives no token: %w", err)
	}
	if !bytes.HasPrefix(body, []byte("{")) {
		token := strings.TrimSpace(string(body))
		return httpsink.Bearer{Token: token, Until: end(token)}, nil
	}
	var said struct {
		Token   string `json:"access_token"`
		Seconds int    `json:"expires_in"`
	}
	if err := json.Unmarshal(body, &said); err != nil || said.Token == "" {
		return httpsink.Bearer{}, p.metadata.Fail("the answer holds no token")
	}
	return httpsink.Bearer{Token: said.Token, Until: time.Now().Add(time.Duration(said.Seconds) * time.Second)}, nil
}

// end returns when an identity token ends, as its claims say; the server verifies it, not we.
func end(token string) time.Time {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Exp int64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(text, &claims) != nil || claims.Exp == 0 {
		return time.Time{}
	}
	return time.Unix(claims.Exp, 0)
}

// context returns a context that makes the library use our client, and end with ctx.
func (p *proof) context(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Timeout: p.client.Timeout, Transport: bound{ctx, p.client.Transport}})
}

// bound makes requests end with a context; the library makes them without one.
type bound struct {
	ctx  context.Context //nolint:containedctx // it lives as long as one call of the library
	next http.RoundTripper
}

// RoundTrip makes a request.
func (b bound) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.next.RoundTrip(r.WithContext(b.ctx))
	if err != nil {
		return nil, fmt.Errorf("asking %s for a token: %w", r.URL.Host, err)
	}
	return answer, nil
}

func bearer(s oauth2.TokenSource) (httpsink.Bearer, error) {
	t, err := s.Token()
	if err != nil {
		return httpsink.Bearer{}, refusal(err)
	}
	return httpsink.Bearer{Token: t.AccessToken, Until: t.Expiry}, nil
}

// refusal says why a token server gives no token, with the pause that it asks for.
func refusal(err error) error {
	var r *oauth2.RetrieveError
	if !errors.As(err, &r) || r.Response == nil {
		return err
	}
	var said struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	text := "the token server answers " + r.Response.Status
	if json.Unmarshal(r.Body, &said) == nil && said.Error != "" {
		text += ": " + httpsink.Excerpt(said.Error+": "+said.Description)
	}
	return httpsink.Answered(text, r.Response)
}
