package field

import (
	"math"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/state"
)

func threadCapabilities() []Field {
	return []Field{
		{
			Name: "thread.cap_permitted", Type: CHARBUF, Doc: "Names of the capabilities that the thread may use.",
			Bind: ofCapabilities(func(t *state.Thread) uint64 { return t.CapPermitted }),
		},
		{
			Name: "thread.cap_inheritable", Type: CHARBUF,
			Doc:  "Names of the capabilities that the thread may pass on through execve.",
			Bind: ofCapabilities(func(t *state.Thread) uint64 { return t.CapInheritable }),
		},
		{
			Name: "thread.cap_effective", Type: CHARBUF,
			Doc:  "Names of the capabilities that the kernel checks the thread for.",
			Bind: ofCapabilities(func(t *state.Thread) uint64 { return t.CapEffective }),
		},
	}
}

func ofCapabilities(f func(*state.Thread) uint64) binder {
	return builtOfThread(costBuild, func(dst []byte, t *state.Thread) []byte { return appendCapabilities(dst, f(t)) })
}

// threadFields are the fields of one thread, and those of its process that stand among them in Falco's list.
func threadFields() []Field {
	return []Field{
		{
			Name: "thread.pfmajor", Type: UINT64, Doc: "Number of major page faults since the thread started.",
			Bind: numberOfThread(func(t *state.Thread) uint64 { return t.PFMajor }),
		},
		{
			Name: "thread.pfminor", Type: UINT64, Doc: "Number of minor page faults since the thread started.",
			Bind: numberOfThread(func(t *state.Thread) uint64 { return t.PFMinor }),
		},
		{
			Name: "thread.tid", Type: INT64, Doc: "Id of the thread.",
			Bind: number(costLoad, func(c *state.Ctx) (uint64, bool) {
				return uint64(c.Event.TID), c.Event.TID >= -1 && c.Event.TID <= math.MaxUint32
			}),
		},
		{
			Name: "thread.ismain", Type: BOOL, Doc: "Whether the thread is the main one of its process.",
			Bind: boolOfThread((*state.Thread).IsMain),
		},
		{
			Name: "thread.vtid", Type: INT64, Doc: "Id of the thread within its pid namespace.",
			Bind: knownOfThread(math.MaxUint64, func(t *state.Thread) uint64 { return uint64(t.VTID) }),
		},
		{
			Name: "thread.nametid", Type: CHARBUF, Flags: TableOnly,
			Doc: "Name of the program followed by the id of the thread.",
			Bind: built(costBuild, func(c *state.Ctx, dst []byte) ([]byte, bool) {
				if c.Thread == nil {
					return dst, false
				}
				return strconv.AppendInt(append(dst, c.Thread.Comm...), c.Event.TID, 10), true
			}),
		},
		{
			Name: "thread.exectime", Type: RELTIME, Bind: unmeasured(anyEvent),
			Doc: "Nanoseconds that the thread ran until the CPU was given to another one; always 0, as in Falco.",
		},
		{
			Name: "thread.totexectime", Type: RELTIME, Bind: unmeasured(hasThread),
			Doc: "Nanoseconds that the thread ran since the first event; always 0, as in Falco.",
		},
		{
			Name: "thread.cgroups", Type: CHARBUF,
			Doc: "All control groups of the thread as subsystem=path, separated by blanks.",
			Bind: text(costLoad, func(c *state.Ctx) (string, bool) {
				if c.Thread == nil || len(c.Thread.Cgroups.All) == 0 {
					return "", false
				}
				return c.Thread.Cgroups.Text, true
			}),
		},
		{
			Name: "thread.cgroup", Type: CHARBUF, Args: []ArgKind{ArgSuffix}, Flags: ArgRequired, split: splitCgroup,
			Bind: bindCgroup,
			Doc:  "Control group of the thread in one subsystem, as in thread.cgroup.cpuset.",
		},
		{
			Name: "proc.nthreads", Type: UINT64, Doc: "Number of live threads of the process, with its main one.",
			Bind: numberOfThread(func(t *state.Thread) uint64 { return uint64(t.NumThreads()) }),
		},
		{
			Name: "proc.nchilds", Type: UINT64, Doc: "Number of live threads of the process, without its main one.",
			Bind: numberOfThread((*state.Thread).NumNotLeader),
		},
		{
			Name: "thread.cpu", Type: DOUBLE, Bind: unmeasured(isProcinfo),
			Doc: "CPU time that the thread used since the procinfo event before; only those events have it, and it " +
				"is always 0, as in Falco.",
		},
		{
			Name: "thread.cpu.user", Type: DOUBLE,
			Doc:  "The part of thread.cpu that was spent in user mode.",
			Bind: unmeasured(isProcinfo),
		},
		{
			Name: "thread.cpu.system", Type: DOUBLE,
			Doc:  "The part of thread.cpu that was spent in the kernel.",
			Bind: unmeasured(isProcinfo),
		},
		{
			Name: "thread.vmsize", Type: UINT64,
			Doc:  "Virtual memory of the process in kB for its main thread, 0 for others.",
			Bind: numberOfThread(ofMain(func(t *state.Thread) uint64 { return uint64(t.VMSize) })),
		},
		{
			Name: "thread.vmrss", Type: UINT64,
			Doc:  "Resident memory of the process in kB for its main thread, 0 for others.",
			Bind: numberOfThread(ofMain(func(t *state.Thread) uint64 { return uint64(t.VMRSS) })),
		},
		{
			Name: "thread.vmsize.b", Type: UINT64, Flags: TableOnly, Doc: "thread.vmsize in bytes.",
			Bind: numberOfThread(ofMain(func(t *state.Thread) uint64 { return uint64(t.VMSize) * 1024 })),
		},
		{
			Name: "thread.vmrss.b", Type: UINT64, Flags: TableOnly, Doc: "thread.vmrss in bytes.",
			Bind: numberOfThread(ofMain(func(t *state.Thread) uint64 { return uint64(t.VMRSS) * 1024 })),
		},
	}
}

func ofMain(f func(*state.Thread) uint64) func(*state.Thread) uint64 {
	return func(t *state.Thread) uint64 {
		if !t.IsMain() {
			return 0
		}
		return f(t)
	}
}

// splitCgroup is the split of thread.cgroup: the name of a subsystem.
func splitCgroup(text, rest string) (string, int, error) {
	if !strings.HasPrefix(rest, ".") {
		return "", 0, syntaxError(text)
	}
	n := 1
	for n < len(rest) && (rest[n] == '_' || rest[n] >= 'a' && rest[n] <= 'z' || rest[n] >= 'A' && rest[n] <= 'Z') {
		n++
	}
	return rest[1:n], n, nil
}

func bindCgroup(arg string, _ bool) (*Extractor, error) {
	return &Extractor{Cost: costWalk, Text: func(c *state.Ctx) (string, bool) {
		if c.Thread == nil {
			return "", false
		}
		return c.Thread.Cgroups.Path(arg)
	}}, nil
}

// unmeasured is the Bind of the times that a thread spends on a CPU, without value for events that have none. Falco
// measures them within the comparison that asks, where a second look at the same event sees nothing left, and so prints
// and compares 0 always. A comparison may be skipped here altogether, so measuring there could not be right either.
func unmeasured(has func(*state.Ctx) bool) binder {
	return number(costLoad, func(c *state.Ctx) (uint64, bool) { return 0, has(c) })
}

func anyEvent(*state.Ctx) bool { return true }

func hasThread(c *state.Ctx) bool { return c.Thread != nil }

func isProcinfo(c *state.Ctx) bool { return c.Thread != nil && c.Event.Code == event.ProcinfoE }
