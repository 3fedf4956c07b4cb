package engine

import (
	"slices"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/alert"
)

func TestDrops(t *testing.T) {
	const all = DropLog | DropAlert
	cases := []struct {
		name   string
		policy DropPolicy
		// losses in each second, as totals
		losses         []Losses
		want           string // a letter per second: . nothing, A alert
		detected, acts uint64
	}{
		{"none", DropPolicy{.1, .03333, 1, false, all}, []Losses{{Events: 10}, {Events: 20}}, "..", 0, 0},
		{"below the threshold", DropPolicy{.5, .03333, 1, false, all}, []Losses{{Events: 10, Lost: 5}, {Events: 20, Lost: 9}}, "..", 0, 0},
		{"above the threshold", DropPolicy{.1, .03333, 1, false, all}, []Losses{{Events: 10, Lost: 5}}, "A", 1, 1},
		{"bucket empties", DropPolicy{0, .03333, 1, false, all}, []Losses{{Events: 1, Lost: 1}, {Events: 2, Lost: 2}, {Events: 3, Lost: 3}}, "A..", 3, 1},
		{"bucket refills", DropPolicy{0, .5, 1, false, all}, []Losses{{Events: 1, Lost: 1}, {Events: 2, Lost: 2}, {Events: 3, Lost: 3}}, "A.A", 3, 2},
		{"burst", DropPolicy{0, 0, 2, false, all}, []Losses{{Events: 1, Lost: 1}, {Events: 2, Lost: 2}, {Events: 3, Lost: 3}}, "AA.", 3, 2},
		{"simulated", DropPolicy{1, 0, 10, true, all}, []Losses{{}, {}}, "AA", 2, 2},
		{"zero threshold takes all", DropPolicy{0, 1, 9, false, all}, []Losses{{Events: 1000000, Lost: 1}}, "A", 1, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := newDrops(c.policy, true)
			got := ""
			for i, l := range c.losses {
				action, a := d.check(uint64(i+1)*second, l)
				if (action == all) != (a != nil) {
					t.Fatalf("action %d with alert %v", action, a)
				}
				got += map[bool]string{true: "A", false: "."}[a != nil]
			}
			if got != c.want || d.detected != c.detected || d.acted != c.acts {
				t.Errorf("got %s, detected %d, acted %d", got, d.detected, d.acted)
			}
		})
	}
}

func TestDropAlertHasTheDifference(t *testing.T) {
	d := newDrops(DropPolicy{Burst: 2, Actions: DropAlert}, true)
	d.check(second, Losses{Events: 100, Lost: 1, Buffer: 1, Open: 1})
	_, a := d.check(2*second, Losses{Events: 150, Lost: 8, Buffer: 7, Open: 3, Execve: 5})
	text := string(a.AppendText(nil, alert.Style{}))
	for _, want := range []string{
		"7 system calls dropped in last second.", `n_evts="50"`, `n_drops="7"`, `n_drops_buffer_open_exit="2"`,
		`n_drops_buffer_execve_exit="5"`, `n_drops_buffer_total="6"`, `ebpf_enabled="1"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%s lacks %s", text, want)
		}
	}
}

// TestParts names the reasons of losses, those that should not happen apart.
func TestParts(t *testing.T) {
	l := Losses{Lost: 12, Open: 1, Bug: 11, Interrupted: 7, NoProgram: 3}
	want := []string{"open 1", "program interrupted by another run of it 7", "no program 3", "not decodable 1"}
	if got := l.Parts(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := l.minus(Losses{Interrupted: 5, NoProgram: 1}); got.Interrupted != 2 || got.NoProgram != 2 {
		t.Errorf("minus: %+v", got)
	}
}
