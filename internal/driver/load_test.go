package driver

import "testing"

func TestCountCPUs(t *testing.T) {
	for list, want := range map[string]int{
		"0\n": 1, "0-1\n": 2, "0-3,8,10-11\n": 7, "0-255": 256, "": 0, "\n": 0, "0-": 0, "3-1": 0, "a": 0, "0,,1": 0,
	} {
		if got := countCPUs(list); got != want {
			t.Errorf("%q names %d CPUs, want %d", list, got, want)
		}
	}
}
