// Package awssecuritylake puts alerts into Amazon Security Lake as a custom source: objects of Parquet with a row for each
// alert, in OCSF, under "<prefix>/region=<region>/accountId=<account>/eventDay=<day>/".
//
// By default rows are Falcosidekick's: Security Finding (class 2001) of OCSF 0.1.0. With ocsf set to 1.1.0 they are Detection
// Finding (class 2004). It differs from Falcosidekick in these points. Alerts wait for their batch in the durable queue, not
// in memory. The day is that of the alert, in UTC. The name of an object is made of the uuids in it: a batch that comes again
// is the same object. Prefixes have no slash before them, which would make another folder without a name. And all fields that
// have a value are observables, not only texts.
package awssecuritylake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"path"
	"strings"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/aws"
	"github.com/saker-sec/saker/internal/sink/httpsink"
	"github.com/saker-sec/saker/internal/sink/setting"
)

// Config is the destination's configuration.
type Config struct {
	Bucket    string     // bucket: of the lake; the destination is off without this and the next three
	Region    string     // region: of the bucket, and of the partition
	Prefix    string     // prefix: of the custom source
	AccountID string     // accountid: of the partition
	Interval  int        // interval: minutes that an alert may wait for others
	BatchSize int        // batchsize: alerts in one object
	OCSF      string     // ocsf: version of the schema: 0.1.0, 1.1.0
	AWS       aws.Config // endpoint, credentials, checkcert, mutualtls, timeout
}

// Settings binds Falcosidekick's keys, and one of ours: ocsf.
func (c *Config) Settings() setting.List {
	return append(c.AWS.Settings(),
		setting.Text("bucket", &c.Bucket, "", "bucket of the lake").Required(),
		setting.Text("region", &c.Region, "", "region of the bucket").Required(),
		setting.Text("prefix", &c.Prefix, "", "prefix of the custom source").Required(),
		setting.Text("accountid", &c.AccountID, "", "account that the alerts are of").Required(),
		setting.Int("interval", &c.Interval, 5, 1, "minutes that an alert may wait for others"),
		setting.Int("batchsize", &c.BatchSize, 1000, 1, "alerts in one object"),
		setting.Choice("ocsf", &c.OCSF, "version of the schema", "0.1.0", "1.1.0"),
	)
}

// Sink puts alerts.
type Sink struct {
	cfg     Config
	bucket  *aws.Bucket
	columns []column
}

// New returns a sink. It fails when the endpoint or something else of the configuration cannot be used.
func New(cfg Config) (*Sink, error) {
	b, err := aws.NewBucket("awssecuritylake", cfg.AWS, aws.BucketConfig{Bucket: cfg.Bucket, Region: cfg.Region, ACL: "bucket-owner-full-control", Checksum: true})
	if err != nil {
		return nil, err
	}
	cfg.BatchSize, cfg.Interval = max(cfg.BatchSize, 1), max(cfg.Interval, 1)
	s := &Sink{cfg, b, securityFinding()}
	if cfg.OCSF == "1.1.0" {
		s.columns = detectionFinding()
	}
	return s, nil
}

// typical is how many bytes an alert has, for a bound of batches in bytes.
const typical = 4096

// Batch says how many bytes SendBatch may get at once and how long an alert may wait for others; false would be that alerts
// are to be sent one by one.
func (s *Sink) Batch() (bytes int, wait time.Duration, ok bool) {
	return s.cfg.BatchSize * typical, time.Duration(s.cfg.Interval) * time.Minute, true
}

// Send puts an object with one alert.
func (s *Sink) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	return s.put(ctx, []*alert.Alert{a})
}

// SendBatch puts an object for each day that the alerts are of, with no more than a batch in it. It returns nil when all are
// there, or else an error or nil for each alert.
func (s *Sink) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	errs, failed := make([]error, len(alerts)), false
	done := make([]bool, len(alerts))
	for i, first := range alerts {
		if done[i] {
			continue
		}
		var batch []*alert.Alert
		var which []int
		for j := i; j < len(alerts) && len(batch) < s.cfg.BatchSize; j++ {
			if !done[j] && day(alerts[j]) == day(first) {
				batch, which, done[j] = append(batch, alerts[j]), append(which, j), true
			}
		}
		for k, err := range httpsink.Together(ctx, batch, func() error { return s.put(ctx, batch) }, s.Send) {
			errs[which[k]], failed = err, failed || err != nil
		}
	}
	if !failed {
		return nil
	}
	return errs
}

func day(a *alert.Alert) string { return a.Time.UTC().Format("20060102") }

// put puts an object with alerts of one day.
func (s *Sink) put(ctx context.Context, alerts []*alert.Alert) error {
	key := path.Join(s.cfg.Prefix, "region="+s.cfg.Region, "accountId="+s.cfg.AccountID, "eventDay="+day(alerts[0]), name(alerts)+".parquet")
	return s.bucket.Put(ctx, strings.TrimLeft(key, "/"), "Apache Parquet", encode(s.columns, alerts))
}

// name returns a name in the form of a uuid that the alerts alone decide: that of the first one, when there is no other.
func name(alerts []*alert.Alert) string {
	if len(alerts) == 1 && alerts[0].UUID != "" && !strings.Contains(alerts[0].UUID, "/") {
		return alerts[0].UUID
	}
	h := sha256.New()
	for _, a := range alerts {
		id := a.UUID
		if id == "" {
			id = string(a.AppendSidekick(nil))
		}
		_, _ = io.WriteString(h, id+"\n") // a hash does not fail
	}
	text := hex.EncodeToString(h.Sum(nil)[:16])
	return strings.Join([]string{text[:8], text[8:12], text[12:16], text[16:20], text[20:]}, "-")
}

// Close closes the connections.
func (s *Sink) Close(ctx context.Context) error { return s.bucket.Close(ctx) }
