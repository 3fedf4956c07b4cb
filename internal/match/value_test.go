package match

import (
	"math"
	"strings"
	"testing"
)

// The expectations are those of sscanf(3) with %u and %d.
func TestNumbers(t *testing.T) {
	unsigned := []struct {
		text string
		bits int
		want uint64
		ok   bool
	}{
		{"0", 32, 0, true},
		{" 7", 32, 7, true},
		{"+7", 64, 7, true},
		{"-1", 64, math.MaxUint64, true},
		{"-1", 32, math.MaxUint32, true},
		{"4294967297", 32, 1, true},
		{"99999999999999999999", 64, math.MaxUint64, true},
		{"", 64, 0, false},
		{"7 ", 64, 0, false},
		{"0x10", 64, 0, false},
		{"1.5", 64, 0, false},
		{"-", 64, 0, false},
	}
	for _, c := range unsigned {
		if got, err := scanUint(c.text, c.bits); (err == nil) != c.ok || c.ok && got != c.want {
			t.Errorf("scanUint(%q, %d) = %d, %v", c.text, c.bits, got, err)
		}
	}
	signed := []struct {
		text string
		bits int
		want int64
		ok   bool
	}{
		{"-5", 64, -5, true},
		{"2147483648", 32, math.MinInt32, true},
		{"99999999999999999999", 64, math.MaxInt64, true},
		{"-99999999999999999999", 64, math.MinInt64, true},
		{"--1", 64, 0, false},
		{"a", 32, 0, false},
	}
	for _, c := range signed {
		if got, err := scanInt(c.text, c.bits); (err == nil) != c.ok || c.ok && got != c.want {
			t.Errorf("scanInt(%q, %d) = %d, %v", c.text, c.bits, got, err)
		}
	}
}

func TestReadServices(t *testing.T) {
	look, err := ReadServices(strings.NewReader("# ports\nssh 22/tcp # secure\ndomain 53/tcp\ndomain 5353/udp\n" +
		"http\t80/tcp www web\nbroken\nworse x/tcp\n"))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]uint16{"ssh": 22, "domain": 53, "www": 80, "web": 80} {
		if port, ok := look(name); !ok || port != want {
			t.Errorf("%s is port %d, %v", name, port, ok)
		}
	}
	for _, name := range []string{"#", "broken", "worse", ""} {
		if _, ok := look(name); ok {
			t.Errorf("%q has a port", name)
		}
	}
}
