// Package gcpstorage puts each alert into an object of a bucket of Google Cloud Storage, as Falcosidekick's JSON.
//
// The object is named by the alert's own time and its uuid, and is made only if there is none: an alert that comes again is
// there already, which is success, and nothing is ever overwritten. (Falcosidekick names it by the time of the upload alone,
// and begins the name with a slash when there is no prefix.) Making objects is all that the service account must be allowed.
package gcpstorage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/google"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Bucket   string // bucket: name; the destination is off without
	Prefix   string // prefix: what names of objects begin with
	Endpoint string // endpoint: address of the service; ours
	Google   google.Config
}

// Settings binds Falcosidekick's keys.
func (c *Config) Settings() setting.List {
	return append(c.Google.Settings(),
		setting.Text("bucket", &c.Bucket, "", "name of the bucket").Required(),
		setting.Text("prefix", &c.Prefix, "", "what names of objects begin with, before a slash"),
		setting.Text("endpoint", &c.Endpoint, "https://storage.googleapis.com", "address of the service"),
	)
}

// Sink puts alerts into a bucket.
type Sink struct {
	cfg    Config
	sender *httpsink.Sender
}

// New returns a sink. It fails when the credentials or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	sender, err := cfg.Google.Sender("gcpstorage", cfg.Endpoint, "https://www.googleapis.com/auth/devstorage.read_write")
	if err != nil {
		return nil, err
	}
	return &Sink{cfg: cfg, sender: sender}, nil
}

// Send puts an alert into an object.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	query := url.Values{"uploadType": {"media"}, "ifGenerationMatch": {"0"}, "name": {s.object(a)}}
	_, err := s.sender.Do(ctx, httpsink.Request{
		URL:  httpsink.Join(s.cfg.Endpoint, "upload/storage/v1/b/"+url.PathEscape(s.cfg.Bucket)+"/o?"+query.Encode()),
		Body: a.AppendSidekick(nil), ContentType: "application/json",
	})
	var e *httpsink.Error
	if errors.As(err, &e) && e.Code == http.StatusPreconditionFailed { // it is there already
		return nil
	}
	return err
}

// object returns the name of an alert's object. The same alert has the same.
func (s *Sink) object(a *alert.Alert) string {
	id := a.UUID
	if id == "" {
		sum := sha256.Sum256(a.AppendSidekick(nil))
		id = hex.EncodeToString(sum[:16])
	}
	name := a.Time.UTC().Format("2006-01-02/") + a.Time.UTC().Format(time.RFC3339Nano) + "-" + strings.ReplaceAll(id, "/", "_") + ".json"
	if prefix := strings.Trim(s.cfg.Prefix, "/"); prefix != "" {
		return prefix + "/" + name
	}
	return name
}

// Close closes the connections.
func (s *Sink) Close(context.Context) error {
	s.sender.Close()
	return nil
}
