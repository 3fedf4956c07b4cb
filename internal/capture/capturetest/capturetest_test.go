package capturetest_test

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/saker-sec/saker/internal/capture"
	"github.com/saker-sec/saker/internal/capture/capturetest"
	"github.com/saker-sec/saker/internal/event"
)

const sample = "../../../../shared/captures/falco/cat_write.scap"

// TestRepeat checks that a repeated capture has the events of the file, again and again, with rising times.
func TestRepeat(t *testing.T) {
	if _, err := os.Stat(sample); err != nil {
		t.Skip(err)
	}
	snap, list, err := capturetest.Load(sample)
	if err != nil {
		t.Fatal(err)
	}
	data, err := capturetest.Repeat(sample, 1000)
	if err != nil {
		t.Fatal(err)
	}
	r, err := capture.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(r.Snapshot().Processes), len(snap.Processes); got != want {
		t.Errorf("%d processes, want %d", got, want)
	}
	var e, want event.Event
	last, n := uint64(0), 0
	for ; ; n++ {
		err := r.Next(&e)
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := list[n%len(list)].Event(&want); err != nil {
			t.Fatal(err)
		}
		if e.Code != want.Code || e.TID != want.TID || e.CPU != want.CPU || !bytes.Equal(e.Raw()[8:], want.Raw()[8:]) {
			t.Fatalf("event %d differs from event %d of the file", n+1, n%len(list)+1)
		}
		if n%len(list) == 0 {
			if e.Time <= last {
				t.Fatalf("round %d begins at %d, before %d", n/len(list), e.Time, last)
			}
		}
		last = max(last, e.Time)
	}
	if n < 1000 || n%len(list) != 0 {
		t.Errorf("%d events", n)
	}
}
