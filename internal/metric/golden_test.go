package metric

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (go test -update rewrites it); got:\n%s", path, got)
	}
}

// TestGolden renders an early and a late snapshot in every form.
func TestGolden(t *testing.T) {
	plain := everything()
	plain.ConvertToMB = false
	empty := everything()
	empty.IncludeEmpty = true
	var lines, texts, alerts []byte
	n := uint64(0)
	add := func(previous, cur *Snapshot, o Options) {
		for _, a := range Alerts(previous, cur, o) {
			lines = append(lines, Line(n, a)...)
			if n == 0 { // The fields are the same in all three forms.
				texts = append(a.AppendText(texts, alert.Style{Zone: time.UTC}), '\n')
				alerts = append(a.AppendJSON(alerts, alert.Style{}), '\n')
			}
		}
		n++
	}
	add(nil, full(10), everything())
	add(full(10), full(20), plain)
	add(full(20), full(21), empty)
	add(full(21), full(5), everything()) // counters that began anew
	add(nil, &Snapshot{Time: at(0), Sources: []Source{{Name: "syscall", Engine: "nodriver"}}}, Options{})
	golden(t, "lines.jsonl", lines)
	golden(t, "alerts.txt", texts)
	golden(t, "alerts.jsonl", alerts)
	golden(t, "full.prom", AppendPrometheus(nil, full(20), everything()))
	golden(t, "none.prom", AppendPrometheus(nil, full(20), Options{}))
	golden(t, "empty.prom", AppendPrometheus(nil, &Snapshot{}, everything()))
}
