package rules_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/capture"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/ruleset"
	"github.com/saker-sec/saker/internal/state"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// replay returns how often each default rule speaks of a capture.
func replay(t *testing.T, path string) map[string]int {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Skipf("needs the captures: %v", err)
	}
	set, err := ruleset.New(load(t), options())
	if err != nil {
		t.Fatalf("compiling the default rules: %v", err)
	}
	source, err := capture.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	machine := state.New(state.Config{})
	machine.Load(source.Snapshot())
	spoke := map[string]int{}
	var e event.Event
	for {
		err := source.Next(&e)
		if errors.Is(err, io.EOF) {
			return spoke
		}
		if err != nil {
			t.Fatal(err)
		}
		c := machine.Apply(&e)
		if e.Dump&event.StateOnly != 0 {
			continue
		}
		for _, m := range set.Match(c) {
			spoke[m.Name]++
			if testing.Verbose() {
				t.Log(m.Name + ": " + set.Alert(m, c).Message)
			}
		}
	}
}

// TestQuietCapture replays fifteen seconds of ordinary shell work: no default rule may speak.
func TestQuietCapture(t *testing.T) {
	for rule, n := range replay(t, filepath.Join("..", "..", "shared", "captures", "lab", "quiet.scap")) {
		t.Errorf("rule %q speaks %d times of ordinary work", rule, n)
	}
}

// TestSuspiciousCapture replays a recorded series of attacks and compares which rules speak, and how often.
func TestSuspiciousCapture(t *testing.T) {
	spoke := replay(t, filepath.Join("..", "..", "shared", "captures", "lab", "suspicious.scap"))
	var lines []string
	for rule, n := range spoke {
		lines = append(lines, fmt.Sprintf("%3d %s\n", n, rule))
	}
	sort.Slice(lines, func(i, j int) bool { return lines[i][4:] < lines[j][4:] })
	got := strings.Join(lines, "")
	golden := filepath.Join("testdata", "suspicious.txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, golden); got != want {
		t.Errorf("alerts of the default rules:\n%swant:\n%s", got, want)
	}
}
