package sinktest

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	nethttp "net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Google is a token server of Google's kind with one service account. It gives a token for a JWT of that account alone.
type Google struct {
	URL         string
	JSON        string // the account's key, as it is downloaded
	Credentials string // the same in base64, as in Falcosidekick's configuration
	Key         string // a part of it that nothing may show

	key  *rsa.PrivateKey
	mu   sync.Mutex
	said []string // scopes and audiences that tokens were given for
	fail nethttp.HandlerFunc
}

// The tokens that the server gives. The second is an identity token that ends in the year 2100.
const (
	AccessToken   = "ya29.s3cretAccessToken"
	IdentityToken = "eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDB9.s3cretSignature"
)

// ServeGoogle starts a token server.
func ServeGoogle(t *testing.T) *Google {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	g := &Google{key: key}
	s := httptest.NewServer(nethttp.HandlerFunc(g.serve))
	t.Cleanup(s.Close)
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	account, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "falco@project.iam.gserviceaccount.com", "private_key_id": "key-1", "private_key": string(text), "token_uri": s.URL + "/token",
	})
	if err != nil {
		t.Fatal(err)
	}
	g.URL, g.JSON, g.Credentials, g.Key = s.URL, string(account), base64.StdEncoding.EncodeToString(account), strings.Split(string(text), "\n")[1]
	return g
}

// Fail makes the server answer otherwise; nil ends it.
func (g *Google) Fail(f nethttp.HandlerFunc) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fail = f
}

// Given returns what tokens were given for since the last call: scopes and audiences.
func (g *Google) Given() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	said := g.said
	g.said = nil
	return said
}

func (g *Google) serve(w nethttp.ResponseWriter, r *nethttp.Request) {
	g.mu.Lock()
	fail := g.fail
	g.mu.Unlock()
	if fail != nil {
		fail(w, r)
		return
	}
	claims, err := g.verify(r)
	if err != nil {
		w.WriteHeader(nethttp.StatusBadRequest)
		fmt.Fprintf(w, `{"error":"invalid_grant","error_description":%q}`, err.Error())
		return
	}
	g.mu.Lock()
	g.said = append(g.said, claims.Scope+claims.Target)
	g.mu.Unlock()
	if claims.Target != "" {
		fmt.Fprintf(w, `{"id_token":%q}`, IdentityToken)
		return
	}
	fmt.Fprintf(w, `{"access_token":%q,"expires_in":3600,"token_type":"Bearer"}`, AccessToken)
}

// PlainData returns a body with all that is called data decoded from base64.
func PlainData(body []byte) []byte {
	const name = `"data":"`
	text, out := string(body), ""
	for {
		before, after, ok := strings.Cut(text, name)
		if !ok {
			return []byte(out + text)
		}
		data, rest, _ := strings.Cut(after, `"`)
		plain, err := base64.StdEncoding.DecodeString(data)
		if err != nil {
			return body
		}
		out, text = out+before+name+string(plain), rest
	}
}

type claims struct {
	Issuer   string `json:"iss"`
	Audience string `json:"aud"`
	Scope    string `json:"scope"`
	Target   string `json:"target_audience"`
	Issued   int64  `json:"iat"`
	Ends     int64  `json:"exp"`
}

// verify checks a JWT as RFC 7523 says.
func (g *Google) verify(r *nethttp.Request) (c claims, err error) {
	if grant := r.PostFormValue("grant_type"); grant != "urn:ietf:params:oauth:grant-type:jwt-bearer" {
		return c, fmt.Errorf("the grant is %q", grant)
	}
	parts := strings.Split(r.PostFormValue("assertion"), ".")
	if len(parts) != 3 {
		return c, fmt.Errorf("the assertion has %d parts", len(parts))
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil {
		return c, err
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if err := rsa.VerifyPKCS1v15(&g.key.PublicKey, crypto.SHA256, sum[:], signature); err != nil {
		return c, err
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	now := time.Now().Unix()
	if err == nil && (c.Issuer != "falco@project.iam.gserviceaccount.com" || c.Audience != g.URL+"/token" || c.Issued > now+60 || c.Ends <= now || c.Ends > c.Issued+3600) {
		err = fmt.Errorf("claims %+v", c)
	}
	return c, err
}
