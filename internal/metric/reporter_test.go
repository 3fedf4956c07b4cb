package metric

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

func TestReporter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stats.jsonl")
	file, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var alerts []*alert.Alert
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		r := &Reporter{
			Interval: time.Hour, Options: everything(), File: file,
			Collect: func() *Snapshot {
				s := full(20)
				s.Time = time.Now()
				s.Sources[0].Events = 3600 * uint64(1+time.Since(start)/time.Hour)
				return s
			},
			Publish: func(a *alert.Alert) { alerts = append(alerts, a) },
			Log:     func(err error) { t.Error(err) },
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour+time.Minute)
		defer cancel()
		r.Run(ctx)
	})
	if len(alerts) != 6 {
		t.Fatalf("%d alerts, want one at once and two later, for two sources", len(alerts))
	}
	for _, a := range alerts {
		if a.Rule != "Falco internal: metrics snapshot" || a.Priority != alert.Informational || a.Source != "internal" || !a.Internal ||
			a.Message != "Falco metrics snapshot" || a.Hostname != "node-1" {
			t.Errorf("alert %+v", a)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	if len(lines) != 6 {
		t.Fatalf("%d lines, want 6", len(lines))
	}
	for i, line := range lines {
		var got struct {
			Sample int
			Fields map[string]any `json:"output_fields"`
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		source, rate := "syscall", any(1.0)
		if i%2 == 1 {
			source, rate = "k8s_audit", any(0.0)
		}
		if i < 2 {
			rate = nil
		}
		if got.Sample != i/2 || got.Fields["evt.source"] != source || got.Fields["falco.evts_rate_sec"] != rate {
			t.Errorf("line %d: sample %d of %v with rate %v", i, got.Sample, got.Fields["evt.source"], got.Fields["falco.evts_rate_sec"])
		}
	}
}

// TestFileGone reports what goes wrong and goes on; a file that was moved away is made anew.
func TestFileGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	path := filepath.Join(dir, "stats.jsonl")
	if _, err := OpenFile(path); err == nil || !strings.Contains(err.Error(), "metrics.output_file") || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	faults := 0
	r := &Reporter{Collect: func() *Snapshot { return full(1) }, File: file, Log: func(error) { faults++ }}
	r.sample()
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	r.sample()
	if data, err := os.ReadFile(path); err != nil || strings.Count(string(data), "\n") != 2 {
		t.Errorf("the new file has %q, %v", data, err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	r.sample()
	if faults != 2 {
		t.Errorf("%d faults reported, want 2", faults)
	}
}
