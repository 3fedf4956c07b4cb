package capture_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/saker-sec/saker/internal/capture"
	"github.com/saker-sec/saker/internal/capture/capturetest"
	"github.com/saker-sec/saker/internal/event"
)

const shared = "../../../shared"

// readAll reads a capture to its end and returns the number of events.
func readAll(tb testing.TB, src io.Reader) int {
	tb.Helper()
	r, err := capture.NewReader(src)
	if err != nil {
		tb.Fatal(err)
	}
	var e event.Event
	n := 0
	for {
		err := r.Next(&e)
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			tb.Fatal(err)
		}
		n++
	}
}

// BenchmarkReader reads a million current events from memory, uncompressed. One operation is an event.
func BenchmarkReader(b *testing.B) {
	for _, name := range []string{"lab/quiet", "lab/suspicious"} {
		b.Run(filepath.Base(name), func(b *testing.B) {
			path := filepath.Join(shared, "captures", name+".scap")
			if _, err := os.Stat(path); err != nil {
				b.Skip(err)
			}
			data, err := capturetest.Repeat(path, 1_000_000)
			if err != nil {
				b.Fatal(err)
			}
			events := readAll(b, bytes.NewReader(data))
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += events {
				readAll(b, bytes.NewReader(data))
			}
			b.ReportMetric(float64(len(data))/float64(events), "bytes/event")
		})
	}
}

// BenchmarkReaderFile reads capture files as they lie on disk: compressed, and in some cases with events to convert. One
// operation is an event.
func BenchmarkReaderFile(b *testing.B) {
	for _, name := range []string{"lab/quiet", "falco/psp/run_as_user_0_container", "falco/open-multiple-files", "libs/curl_google"} {
		b.Run(filepath.Base(name), func(b *testing.B) {
			data, err := os.ReadFile(filepath.Join(shared, "captures", name+".scap"))
			if err != nil {
				b.Skip(err)
			}
			events := readAll(b, bytes.NewReader(data))
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += events {
				readAll(b, bytes.NewReader(data))
			}
		})
	}
}
