package azureeventhub_test

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	nethttp "net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/azureeventhub"
	"github.com/saker-sec/saker/internal/sink/setting"
	"github.com/saker-sec/saker/internal/sink/sinktest"
)

const (
	token  = "eyJ.s3cretEntraToken.x"
	secret = "s3cretClientSecret+/="
)

func open(v setting.Values) (route.Sink, error) {
	return setting.Open("azure.eventhub", v, azureeventhub.New)
}

// environment clears what says who we are, and sets what is given.
func environment(t *testing.T, set map[string]string) {
	t.Helper()
	for _, name := range []string{
		"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_AUTHORITY_HOST",
		"AZURE_POD_IDENTITY_AUTHORITY_HOST", "IDENTITY_ENDPOINT", "IDENTITY_HEADER",
	} {
		t.Setenv(name, set[name])
	}
}

// entra is a token server; check says what is wrong with a request, or nothing.
func entra(t *testing.T, check func(r *nethttp.Request) string) string {
	s := httptest.NewServer(nethttp.HandlerFunc(func(w nethttp.ResponseWriter, r *nethttp.Request) {
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		if wrong := check(r); wrong != "" {
			w.WriteHeader(nethttp.StatusUnauthorized)
			fmt.Fprintf(w, `{"error":"invalid_client","error_description":%q}`, wrong+" "+r.PostForm.Encode())
			return
		}
		fmt.Fprintf(w, `{"token_type":"Bearer","expires_in":3599,"access_token":%q}`, token)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// want says which values a form has not.
func want(v url.Values, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		if v.Get(pairs[i]) != pairs[i+1] {
			return fmt.Sprintf("%s is %q", pairs[i], v.Get(pairs[i]))
		}
	}
	return ""
}

func Test(t *testing.T) {
	environment(t, map[string]string{
		"AZURE_CLIENT_ID": "client", "AZURE_TENANT_ID": "tenant", "AZURE_CLIENT_SECRET": secret,
		"AZURE_AUTHORITY_HOST": entra(t, func(r *nethttp.Request) string {
			if r.URL.Path != "/tenant/oauth2/v2.0/token" {
				return r.URL.Path
			}
			return want(r.PostForm, "grant_type", "client_credentials", "client_id", "client", "client_secret", secret, "scope", "https://eventhubs.azure.net/.default")
		}),
	})
	sinktest.HTTP{
		Prefix: "azure.eventhub", Secrets: []string{token, secret},
		Open: open,
		Settings: func(url string) setting.Values {
			return setting.Values{"azure.eventhub.namespace": url, "azure.eventhub.name": "alerts"}
		},
		Limit: func(body []byte) error {
			if len(body) > 1_000_000 {
				return fmt.Errorf("%d bytes", len(body))
			}
			return nil
		},
	}.Run(t)
}

func send(t *testing.T, v setting.Values) error {
	t.Helper()
	s, err := open(v)
	if err != nil {
		t.Fatal(err)
	}
	return s.Send(t.Context(), sinktest.Alert("m"), nil)
}

// TestOnce sends a batch of several requests: each alert once, none too large.
func TestOnce(t *testing.T) {
	environment(t, nil)
	seen := map[string]int{}
	where := sinktest.Serve(t, func(_ *nethttp.Request, body []byte) string {
		var events []struct{ UserProperties map[string]string }
		if err := json.Unmarshal(body, &events); err != nil || len(body) > 20_000 {
			t.Errorf("%d bytes: %v", len(body), err)
		}
		for _, e := range events {
			seen[e.UserProperties["uuid"]]++
		}
		return ""
	})
	s, err := setting.Open("azure.eventhub", setting.Values{
		"azure.eventhub.namespace": where, "azure.eventhub.name": "alerts", "azure.eventhub.maxbytes": "20000",
		"azure.eventhub.connectionstring": "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=send;SharedAccessKey=s3cret",
	}, azureeventhub.New)
	if err != nil {
		t.Fatal(err)
	}
	var alerts []*alert.Alert
	for i := range 30 {
		a := sinktest.Alert(strings.Repeat("long", 600))
		a.UUID = fmt.Sprint(i)
		alerts = append(alerts, a)
	}
	if errs := s.SendBatch(t.Context(), alerts); errs != nil {
		t.Errorf("%v", errs)
	}
	for i := range 30 {
		if n := seen[fmt.Sprint(i)]; n != 1 {
			t.Errorf("alert %d came %d times", i, n)
		}
	}
}

// TestPolicy signs with a shared access policy.
func TestPolicy(t *testing.T) {
	environment(t, nil)
	const key = "s3cretKey+/="
	var resource string
	where := sinktest.Serve(t, func(r *nethttp.Request, _ []byte) string {
		scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		v, err := url.ParseQuery(rest)
		ends, err2 := strconv.ParseInt(v.Get("se"), 10, 64)
		if err != nil || err2 != nil || scheme != "SharedAccessSignature" || v.Get("skn") != "send" || v.Get("sr") != resource || time.Until(time.Unix(ends, 0)) < time.Minute {
			t.Errorf("%s %v %v %v", scheme, v, err, err2)
		}
		h := hmac.New(sha256.New, []byte(key))
		h.Write([]byte(url.QueryEscape(resource) + "\n" + v.Get("se")))
		if v.Get("sig") != base64.StdEncoding.EncodeToString(h.Sum(nil)) {
			t.Error("the signature is wrong")
		}
		return ""
	})
	resource = where + "/alerts"
	connection := strings.Replace(where, "http://", "Endpoint=sb://", 1) + "/;SharedAccessKeyName=send;SharedAccessKey=" + key + ";UseDevelopmentEmulator=true"
	if err := send(t, setting.Values{"azure.eventhub.name": "alerts", "azure.eventhub.connectionstring": connection}); err != nil {
		t.Error(err)
	}
	err := send(t, setting.Values{"azure.eventhub.name": "alerts", "azure.eventhub.namespace": sinktest.ServeStatus(t, 401, "not with "+key), "azure.eventhub.connectionstring": connection})
	if err == nil || strings.Contains(err.Error(), key) || route.Permanent(err) {
		t.Errorf("refused: %v", err)
	}
	for _, bad := range []string{"s3cret", "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=s3cret"} {
		if _, err := open(setting.Values{"azure.eventhub.name": "alerts", "azure.eventhub.connectionstring": bad}); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%v", err)
		}
	}
}

// TestIdentities proves who we are in all the other ways.
func TestIdentities(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{SerialNumber: big.NewInt(1)}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	both := string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})) + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf}))
	client := map[string]string{"AZURE_CLIENT_ID": "client", "AZURE_TENANT_ID": "tenant"}
	for _, c := range []struct {
		name  string
		env   map[string]string
		at    string // variable that names the server
		path  string
		check func(r *nethttp.Request) string
	}{
		{"federated", map[string]string{"AZURE_FEDERATED_TOKEN_FILE": file("federated", "s3cret.cluster.token\n")}, "AZURE_AUTHORITY_HOST", "", func(r *nethttp.Request) string {
			return want(r.PostForm, "client_assertion", "s3cret.cluster.token", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_secret", "")
		}},
		{"certificate", map[string]string{"AZURE_CLIENT_CERTIFICATE_PATH": file("both.pem", both)}, "AZURE_AUTHORITY_HOST", "", func(r *nethttp.Request) string {
			return verify(r.PostForm.Get("client_assertion"), &key.PublicKey, leaf, "http://"+r.Host+"/tenant/oauth2/v2.0/token")
		}},
		{"machine", map[string]string{}, "AZURE_POD_IDENTITY_AUTHORITY_HOST", "", func(r *nethttp.Request) string {
			if r.Header.Get("Metadata") != "true" || r.URL.Path != "/metadata/identity/oauth2/token" {
				return r.URL.Path
			}
			return want(r.Form, "resource", "https://eventhubs.azure.net", "api-version", "2018-02-01", "client_id", "client")
		}},
		{"App Service", map[string]string{"IDENTITY_HEADER": "s3cretHeader"}, "IDENTITY_ENDPOINT", "/msi/token", func(r *nethttp.Request) string {
			if r.Header.Get("X-Identity-Header") != "s3cretHeader" || r.URL.Path != "/msi/token" {
				return r.URL.Path
			}
			return want(r.Form, "resource", "https://eventhubs.azure.net", "api-version", "2019-08-01")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			right := true
			for k, v := range client {
				c.env[k] = v
			}
			c.env[c.at] = entra(t, func(r *nethttp.Request) string {
				if !right {
					return "not you"
				}
				return c.check(r)
			}) + c.path
			environment(t, c.env)
			values := setting.Values{"azure.eventhub.name": "alerts", "azure.eventhub.namespace": sinktest.Serve(t, func(r *nethttp.Request, _ []byte) string {
				if r.Header.Get("Authorization") != "Bearer "+token {
					t.Errorf("Authorization: %s", r.Header.Get("Authorization"))
				}
				return ""
			})}
			if err := send(t, values); err != nil {
				t.Error(err)
			}
			right = false
			if err := send(t, values); err == nil || route.Permanent(err) || !strings.Contains(err.Error(), "not you") || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("refused: %v", err)
			}
		})
	}
	environment(t, map[string]string{"AZURE_CLIENT_SECRET": secret})
	if _, err := open(setting.Values{"azure.eventhub.name": "alerts", "azure.eventhub.namespace": "ns"}); err == nil || !strings.Contains(err.Error(), "AZURE_TENANT_ID") || strings.Contains(err.Error(), secret) {
		t.Errorf("half an identity: %v", err)
	}
	client["AZURE_CLIENT_CERTIFICATE_PATH"] = file("half.pem", "s3cret")
	environment(t, client)
	if _, err := open(setting.Values{"azure.eventhub.name": "alerts", "azure.eventhub.namespace": "ns"}); err == nil || !strings.Contains(err.Error(), "RSA key") || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("half a certificate: %v", err)
	}
}

// verify says what is wrong with the assertion of a client that has a certificate.
func verify(assertion string, key *rsa.PublicKey, leaf []byte, audience string) string {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return "no JWT"
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err == nil {
		err = rsa.VerifyPSS(key, crypto.SHA256, sum[:], signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	}
	if err != nil {
		return err.Error()
	}
	var head, claims map[string]any
	for i, p := range []*map[string]any{&head, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(text, p)
		}
		if err != nil {
			return err.Error()
		}
	}
	thumbprint := sha256.Sum256(leaf)
	if head["alg"] != "PS256" || head["x5t#S256"] != base64.RawURLEncoding.EncodeToString(thumbprint[:]) || claims["aud"] != audience || claims["iss"] != "client" || claims["sub"] != "client" {
		return fmt.Sprint(head, claims)
	}
	return ""
}

// TestNamespace takes names, hosts and addresses.
func TestNamespace(t *testing.T) {
	environment(t, nil)
	for namespace, host := range map[string]string{
		"ns": "https://ns.servicebus.windows.net:", "ns.servicebus.chinacloudapi.cn": "https://ns.servicebus.chinacloudapi.cn:", "https://10.0.0.1:8443/": "https://10.0.0.1:8443:",
	} {
		s, err := open(setting.Values{"azure.eventhub.name": "alerts", "azure.eventhub.namespace": namespace})
		if err != nil {
			t.Fatal(err)
		}
		over, cancel := context.WithCancel(t.Context())
		cancel() // nobody is asked
		if err := s.Send(over, sinktest.Alert("m"), nil); err == nil || !strings.HasPrefix(err.Error(), "azureeventhub: posting to "+host) {
			t.Errorf("%s: %v", namespace, err)
		}
	}
	if _, err := open(setting.Values{"azure.eventhub.name": "alerts"}); err == nil || !strings.Contains(err.Error(), "the namespace is empty") {
		t.Errorf("%v", err)
	}
}
