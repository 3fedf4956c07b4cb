package azureeventhub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/saker-sec/saker/internal/sink/httpsink"
)

// audience is what tokens are for.
const audience = "https://eventhubs.azure.net"

// newTokens returns tokens of Entra ID for whom the environment says, by the variables of Azure's own libraries: a client
// with a secret (AZURE_CLIENT_SECRET) or a certificate (AZURE_CLIENT_CERTIFICATE_PATH), a pod with workload identity
// (AZURE_FEDERATED_TOKEN_FILE), an identity of App Service (IDENTITY_ENDPOINT) or of the machine.
func newTokens(o httpsink.Options) (*httpsink.Tokens, error) {
	client, tenant := os.Getenv("AZURE_CLIENT_ID"), os.Getenv("AZURE_TENANT_ID")
	secret, certificate, federated := os.Getenv("AZURE_CLIENT_SECRET"), os.Getenv("AZURE_CLIENT_CERTIFICATE_PATH"), os.Getenv("AZURE_FEDERATED_TOKEN_FILE")
	if secret != "" || certificate != "" || federated != "" {
		if client == "" || tenant == "" {
			return nil, errors.New("azureeventhub: AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH or AZURE_FEDERATED_TOKEN_FILE is set; AZURE_CLIENT_ID and AZURE_TENANT_ID must be set, too")
		}
		authority := os.Getenv("AZURE_AUTHORITY_HOST")
		if authority == "" {
			authority = "https://login.microsoftonline.com"
		}
		e := &entra{url: httpsink.Join(authority, url.PathEscape(tenant)+"/oauth2/v2.0/token"), client: client, secret: secret, federated: federated, http: o}
		if secret == "" && certificate != "" {
			var err error
			if e.certificate, err = readCertificate(certificate); err != nil {
				return nil, err
			}
		}
		return &httpsink.Tokens{Fetch: e.fetch}, nil
	}
	m := &managed{where: "http://169.254.169.254/metadata/identity/oauth2/token", version: "2018-02-01", header: map[string]string{"Metadata": "true"}, client: client}
	if endpoint := os.Getenv("IDENTITY_ENDPOINT"); endpoint != "" && os.Getenv("IDENTITY_HEADER") != "" {
		m.where, m.version, m.header = endpoint, "2019-08-01", map[string]string{"X-Identity-Header": os.Getenv("IDENTITY_HEADER")}
	} else if host := os.Getenv("AZURE_POD_IDENTITY_AUTHORITY_HOST"); host != "" {
		m.where = httpsink.Join(host, "metadata/identity/oauth2/token")
	}
	var err error
	m.sender, err = httpsink.New(httpsink.Config{
		Name: "managed identity", URL: m.where, Options: httpsink.Options{Timeout: o.Timeout}, Header: m.header,
		Transport: func(t *http.Transport) (http.RoundTripper, error) {
			t.Proxy = nil // it is on this machine
			return t, nil
		},
	})
	if err != nil {
		return nil, err
	}
	return &httpsink.Tokens{Fetch: m.fetch}, nil
}

// entra gets tokens for a client that Entra ID knows.
type entra struct {
	url, client       string
	secret, federated string // one of them, or else the certificate
	certificate       *certificate
	http              httpsink.Options
}

// fetch gets a token. Of several ways to prove who we are the first goes, as in Azure's libraries.
func (e *entra) fetch(ctx context.Context) (httpsink.Bearer, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {e.client}, "scope": {audience + "/.default"}}
	proof := e.secret
	switch {
	case e.secret != "":
		form.Set("client_secret", e.secret)
	case e.certificate != nil:
		var err error
		if proof, err = e.certificate.assertion(e.url, e.client, time.Now()); err != nil {
			return httpsink.Bearer{}, err
		}
	default:
		text, err := os.ReadFile(filepath.Clean(e.federated)) // anew: the cluster exchanges it
		if err != nil {
			return httpsink.Bearer{}, fmt.Errorf("reading the file that AZURE_FEDERATED_TOKEN_FILE names: %w", err)
		}
		proof = strings.TrimSpace(string(text))
	}
	if e.secret == "" {
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", proof)
	}
	s, err := httpsink.New(httpsink.Config{Name: "Entra ID", URL: e.url, Options: httpsink.Options{CAFile: e.http.CAFile, Timeout: e.http.Timeout}, Secrets: []string{proof}})
	if err != nil {
		return httpsink.Bearer{}, err
	}
	defer s.Close()
	answer, err := s.Do(ctx, httpsink.Request{Body: []byte(form.Encode()), ContentType: "application/x-www-form-urlencoded"})
	if err != nil {
		return httpsink.Bearer{}, err
	}
	return bearer(s, answer)
}

// managed gets tokens for an identity of the machine.
type managed struct {
	where, version, client string
	header                 map[string]string
	sender                 *httpsink.Sender
}

func (m *managed) fetch(ctx context.Context) (httpsink.Bearer, error) {
	query := url.Values{"api-version": {m.version}, "resource": {audience}}
	if m.client != "" {
		query.Set("client_id", m.client)
	}
	answer, err := m.sender.Do(ctx, httpsink.Request{Method: http.MethodGet, URL: m.where + "?" + query.Encode()})
	if err != nil {
		return httpsink.Bearer{}, fmt.Errorf("neither a connection string, AZURE_CLIENT_SECRET, AZURE_CLIENT_CERTIFICATE_PATH nor AZURE_FEDERATED_TOKEN_FILE are set, and the machine has no identity to give: %w", err)
	}
	return bearer(m.sender, answer)
}

// bearer reads the answer of a token server. Managed identities write numbers as texts.
func bearer(s *httpsink.Sender, answer []byte) (httpsink.Bearer, error) {
	var said struct {
		Token   string          `json:"access_token"`
		Seconds json.RawMessage `json:"expires_in"`
		Until   json.RawMessage `json:"expires_on"`
	}
	if err := json.Unmarshal(answer, &said); err != nil || said.Token == "" {
		return httpsink.Bearer{}, s.Fail("the answer holds no token")
	}
	b := httpsink.Bearer{Token: said.Token}
	if n, err := strconv.ParseInt(strings.Trim(string(said.Seconds), `"`), 10, 64); err == nil && n > 0 {
		b.Until = time.Now().Add(time.Duration(n) * time.Second)
	} else if n, err := strconv.ParseInt(strings.Trim(string(said.Until), `"`), 10, 64); err == nil && n > 0 {
		b.Until = time.Unix(n, 0)
	}
	return b, nil
}
