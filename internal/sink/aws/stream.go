package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/sink/message"
)

// Limits of Kinesis, in bytes with the partition keys (Kinesis Data Streams, PutRecords). A stream can be set to take larger
// records; the default is what every stream takes.
const (
	recordLimit  = 1 << 20
	recordsLimit = 5 << 20
	recordsMost  = 500
	keyLength    = 36 // at least that of a uuid, counted for each record
)

// Stream is a data stream of Kinesis, or of a server that speaks its protocol.
type Stream struct {
	*Client
	name string
}

// NewStream returns a stream.
func NewStream(name string, cfg Config, stream string) (*Stream, error) {
	c, err := New(cfg, Service{Name: name, ID: "kinesis", Type: "application/x-amz-json-1.1"})
	if err != nil {
		return nil, err
	}
	return &Stream{c, stream}, nil
}

type record struct {
	Data []byte `json:"Data"` // in base64
	Key  string `json:"PartitionKey"`
}

// record returns what is put of an alert: Falcosidekick's JSON, in which texts are cut if it is too long, with the uuid as the
// partition key: one that comes again is in the same shard, where a consumer can tell.
func (s *Stream) record(a *alert.Alert) record {
	key := a.UUID
	if n := len(key); n == 0 || n > keyLength {
		sum := sha256.Sum256([]byte(a.UUID + a.OutputText()))
		key = hex.EncodeToString(sum[:16])
	}
	return record{message.FitSidekick(a, recordLimit-keyLength).AppendSidekick(nil), key}
}

// Send puts an alert into the stream.
func (s *Stream) Send(ctx context.Context, a *alert.Alert, _ []byte) error {
	return s.JSON(ctx, "Kinesis_20131202.PutRecord", struct {
		record
		Stream string `json:"StreamName"`
	}{s.record(a), s.name}, nil)
}

// SendBatch puts alerts into the stream, with as few requests as its limits allow. It returns nil when all are there, or else
// an error or nil for each alert.
func (s *Stream) SendBatch(ctx context.Context, alerts []*alert.Alert) []error {
	records := make([]record, len(alerts))
	sizes := make([]int, len(alerts))
	for i, a := range alerts {
		records[i] = s.record(a)
		sizes[i] = len(records[i].Data) + keyLength
	}
	return Batches(sizes, recordsMost, recordsLimit, func(from, to int, errs []error) error {
		var out struct {
			Records []struct {
				Code    string `json:"ErrorCode"`
				Message string `json:"ErrorMessage"`
			}
		}
		err := s.JSON(ctx, "Kinesis_20131202.PutRecords", struct {
			Records []record `json:"Records"`
			Stream  string   `json:"StreamName"`
		}{records[from:to], s.name}, &out)
		if Refused(err) { // one of them may be the reason
			for i := range errs {
				errs[i] = s.Send(ctx, alerts[from+i], nil)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if len(out.Records) != to-from {
			return s.Fail(fmt.Sprintf("the answer for %d records has results for %d", to-from, len(out.Records)))
		}
		for i, r := range out.Records {
			if r.Code != "" {
				errs[i] = s.Entry(r.Code, r.Message)
			}
		}
		return nil
	})
}

// Batches sends entries of the given sizes with requests of at most so many entries and bytes each. Send sends those from one
// to before another, and sets the errors of those that are not taken, or returns that of all of them. Batches returns nil when
// all are taken, or else an error or nil for each entry.
func Batches(sizes []int, most, bytes int, send func(from, to int, errs []error) error) []error {
	errs := make([]error, len(sizes))
	for from := 0; from < len(sizes); {
		to, sum := from, 0
		for to < len(sizes) && to-from < most && (to == from || sum+sizes[to] <= bytes) {
			sum += sizes[to]
			to++
		}
		if err := send(from, to, errs[from:to]); err != nil {
			for i := from; i < to; i++ {
				errs[i] = err
			}
		}
		from = to
	}
	if errors.Join(errs...) == nil {
		return nil
	}
	return errs
}
