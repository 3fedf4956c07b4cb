package match

import (
	"slices"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/filter"
)

// TestEventCodes gives the names of the event types that a condition is tried for, "*" for all.
func TestEventCodes(t *testing.T) {
	cases := []struct{ cond, want string }{
		{"evt.type = open", "open"},
		{"evt.type in (open, dup3) and t.a = b", "dup3 open"},
		{"evt.type = open or t.a = b", "*"},
		{"t.a = b", "*"},
		{"not t.a = b", "*"},
		{"evt.type = open and evt.type = close", ""},
		{"not (evt.type != open)", "open"},
		{"not (not evt.type = open or t.a = b)", "open"},
		{"evt.type = open and not evt.type = open", ""},
		{"evt.num = 0", "*"},
		{"evt.num = 0 or evt.type = open", "*"},
		{"evt.num >= 0 and evt.type = dup3", "dup3"},
		{"evt.type exists", "*"},
		{"not evt.type exists", ""},
		{"evt.type = getuid and syscall.type = getuid", "getuid"},
		{"evt.type = sysinfo", "syscall"},
		{"evt.type startswith open", "*"},
	}
	for _, c := range cases {
		e, err := filter.Parse(c.cond)
		if err != nil {
			t.Fatal(err)
		}
		codes, err := EventCodes(e)
		if err != nil {
			t.Errorf("%s: %v", c.cond, err)
			continue
		}
		var names []string
		for i, typ := range event.Types() {
			if codes.Has(i) {
				names = append(names, typ.Name)
			}
		}
		slices.Sort(names)
		got := strings.Join(slices.Compact(names), " ")
		if codes.Len() == event.NumCodes {
			got = "*"
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.cond, got, c.want)
		}
	}
}

func TestEventCodesRefusals(t *testing.T) {
	for _, cond := range []string{"evt.type = val(t.a)", "tolower(evt.type) = open", "toupper(tolower(evt.type)) exists"} {
		e, err := filter.Parse(cond)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := EventCodes(e); err == nil {
			t.Errorf("%s is accepted", cond)
		}
	}
}

func TestPossibleSyscalls(t *testing.T) {
	cases := []struct{ cond, want string }{
		{"evt.type = open", "open"},
		{"evt.type in (sysinfo, uname)", "sysinfo uname"},
		{"evt.type = fcntl", "fcntl fcntl64"},
		{"evt.type = procexit", "sched_process_exit"},
		{"evt.num = 0", ""},
		{"not evt.num > 0", ""},
		{"evt.num in (0, 0)", ""},
		{"evt.num = 0 or evt.type = open", "open"},
	}
	for _, c := range cases {
		e, err := filter.Parse(c.cond)
		if err != nil {
			t.Fatal(err)
		}
		set, err := PossibleSyscalls(e)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for i, sc := range event.Syscalls() {
			if set.Has(i) {
				names = append(names, sc.Name)
			}
		}
		slices.Sort(names)
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s: got %q, want %q", c.cond, got, c.want)
		}
	}
}
