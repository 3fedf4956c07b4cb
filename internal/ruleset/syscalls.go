package ruleset

import (
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/match"
)

// BaseSyscalls is the configuration base_syscalls: which system calls are watched beside those of the rules.
type BaseSyscalls struct {
	CustomSet []string // names, "!" before those that are never watched
	Repair    bool
	All       bool
}

// Needs returns the system calls that the rules name or cannot do without.
func (r *Ruleset) Needs() []event.SC { return list(r.needs) }

// Syscalls returns the system calls to watch (falco-core.md §5.4): those of the rules, those that also names (what plugins
// parse), and those that the state needs, as the configuration changes them. invalid are names in the configuration that
// no system call has; inactive are calls that rules need and that are not watched.
func (r *Ruleset) Syscalls(base BaseSyscalls, also []event.SC) (watched, inactive []event.SC, invalid []string) {
	var positive, negative []string
	for _, name := range base.CustomSet {
		list := &positive
		if len(name) > 0 && name[0] == '!' {
			name, list = name[1:], &negative
		}
		if name == "" {
			continue
		}
		if match.NamedSyscalls([]string{name}).Len() == 0 {
			invalid = append(invalid, name)
		}
		*list = append(*list, name)
	}
	custom := match.NamedSyscalls(positive)
	chosen := custom.Len() > 0

	set := clone(r.needs)
	switch {
	case base.Repair && !chosen:
		set = repaired(set)
	case chosen:
		set.Merge(custom)
	default:
		set.Merge(where(func(s *event.Syscall) bool { return s.State }))
	}
	if !base.Repair || chosen {
		for _, sc := range also {
			set.Add(int(sc))
		}
	}
	set.Remove(match.NamedSyscalls(negative))
	if !base.All {
		set.Remove(where(func(s *event.Syscall) bool { return s.Ignored }))
	}
	if base.Repair && len(base.CustomSet) > 0 {
		set = repaired(set)
	}
	set.Merge(where(func(s *event.Syscall) bool { return s.Event == event.ProcexitV1E }))

	missing := clone(r.needs)
	missing.Remove(set)
	return list(set), list(missing), invalid
}

// repairSet are the calls without which processes cannot be followed at all.
var repairSet = []string{
	"clone", "clone3", "fork", "vfork", "execve", "execveat", "fchdir", "chdir", "chroot", "capset", "setgid", "setpgid",
	"setresgid", "setresuid", "setsid", "setuid", "prctl",
}

// repaired adds to a set the calls that its own need: sockets when it has network calls, close when it has descriptors.
func repaired(set match.Bits) match.Bits {
	out := match.NamedSyscalls(repairSet)
	out.Merge(set)
	types := event.Types()
	net := has(set, func(s *event.Syscall) bool { return types[s.Event].Category == event.CategoryNet })
	if net {
		out.Merge(match.NamedSyscalls([]string{"socket", "getsockopt"}))
	}
	if has(set, func(s *event.Syscall) bool { return s.Name == "accept" || s.Name == "accept4" || s.Name == "listen" }) {
		out.Merge(match.NamedSyscalls([]string{"bind"}))
	}
	files := func(s *event.Syscall) bool {
		switch types[s.Event].Category {
		case event.CategoryFile, event.CategoryIoRead, event.CategoryIoWrite, event.CategoryIoOther:
			return true
		}
		return false
	}
	if net || has(set, files) {
		out.Merge(match.NamedSyscalls([]string{"close"}))
	}
	return out
}

// where returns the system calls that have a property, has whether one of a set has it.
func where(is func(*event.Syscall) bool) match.Bits {
	out := match.NewBits(event.NumSC)
	all := event.Syscalls()
	for i := range all {
		if all[i].Name != "" && is(&all[i]) {
			out.Add(i)
		}
	}
	return out
}

func has(set match.Bits, is func(*event.Syscall) bool) bool {
	all := event.Syscalls()
	for i := range all {
		if all[i].Name != "" && set.Has(i) && is(&all[i]) {
			return true
		}
	}
	return false
}

func list(b match.Bits) []event.SC {
	var out []event.SC
	for i := range event.NumSC {
		if b.Has(i) {
			out = append(out, event.SC(i))
		}
	}
	return out
}

func clone(b match.Bits) match.Bits { return append(match.Bits(nil), b...) }
