package azureeventhub

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// certificate proves who a client is.
type certificate struct {
	key  *rsa.PrivateKey
	leaf []byte // DER
}

// readCertificate reads a file in PEM form that holds a certificate and its RSA key. Errors do not show what it holds.
func readCertificate(path string) (*certificate, error) {
	fail := func(why string) error {
		return fmt.Errorf("azureeventhub: the file %s that AZURE_CLIENT_CERTIFICATE_PATH names %s; it must hold a certificate and its RSA key in PEM form, without a password", path, why)
	}
	text, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return nil, fmt.Errorf("azureeventhub: reading the file that AZURE_CLIENT_CERTIFICATE_PATH names: %w", err)
	}
	var keys []any
	var leaves []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fail("holds a certificate that cannot be read")
			}
			leaves = append(leaves, c)
		case "PRIVATE KEY", "RSA PRIVATE KEY":
			var key any
			if key, err = x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
				key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
			}
			if err != nil {
				return nil, fail("holds a key that cannot be read")
			}
			keys = append(keys, key)
		}
	}
	for _, k := range keys {
		key, ok := k.(*rsa.PrivateKey)
		for _, leaf := range leaves {
			if ok && key.PublicKey.Equal(leaf.PublicKey) {
				return &certificate{key, leaf.Raw}, nil
			}
		}
	}
	return nil, fail("holds no certificate with its RSA key")
}

// assertion returns a JWT by which Entra ID knows the client (Entra ID, "Certificate credentials").
func (c *certificate) assertion(audience, client string, now time.Time) (string, error) {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return "", fmt.Errorf("making an id: %w", err)
	}
	thumbprint := sha256.Sum256(c.leaf)
	head, err1 := json.Marshal(map[string]string{"alg": "PS256", "typ": "JWT", "x5t#S256": base64.RawURLEncoding.EncodeToString(thumbprint[:])})
	claims, err2 := json.Marshal(struct {
		Audience string `json:"aud"`
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		ID       string `json:"jti"`
		From     int64  `json:"nbf"`
		Until    int64  `json:"exp"`
	}{audience, client, client, hex.EncodeToString(id[:]), now.Unix(), now.Add(10 * time.Minute).Unix()})
	if err := errors.Join(err1, err2); err != nil {
		return "", fmt.Errorf("encoding an assertion: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(claims)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPSS(rand.Reader, c.key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	if err != nil {
		return "", fmt.Errorf("signing an assertion: %w", err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
