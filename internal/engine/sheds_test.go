package engine

import (
	"testing"

	"github.com/saker-sec/saker/internal/state"
)

func TestSheds(t *testing.T) {
	var s sheds
	for i, c := range []struct {
		full uint64
		want bool
	}{{0, false}, {1, true}, {1, false}, {2, true}, {3, false}, {100, true}, {150, false}, {199, false}, {200, true}} {
		if got := s.check(state.Stats{DropsFullFDTable: c.full}) != nil; got != c.want {
			t.Errorf("look %d with %d shed: alert %v, want %v", i, c.full, got, c.want)
		}
	}
}
