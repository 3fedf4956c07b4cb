package ruleset_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/ruleset"
)

func syscallNames(list []event.SC) []string {
	var names []string
	for _, sc := range list {
		names = append(names, event.Syscalls()[sc].Name)
	}
	slices.Sort(names)
	return names
}

func TestSyscalls(t *testing.T) {
	var stateSet []string
	for _, s := range event.Syscalls() {
		if s.State {
			stateSet = append(stateSet, s.Name)
		}
	}
	if len(stateSet) < 60 {
		t.Fatalf("the state needs only %d system calls", len(stateSet))
	}
	const minimal = "capset chdir chroot clone clone3 execve execveat fchdir fork prctl sched_process_exit setgid setgid32 " +
		"setpgid setresgid setresgid32 setresuid setresuid32 setsid setuid setuid32 vfork"
	cases := []struct {
		name, rules string
		base        ruleset.BaseSyscalls
		want        string // "state" stands for the calls the state needs
		inactive    string
		invalid     string
	}{
		{"default", "a: evt.type in (unlink, sysinfo)", ruleset.BaseSyscalls{}, "state sysinfo unlink", "", ""},
		{"ignored calls", "a: evt.type = read", ruleset.BaseSyscalls{}, "state", "read", ""},
		{"all", "a: evt.type = read", ruleset.BaseSyscalls{All: true}, "read state", "", ""},
		{
			"custom set", "a: evt.type = unlink",
			ruleset.BaseSyscalls{CustomSet: []string{"mkdir", "nope"}},
			"mkdir sched_process_exit unlink", "", "nope",
		},
		{
			"negative names", "a: evt.type in (unlink, mkdir)",
			ruleset.BaseSyscalls{CustomSet: []string{"mkdir", "!unlink"}},
			"mkdir sched_process_exit", "unlink", "",
		},
		{"repair", "a: evt.type = unlink", ruleset.BaseSyscalls{Repair: true}, "close unlink " + minimal, "", ""},
		{
			"repair for the network", "a: evt.type = accept",
			ruleset.BaseSyscalls{Repair: true},
			"accept bind close getsockopt socket " + minimal, "", "",
		},
		{
			"repair of a custom set", "a: evt.type = unlink",
			ruleset.BaseSyscalls{Repair: true, CustomSet: []string{"ptrace"}},
			"close ptrace unlink " + minimal, "", "",
		},
		{"no rules", "", ruleset.BaseSyscalls{}, "state", "", ""},
	}
	for _, c := range cases {
		watched, inactive, invalid := compile(t, rulesOf(t, c.rules), false).Syscalls(c.base, nil)
		want := strings.Fields(c.want)
		if i := slices.Index(want, "state"); i >= 0 {
			want = append(slices.Delete(want, i, i+1), stateSet...)
		}
		slices.Sort(want)
		if got := syscallNames(watched); !slices.Equal(got, slices.Compact(want)) {
			t.Errorf("%s: watched\n got %v\nwant %v", c.name, got, want)
		}
		if got := strings.Join(syscallNames(inactive), " "); got != c.inactive {
			t.Errorf("%s: inactive: got %q, want %q", c.name, got, c.inactive)
		}
		if got := strings.Join(invalid, " "); got != c.invalid {
			t.Errorf("%s: invalid: got %q, want %q", c.name, got, c.invalid)
		}
	}
}
