package sinktest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	nethttp "net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The credentials and the region that signed requests must be of.
const (
	AccessKey    = "AKIDEXAMPLE"
	SecretKey    = "s3cretAccessKey/+0"
	SessionToken = "s3cretSessionToken/+0"
	Region       = "eu-west-1"
)

const algorithm = "AWS4-HMAC-SHA256"

// checked are the headers that signature checks; what they are is not in golden files.
var checked = []string{"Authorization", "X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Checksum-Crc32"}

// signed says whether a request claims to be signed with version 4 of AWS's scheme.
func signed(r *nethttp.Request) bool {
	return strings.HasPrefix(r.Header.Get("Authorization"), algorithm+" ")
}

// signature checks the signature of a request for a service, from AWS's description of version 4 of its scheme: all of the
// body, the path, the host and the headers of AWS must be signed.
func signature(r *nethttp.Request, body []byte, service string) error {
	parts := map[string]string{}
	for p := range strings.SplitSeq(strings.TrimPrefix(r.Header.Get("Authorization"), algorithm+" "), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		parts[name] = value
	}
	when, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || time.Since(when).Abs() > 5*time.Minute {
		return fmt.Errorf("X-Amz-Date is %q", r.Header.Get("X-Amz-Date"))
	}
	scope := []string{when.Format("20060102"), Region, service, "aws4_request"}
	if want := AccessKey + "/" + strings.Join(scope, "/"); parts["Credential"] != want {
		return fmt.Errorf("the credential is %q, want %q", parts["Credential"], want)
	}
	names := strings.Split(parts["SignedHeaders"], ";")
	var headers strings.Builder
	for _, name := range names {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = strconv.FormatInt(r.ContentLength, 10)
		}
		fmt.Fprintf(&headers, "%s:%s\n", name, strings.Join(strings.Fields(value), " "))
	}
	for name := range r.Header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") && !slices.Contains(names, name) {
			return fmt.Errorf("the header %s is not signed", name)
		}
	}
	if token := r.Header.Get("X-Amz-Security-Token"); !slices.Contains(names, "host") || token != "" && token != SessionToken {
		return errors.New("the host is not signed, or the session token is another")
	}
	path := r.URL.EscapedPath()
	if service != "s3" {
		path = escapeAgain(path)
	}
	hash := hex.EncodeToString(sum(body))
	if sent, ok := r.Header["X-Amz-Content-Sha256"]; ok && sent[0] != hash || !ok && service == "s3" {
		return fmt.Errorf("the hash of the body is %v, want %s", sent, hash)
	}
	crc := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
	if sent, ok := r.Header["X-Amz-Checksum-Crc32"]; ok && sent[0] != crc {
		return fmt.Errorf("the checksum of the body is %v, want %s", sent, crc)
	}
	canonical := strings.Join([]string{r.Method, path, r.URL.RawQuery, headers.String(), parts["SignedHeaders"], hash}, "\n")
	text := strings.Join([]string{algorithm, when.Format("20060102T150405Z"), strings.Join(scope, "/"), hex.EncodeToString(sum([]byte(canonical)))}, "\n")
	key := []byte("AWS4" + SecretKey)
	for _, s := range append(scope, text) {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(s))
		key = m.Sum(nil)
	}
	if want := hex.EncodeToString(key); parts["Signature"] != want {
		return fmt.Errorf("the signature is %s, want %s for\n%s", parts["Signature"], want, canonical)
	}
	return nil
}

func sum(text []byte) []byte {
	s := sha256.Sum256(text)
	return s[:]
}

// escapeAgain escapes a path that is escaped already, as all services but S3 want it in signatures.
func escapeAgain(path string) string {
	return strings.NewReplacer("%", "%25", ":", "%3A", "$", "%24", "@", "%40", "+", "%2B", "=", "%3D").Replace(path)
}
