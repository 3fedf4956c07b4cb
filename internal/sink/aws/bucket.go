package aws

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"net/http"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// Bucket is a bucket of S3, or of a server that speaks its protocol.
type Bucket struct {
	*Client
	name     string
	inPath   bool // the bucket is in the path, not in the host
	acl      string
	checksum bool
}

// BucketConfig says which bucket, and how objects are put there.
type BucketConfig struct {
	Bucket   string
	Region   string // of the bucket, when that tells; "" is that of the configuration
	ACL      string // canned access control list; "" is the bucket's own
	Checksum bool   // send a CRC32, which S3 keeps with the object
}

// hostLabel is a name that a host can begin with and that certificates for a wildcard cover.
var hostLabel = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$`)

// NewBucket returns a bucket. With an endpoint of the configuration, or a name that is no part of a host, it is in the path of URLs.
func NewBucket(name string, cfg Config, b BucketConfig) (*Bucket, error) {
	s := Service{Name: name, ID: "s3", Region: b.Region}
	inPath := cfg.Endpoint != "" || !hostLabel.MatchString(b.Bucket)
	if !inPath {
		s.Host = b.Bucket
	}
	c, err := New(cfg, s)
	if err != nil {
		return nil, err
	}
	return &Bucket{Client: c, name: b.Bucket, inPath: inPath, acl: b.ACL, checksum: b.Checksum}, nil
}

// Put puts an object, in place of one of the same name.
func (b *Bucket) Put(ctx context.Context, key, contentType string, body []byte) error {
	at := Escape(key)
	if b.inPath {
		at = Escape(b.name) + "/" + at
	}
	header := map[string]string{}
	if b.acl != "" {
		header["X-Amz-Acl"] = b.acl
	}
	if b.checksum {
		sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body))
		header["X-Amz-Checksum-Crc32"] = base64.StdEncoding.EncodeToString(sum)
	}
	_, err := b.Do(ctx, Request{Method: http.MethodPut, Path: at, ContentType: contentType, Header: header, Body: body})
	return err
}

// PutAlert puts an alert as Falcosidekick's JSON. The object's name is made of nothing but the alert, hence one that comes
// again is the same object: the prefix, its day, its time and its uuid.
func (b *Bucket) PutAlert(ctx context.Context, prefix string, a *alert.Alert) error {
	body := a.AppendSidekick(nil)
	id := a.UUID
	if id == "" || strings.Contains(id, "/") {
		sum := sha256.Sum256(body)
		id = hex.EncodeToString(sum[:16])
	}
	at := a.Time.UTC()
	key := path.Join(prefix, at.Format(time.DateOnly), at.Format(time.RFC3339Nano)+"-"+id+".json")
	return b.Put(ctx, strings.TrimLeft(key, "/"), "application/json", body)
}

// Escape escapes a part of a path as signatures want it: all but letters, digits, "-._~" and the slash.
func Escape(part string) string {
	const hexadecimal = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(part) {
		c := part[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~/", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', hexadecimal[c>>4], hexadecimal[c&15]})
	}
	return b.String()
}
