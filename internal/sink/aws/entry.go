package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"

	"github.com/saker-sec/saker/internal/alert"
)

// Failed is an entry of a batch to SQS or SNS that is not taken.
type Failed struct {
	ID      string `json:"Id" xml:"Id"`
	Code    string `json:"Code" xml:"Code"`
	Message string `json:"Message" xml:"Message"`
}

// Once returns the deduplication id and the message group of an alert, for FIFO queues and topics: its uuid, and its host or
// else "falco". Both are of at most 128 characters that SQS and SNS take.
func Once(a *alert.Alert) (id, group string) {
	return token(a.UUID, a.OutputText()), token(a.Hostname, "falco")
}

// token returns a text if it is one that queues take, a hash of it if it is not, and in place of "" the same of the other.
func token(text, other string) string {
	if text == "" {
		text = other
	}
	good := len(text) <= 128
	for i := range len(text) {
		good = good && text[i] > ' ' && text[i] < 0x7f
	}
	if good {
		return text
	}
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Refused says whether an error is permanent.
func Refused(err error) bool {
	var e interface{ Permanent() bool }
	return errors.As(err, &e) && e.Permanent()
}

// Entries sets the errors of a batch whose ids are the numbers of the alerts, beginning with first: err is that of all of them,
// failed are those that are not taken. What is refused for good, which may be for its size in the batch, is sent by itself.
func (c *Client) Entries(ctx context.Context, err error, failed []Failed, alerts []*alert.Alert, first int, errs []error, send func(context.Context, *alert.Alert, []byte) error) error {
	if err != nil {
		if !Refused(err) {
			return err
		}
		for i, a := range alerts {
			errs[i] = send(ctx, a, nil)
		}
		return nil
	}
	for _, f := range failed {
		i, err := strconv.Atoi(f.ID)
		if i -= first; err != nil || i < 0 || i >= len(errs) {
			return c.Fail("the answer names the entry " + f.ID + ", which is not in the request")
		}
		if errs[i] = c.Entry(f.Code, f.Message); Refused(errs[i]) {
			errs[i] = send(ctx, alerts[i], nil)
		}
	}
	return nil
}
