package capture

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

const shared = "../../../shared"

// captures returns the capture files of the shared directory.
func captures(t testing.TB) []string {
	t.Helper()
	var list []string
	for _, pattern := range []string{"falco/*.scap", "falco/psp/*.scap", "libs/*.scap", "lab/*.scap"} {
		l, err := filepath.Glob(filepath.Join(shared, "captures", pattern))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, l...)
	}
	if len(list) == 0 {
		t.Skipf("no captures in %s", filepath.Join(shared, "captures"))
	}
	return list
}

// goldenEvent is what the reference printed of an event, as far as it does not depend on the state.
type goldenEvent struct {
	Num  uint64 `json:"evt.num"`
	Time uint64 `json:"evt.rawtime"`
	CPU  int16  `json:"evt.cpu"`
	TID  *int64 `json:"thread.tid"`
	Type string `json:"evt.type"`
	Args string `json:"evt.args"`
}

// golden returns the events that the reference printed for a capture, nil when it did not.
func golden(t testing.TB, capture string) []goldenEvent {
	t.Helper()
	name := strings.TrimSuffix(filepath.Base(capture), ".scap") + ".jsonl.gz"
	f, err := os.Open(filepath.Join(shared, "golden", name))
	if err != nil {
		return nil
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var list []goldenEvent
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 16<<20)
	for first := true; lines.Scan(); first = false {
		if first {
			continue
		}
		var g goldenEvent
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		list = append(list, g)
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return list
}

// TestGoldenNumbers compares number, time, CPU, type and thread of each event with what the reference printed.
func TestGoldenNumbers(t *testing.T) {
	for _, path := range captures(t) {
		want := golden(t, path)
		if want == nil {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			r, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			var e event.Event
			for _, g := range want {
				for e.Num < g.Num {
					if err := r.Next(&e); err != nil {
						t.Fatalf("want event %d: %v", g.Num, err)
					}
				}
				if e.Dump&event.StateOnly != 0 {
					t.Fatalf("event %d is state-only, the reference shows it", g.Num)
				}
				if e.Time != g.Time || e.CPU != g.CPU {
					t.Fatalf("event %d: time %d cpu %d, want %d and %d", g.Num, e.Time, e.CPU, g.Time, g.CPU)
				}
				if g.TID != nil && *g.TID != e.TID {
					t.Errorf("event %d: tid %d, want %d", g.Num, e.TID, *g.TID)
				}
				if e.Type().Name != g.Type && e.Code != event.GenericX {
					t.Fatalf("event %d: type %s, want %s", g.Num, e.Type().Name, g.Type)
				}
			}
			for err == nil {
				err = r.Next(&e)
			}
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			if r.Skipped() != (Skipped{}) {
				t.Errorf("skipped %+v", r.Skipped())
			}
		})
	}
}
