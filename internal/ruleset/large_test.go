package ruleset_test

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/ruleset"
)

// cpuTime returns the time that this process has computed, which does not depend on what else runs.
func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestLarge compiles what is far larger than rules are. What is not about linear in it takes minutes, or gigabytes.
func TestLarge(t *testing.T) {
	many := func(n int, format, separator string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = strings.ReplaceAll(format, "#", fmt.Sprint(i*7919))
		}
		return strings.Join(parts, separator)
	}
	const opened = "a: evt.type = openat and "
	cases := []struct{ name, rules string }{
		{"a list", opened + "fd.name in (" + many(20000, "/srv/#/file.txt", ", ") + ") and fd.name endswith .conf and fd.name = /x"},
		{"a list, for all types of events", "a: fd.name in (" + many(20000, "/srv/#/file.txt", ", ") + ") and fd.name endswith .conf"},
		{"alternatives", opened + "(" + many(20000, "fd.name startswith /srv/#/x", " or ") + ")"},
		{"conditions", opened + many(20000, "not fd.name startswith /srv/#/x", " and ")},
		{"exceptions", opened + many(20000, "not (fd.name startswith /srv/#/x and proc.name = x#)", " and ")},
		{"rules", many(2000, "r#: evt.type in (open, openat) and fd.name startswith /srv/#/x and proc.name = p# and not proc.pname in (a#, b)", "\n")},
		{"rules with lists", many(500, "r#: evt.type in (open, openat) and proc.name = p# and fd.name in ("+many(100, "/srv/#/x", ", ")+", /#)", "\n")},
	}
	for _, c := range cases {
		rules := rulesOf(t, c.rules)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := cpuTime(t)
		if _, err := ruleset.New(rules, testOptions(t)); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if used := cpuTime(t) - start; used > 30*time.Second {
			t.Errorf("%s: %v", c.name, used)
		}
		if used := (after.TotalAlloc - before.TotalAlloc) >> 20; used > 1000 {
			t.Errorf("%s: %d MB", c.name, used)
		}
	}
}
