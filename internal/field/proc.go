package field

import (
	"math"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/state"
)

// process is the class of fields that describe the process and the thread of an event.
func process() *Class {
	c := &Class{
		Name:   "process",
		Doc:    "The process and thread that caused the event, and their ancestors.",
		Source: "syscall",
	}
	for _, fields := range [][]Field{
		processPrograms(), processIDs(), processTimes(), executableFields(),
		threadCapabilities(), processResources(), threadFields(), standardStreams(),
	} {
		c.Fields = append(c.Fields, fields...)
	}
	return c
}

func processPrograms() []Field {
	const ancestors = NoRHS | NoTransformer | ArgAllowed
	index := []ArgKind{ArgIndex}
	exe := func(t *state.Thread) string { return t.Image.Exe }
	exePath := func(t *state.Thread) string { return t.Image.ExePath }
	comm := func(t *state.Thread) string { return t.Comm }
	return []Field{
		{
			Name: "proc.exe", Type: CHARBUF,
			Doc:  "First argument of the command line (argv[0]), which the caller chooses freely.",
			Bind: ofThread(exe),
		},
		{Name: "proc.pexe", Type: CHARBUF, Doc: "proc.exe of the parent.", Bind: ofParent(exe)},
		{
			Name: "proc.aexe", Type: CHARBUF, Args: index, Flags: ancestors, split: splitIndex, Bind: ofAncestors(exe),
			Doc: "proc.exe of an ancestor: proc.aexe[1] is the parent's, and without index any ancestor's.",
		},
		{
			Name: "proc.exepath", Type: CHARBUF,
			Doc:  "Path of the executable as the kernel knows it.",
			Bind: ofThread(exePath),
		},
		{Name: "proc.pexepath", Type: CHARBUF, Doc: "proc.exepath of the parent.", Bind: ofParent(exePath)},
		{
			Name: "proc.aexepath", Type: CHARBUF, Args: index, Flags: ancestors, split: splitIndex,
			Bind: ofAncestors(exePath),
			Doc:  "proc.exepath of an ancestor: proc.aexepath[1] is the parent's, and without index any ancestor's.",
		},
		{
			Name: "proc.name", Type: CHARBUF,
			Doc:  "Name of the program, as the kernel keeps it (at most 15 bytes).",
			Bind: ofThread(comm),
		},
		{Name: "proc.pname", Type: CHARBUF, Doc: "proc.name of the parent.", Bind: ofParent(comm)},
		{
			Name: "proc.aname", Type: CHARBUF, Args: index, Flags: ancestors, split: splitIndex, Bind: ofAncestors(comm),
			Doc: "proc.name of an ancestor: proc.aname[1] is the parent's, and without index any ancestor's.",
		},
		{
			Name: "proc.args", Type: CHARBUF, Args: index, Flags: ArgAllowed, split: splitIndex, Bind: bindProcArgs,
			Doc: "Arguments of the command line behind the first, separated by blanks, or with an index one of " +
				"them, from 0.",
		},
		{
			Name: "proc.aargs", Type: CHARBUF, Args: index, Flags: ArgAllowed, split: splitIndex, Bind: bindAncestorArgs,
			Doc: "proc.args of an ancestor: proc.aargs[1] is the parent's, and without index those of all " +
				"ancestors in one text.",
		},
		{
			Name: "proc.cmdline", Type: CHARBUF, Doc: "Name of the program and its arguments, separated by blanks.",
			Bind: builtOfThread(costBuild, appendCmdline),
		},
		{
			Name: "proc.pcmdline", Type: CHARBUF,
			Doc:  "proc.cmdline of the parent.",
			Bind: builtOfAncestor(1, appendCmdline),
		},
		{
			Name: "proc.acmdline", Type: CHARBUF, Args: index, Flags: ancestors, split: splitIndex,
			Bind: bindAncestorCmdline,
			Doc:  "proc.cmdline of an ancestor: proc.acmdline[1] is the parent's, and without index any ancestor's.",
		},
		{
			Name: "proc.cmdnargs", Type: UINT64, Doc: "Number of arguments of the command line, the first not counted.",
			Bind: numberOfThread(func(t *state.Thread) uint64 { return uint64(len(t.Image.Args)) }),
		},
		{
			Name: "proc.cmdlenargs", Type: UINT64,
			Doc:  "Length of all arguments of the command line in bytes, without the blanks between them.",
			Bind: numberOfThread(argsLength),
		},
		{
			Name: "proc.exeline", Type: CHARBUF, Doc: "The command line as it was given: proc.exe and the arguments.",
			Bind: builtOfThread(costBuild, func(dst []byte, t *state.Thread) []byte {
				return appendJoined(append(append(dst, t.Image.Exe...), ' '), t.Image.Args)
			}),
		},
		{
			Name: "proc.env", Type: CHARBUF, Args: []ArgKind{ArgKey}, Flags: ArgAllowed, split: splitKey, Bind: bindEnv,
			Doc: "Environment of the process, separated by blanks, or with a name in brackets the value of that " +
				"variable.",
		},
		{
			Name: "proc.aenv", Type: CHARBUF, Args: []ArgKind{ArgIndex, ArgKey}, Flags: ancestors, split: splitKey,
			Bind: bindAncestorEnv,
			Doc: "proc.env of an ancestor: proc.aenv[1] is the parent's, proc.aenv[NAME] the value of that " +
				"variable in the nearest " +
				"ancestor that has it, and without argument any ancestor's.",
		},
		{
			Name: "proc.cwd", Type: CHARBUF, Doc: "Working directory, ending in a slash.",
			Bind: ofThread(func(t *state.Thread) string { return t.Cwd() }),
		},
	}
}

// ancestor returns the main thread of the process n generations up, 0 being the event's own.
func ancestor(c *state.Ctx, n int) *state.Thread {
	if c.Thread == nil {
		return nil
	}
	return c.Thread.Ancestor(n)
}

// ofParent is the Bind of a text of the parent process.
func ofParent(f func(*state.Thread) string) binder {
	return text(costWalk, func(c *state.Ctx) (string, bool) {
		if t := ancestor(c, 1); t != nil {
			return f(t), true
		}
		return "", false
	})
}

// builtOfAncestor is the Bind of a text about an ancestor that f appends.
func builtOfAncestor(n int, f func(dst []byte, t *state.Thread) []byte) binder {
	return built(costBuild, func(c *state.Ctx, dst []byte) ([]byte, bool) {
		if t := ancestor(c, n); t != nil {
			return f(dst, t), true
		}
		return dst, false
	})
}

// generation parses the index of an ancestor field. It reports false without one; a negative one is none.
func generation(arg string) (int, bool) {
	n, err := strconv.ParseInt(arg, 10, 32)
	return int(n), err == nil && n >= 0
}

// eachAncestor calls f for the parent of the event's process, its parent and so on.
func eachAncestor(c *state.Ctx, f func(*state.Thread)) {
	if main := ancestor(c, 0); main != nil {
		main.EachAncestor(func(t *state.Thread) bool {
			f(t)
			return true
		})
	}
}

// joinAncestors is the extractor of what an ancestor field without index prints: the texts of all ancestors but not of the
// process itself, separated by blanks.
func joinAncestors(f func(dst []byte, t *state.Thread) []byte) *Extractor {
	return buildWith(costLong, func(c *state.Ctx, dst []byte) ([]byte, bool) {
		start := len(dst)
		eachAncestor(c, func(t *state.Thread) {
			if len(dst) > start {
				dst = append(dst, ' ')
			}
			dst = f(dst, t)
		})
		return dst, len(dst) > start
	})
}

// ofAncestors is the Bind of a stored text of one ancestor, or without index of any in a condition and all in an output.
func ofAncestors(f func(*state.Thread) string) binder {
	return func(arg string, filtering bool) (*Extractor, error) {
		if n, ok := generation(arg); ok {
			return &Extractor{Cost: costWalk, Text: func(c *state.Ctx) (string, bool) {
				if t := ancestor(c, n); t != nil {
					return f(t), true
				}
				return "", false
			}}, nil
		}
		if !filtering {
			return joinAncestors(func(dst []byte, t *state.Thread) []byte { return append(dst, f(t)...) }), nil
		}
		return &Extractor{Cost: costLong, Quantity: Any, Multi: func(c *state.Ctx, dst []Value) ([]Value, bool) {
			start := len(dst)
			eachAncestor(c, func(t *state.Thread) { dst = append(dst, Value{Type: CHARBUF, Text: f(t)}) })
			return dst, len(dst) > start
		}}, nil
	}
}

// builtOfAncestors gives the texts of all ancestors that f appends, as candidates of a condition.
func builtOfAncestors(f func(dst []byte, t *state.Thread) []byte) *Extractor {
	var buf []byte
	return &Extractor{Cost: costLong, Quantity: Any, Multi: func(c *state.Ctx, dst []Value) ([]Value, bool) {
		start := len(dst)
		b := buf[:0]
		eachAncestor(c, func(t *state.Thread) {
			from := len(b)
			b = f(b, t)
			dst = append(dst, Value{Type: CHARBUF, Text: event.View(b[from:])})
		})
		buf = b
		return dst, len(dst) > start
	}}
}

func bindProcArgs(arg string, _ bool) (*Extractor, error) {
	n, ok := generation(arg)
	if !ok {
		return builtOfThread(costBuild, appendArgs)("", false)
	}
	return ofThread(func(t *state.Thread) string {
		if n < len(t.Image.Args) {
			return t.Image.Args[n]
		}
		return ""
	})("", false)
}

func bindAncestorArgs(arg string, _ bool) (*Extractor, error) {
	if n, ok := generation(arg); ok {
		return builtOfAncestor(n, appendArgs)("", false)
	}
	return joinAncestors(appendArgs), nil
}

func bindAncestorCmdline(arg string, filtering bool) (*Extractor, error) {
	if n, ok := generation(arg); ok {
		return builtOfAncestor(n, appendCmdline)("", false)
	}
	if filtering {
		return builtOfAncestors(appendCmdline), nil
	}
	return joinAncestors(appendCmdline), nil
}

func appendArgs(dst []byte, t *state.Thread) []byte { return appendJoined(dst, t.Image.Args) }

func appendCmdline(dst []byte, t *state.Thread) []byte {
	dst = append(dst, t.Comm...)
	for _, a := range t.Image.Args {
		dst = append(append(dst, ' '), a...)
	}
	return dst
}

func appendEnv(dst []byte, t *state.Thread) []byte { return appendJoined(dst, t.Env()) }

func appendJoined(dst []byte, list []string) []byte {
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, s...)
	}
	return dst
}

func argsLength(t *state.Thread) uint64 {
	n := 0
	for _, a := range t.Image.Args {
		n += len(a)
	}
	return uint64(n)
}

// variable returns the value of an environment variable without the blanks round it, "" when it is not set.
func variable(t *state.Thread, name string) string {
	for _, v := range t.Env() {
		if len(v) > len(name)+1 && v[len(name)] == '=' && v[:len(name)] == name {
			return strings.Trim(v[len(name)+1:], " ")
		}
	}
	return ""
}

func bindEnv(arg string, _ bool) (*Extractor, error) {
	// A number in the brackets names no variable and gives the whole environment.
	if arg == "" || isDigits(arg) {
		return builtOfThread(costLong, appendEnv)("", false)
	}
	x, err := ofThread(func(t *state.Thread) string { return variable(t, arg) })("", false)
	x.Cost = costBuild
	return x, err
}

func isDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// maxEnvLevels is how many ancestors proc.aenv[NAME] looks at.
const maxEnvLevels = 20

func bindAncestorEnv(arg string, filtering bool) (*Extractor, error) {
	if n, ok := generation(arg); ok && n > 0 {
		return built(costLong, func(c *state.Ctx, dst []byte) ([]byte, bool) {
			t := ancestor(c, 0)
			for i := 0; i < min(n, state.MaxAncestry) && t != nil; i++ {
				t = t.Parent()
			}
			if t == nil || n > state.MaxAncestry {
				return dst, false
			}
			return appendEnv(dst, t), true
		})("", false)
	} else if ok || arg == "" {
		if arg == "" && filtering {
			return builtOfAncestors(appendEnv), nil
		}
		return builtOfThread(costLong, appendEnv)("", false)
	}
	return text(costLong, func(c *state.Ctx) (string, bool) {
		if c.Thread == nil {
			return "", false
		}
		t := c.Thread.Main()
		for i := 0; i < maxEnvLevels && t != nil; i++ {
			if t = t.Parent(); t == nil {
				break
			}
			if v := variable(t, arg); v != "" {
				return v, true
			}
		}
		return "", true
	})("", false)
}

func processIDs() []Field {
	const ancestors = NoRHS | NoTransformer | ArgAllowed
	comm := func(t *state.Thread) string { return t.Comm }
	exe := func(t *state.Thread) string { return t.Image.Exe }
	exePath := func(t *state.Thread) string { return t.Image.ExePath }
	return []Field{
		{
			Name: "proc.loginshellid", Type: INT64, Bind: number(costLong, loginShell),
			Doc: "Id of the oldest shell among the process and its ancestors, which tells one login from another.",
		},
		{
			Name: "proc.tty", Type: UINT32, Doc: "Number of the controlling terminal, 0 if there is none.",
			Bind: numberOfThread(func(t *state.Thread) uint64 { return uint64(t.TTY) }),
		},
		{
			Name: "proc.pid", Type: INT64, Doc: "Id of the process.",
			Bind: number(costLoad, func(c *state.Ctx) (uint64, bool) { return processID(c.Thread) }),
		},
		{
			Name: "proc.ppid", Type: INT64, Doc: "Id of the parent process.",
			Bind: number(costWalk, func(c *state.Ctx) (uint64, bool) { return processID(ancestor(c, 1)) }),
		},
		{
			Name: "proc.apid", Type: INT64, Args: []ArgKind{ArgIndex}, Flags: ancestors, split: splitIndex,
			Bind: bindAncestorPID,
			Doc:  "Id of an ancestor process: proc.apid[1] is the parent's, and without index any ancestor's.",
		},
		{
			Name: "proc.vpid", Type: INT64, Doc: "Id of the process within its pid namespace.",
			Bind: knownOfThread(math.MaxUint64, func(t *state.Thread) uint64 { return uint64(t.VPID) }),
		},
		{
			Name: "proc.pvpid", Type: INT64, Doc: "Id of the parent process within its pid namespace.",
			Bind: number(costWalk, func(c *state.Ctx) (uint64, bool) {
				if t := parent(c); t != nil {
					return uint64(t.VPID), true
				}
				return 0, false
			}),
		},
		{
			Name: "proc.sid", Type: INT64, Doc: "Id of the session.",
			Bind: numberOfThread(func(t *state.Thread) uint64 { return uint64(t.SID) }),
		},
		{
			Name: "proc.sname", Type: CHARBUF, Bind: ofLeader((*state.Thread).SessionLeader, comm),
			Doc: "proc.name of the leader of the session, or of the oldest ancestor in it.",
		},
		{
			Name: "proc.sid.exe", Type: CHARBUF, Bind: ofLeader((*state.Thread).SessionLeader, exe),
			Doc: "proc.exe of the leader of the session, or of the oldest ancestor in it.",
		},
		{
			Name: "proc.sid.exepath", Type: CHARBUF, Bind: ofLeader((*state.Thread).SessionLeader, exePath),
			Doc: "proc.exepath of the leader of the session, or of the oldest ancestor in it.",
		},
		{
			Name: "proc.vpgid", Type: INT64, Doc: "Id of the process group within its pid namespace.",
			Bind: numberOfThread(func(t *state.Thread) uint64 { return uint64(t.VPGID) }),
		},
		{
			Name: "proc.vpgid.name", Type: CHARBUF, Bind: ofLeader((*state.Thread).VGroupLeader, comm),
			Doc: "proc.name of the leader of the process group, or of the oldest ancestor in it, by proc.vpgid.",
		},
		{
			Name: "proc.vpgid.exe", Type: CHARBUF, Bind: ofLeader((*state.Thread).VGroupLeader, exe),
			Doc: "proc.exe of the leader of the process group, or of the oldest ancestor in it, by proc.vpgid.",
		},
		{
			Name: "proc.vpgid.exepath", Type: CHARBUF, Bind: ofLeader((*state.Thread).VGroupLeader, exePath),
			Doc: "proc.exepath of the leader of the process group, or of the oldest ancestor in it, by proc.vpgid.",
		},
		{
			Name: "proc.pgid", Type: INT64, Doc: "Id of the process group.",
			Bind: numberOfThread(func(t *state.Thread) uint64 { return uint64(t.PGID) }),
		},
		{
			Name: "proc.pgid.name", Type: CHARBUF, Bind: ofLeader((*state.Thread).GroupLeader, comm),
			Doc: "proc.name of the leader of the process group, or of the oldest ancestor in it, by proc.pgid.",
		},
		{
			Name: "proc.pgid.exe", Type: CHARBUF, Bind: ofLeader((*state.Thread).GroupLeader, exe),
			Doc: "proc.exe of the leader of the process group, or of the oldest ancestor in it, by proc.pgid.",
		},
		{
			Name: "proc.pgid.exepath", Type: CHARBUF, Bind: ofLeader((*state.Thread).GroupLeader, exePath),
			Doc: "proc.exepath of the leader of the process group, or of the oldest ancestor in it, by proc.pgid.",
		},
	}
}

// parent returns the thread that the event's thread names as its parent, whether it leads its process or not.
func parent(c *state.Ctx) *state.Thread {
	if c.Thread == nil {
		return nil
	}
	return c.Thread.Parent()
}

// processID returns the id of the thread's process; ids outside 32 bits are made up by sources without ids and not shown.
func processID(t *state.Thread) (uint64, bool) {
	if t == nil || t.PID < -1 || t.PID > math.MaxUint32 {
		return 0, false
	}
	return uint64(t.PID), true
}

// bindAncestorPID binds proc.apid. In an output it is the process' own id without index, as Falco prints it.
func bindAncestorPID(arg string, filtering bool) (*Extractor, error) {
	n, ok := generation(arg)
	if ok || !filtering {
		if !ok {
			n = 0
		}
		return &Extractor{Cost: costWalk, Num: func(c *state.Ctx) (uint64, bool) { return processID(ancestor(c, n)) }}, nil
	}
	return &Extractor{Cost: costLong, Quantity: Any, Multi: func(c *state.Ctx, dst []Value) ([]Value, bool) {
		start := len(dst)
		eachAncestor(c, func(t *state.Thread) { dst = append(dst, Value{Type: INT64, Num: uint64(t.PID)}) })
		return dst, len(dst) > start
	}}, nil
}

// ofLeader is the Bind of a text of the leader of a session or process group, "" when it is not known.
func ofLeader(leader func(*state.Thread) *state.Thread, f func(*state.Thread) string) binder {
	x := ofThread(func(t *state.Thread) string {
		if l := leader(t); l != nil {
			return f(l)
		}
		return ""
	})
	return func(arg string, filtering bool) (*Extractor, error) {
		e, err := x(arg, filtering)
		e.Cost = costWalk
		return e, err
	}
}

// loginShell returns the id of the oldest process, from the event's own upwards, whose name ends in "sh".
func loginShell(c *state.Ctx) (uint64, bool) {
	main := ancestor(c, 0)
	if main == nil {
		return 0, false
	}
	shell := int64(0)
	found := false
	if strings.HasSuffix(main.Comm, "sh") {
		shell, found = main.PID, true
	}
	eachAncestor(c, func(t *state.Thread) {
		if strings.HasSuffix(t.Comm, "sh") {
			shell, found = t.PID, true
		}
	})
	return uint64(shell), found
}

func processTimes() []Field {
	return []Field{
		{
			Name: "proc.duration", Type: RELTIME, Doc: "Nanoseconds since the process started.",
			Bind: number(costLoad, func(c *state.Ctx) (uint64, bool) {
				if c.Thread == nil || c.Thread.CloneTime == 0 {
					return 0, false
				}
				return c.Event.Time - c.Thread.CloneTime, true
			}),
		},
		{
			Name: "proc.ppid.duration", Type: RELTIME, Bind: number(costWalk, parentDuration),
			Doc: "Nanoseconds since the parent process started; the number of open descriptors where that time is " +
				"not known, as in Falco.",
		},
		{
			Name: "proc.pid.ts", Type: RELTIME, Doc: "When the process started, in nanoseconds since the epoch.",
			Bind: knownOfThread(0, func(t *state.Thread) uint64 { return t.CloneTime }),
		},
		{
			Name: "proc.ppid.ts", Type: RELTIME, Doc: "When the parent process started, in nanoseconds since the epoch.",
			Bind: number(costWalk, func(c *state.Ctx) (uint64, bool) {
				if t := parent(c); t != nil {
					return t.CloneTime, true
				}
				return 0, false
			}),
		},
	}
}

// parentDuration returns the age of the parent. Where its start is not known, Falco falls through to the number of
// descriptors that the process itself has open (falco-core.md §3.8), and rules see small numbers there.
func parentDuration(c *state.Ctx) (uint64, bool) {
	t := ancestor(c, 1)
	if t == nil {
		return 0, false
	}
	if t.CloneTime == 0 {
		return uint64(c.Thread.FDOpenCount()), true
	}
	return c.Event.Time - t.CloneTime, true
}

func executableFields() []Field {
	return []Field{
		{
			Name: "proc.is_exe_writable", Type: BOOL,
			Doc:  "Whether the user that runs the process may write to its executable.",
			Bind: boolOfThread(func(t *state.Thread) bool { return t.Image.ExeWritable }),
		},
		{
			Name: "proc.is_exe_upper_layer", Type: BOOL,
			Doc: "Whether the executable lies in the upper layer of an overlay file system, and so is not part of " +
				"the container's image.",
			Bind: boolOfThread(func(t *state.Thread) bool { return t.Image.ExeUpperLayer }),
		},
		{
			Name: "proc.is_exe_lower_layer", Type: BOOL,
			Doc:  "Whether the executable lies in a lower layer of an overlay file system.",
			Bind: boolOfThread(func(t *state.Thread) bool { return t.Image.ExeLowerLayer }),
		},
		{
			Name: "proc.is_exe_from_memfd", Type: BOOL,
			Doc:  "Whether the executable is an anonymous file in memory (memfd).",
			Bind: boolOfThread(func(t *state.Thread) bool { return t.Image.ExeFromMemfd }),
		},
		{
			Name: "proc.is_sid_leader", Type: BOOL, Doc: "Whether the process leads its session.",
			Bind: boolOfThread(func(t *state.Thread) bool { return t.SID == t.VPID }),
		},
		{
			Name: "proc.is_vpgid_leader", Type: BOOL, Doc: "Whether the process leads its process group, by proc.vpgid.",
			Bind: boolOfThread(func(t *state.Thread) bool { return t.VPGID == t.VPID }),
		},
		{
			Name: "proc.is_pgid_leader", Type: BOOL, Doc: "Whether the process leads its process group, by proc.pgid.",
			Bind: boolOfThread(func(t *state.Thread) bool { return t.PGID == t.PID }),
		},
		{
			Name: "proc.exe_ino", Type: INT64, Doc: "Inode number of the executable.",
			Bind: knownOfThread(0, func(t *state.Thread) uint64 { return t.Image.ExeIno }),
		},
		{
			Name: "proc.exe_ino.ctime", Type: ABSTIME,
			Doc:  "When the inode of the executable last changed, in nanoseconds since the epoch.",
			Bind: knownOfThread(0, func(t *state.Thread) uint64 { return t.Image.ExeCtime }),
		},
		{
			Name: "proc.exe_ino.mtime", Type: ABSTIME,
			Doc:  "When the content of the executable last changed, in nanoseconds since the epoch.",
			Bind: knownOfThread(0, func(t *state.Thread) uint64 { return t.Image.ExeMtime }),
		},
		{
			Name: "proc.exe_ino.ctime_duration_proc_start", Type: ABSTIME,
			Doc:  "Nanoseconds from the last change of the executable's inode to the start of the process.",
			Bind: knownOfThread(0, func(t *state.Thread) uint64 { return t.CtimeToClone }),
		},
		{
			Name: "proc.exe_ino.ctime_duration_pidns_start", Type: ABSTIME,
			Doc:  "Nanoseconds from the start of the pid namespace to the last change of the executable's inode.",
			Bind: knownOfThread(0, func(t *state.Thread) uint64 { return t.CtimeFromPidns }),
		},
		{
			Name: "proc.pidns_init_start_ts", Type: UINT64,
			Doc:  "When the pid namespace of the process started, in nanoseconds since the epoch.",
			Bind: knownOfThread(0, func(t *state.Thread) uint64 { return t.PidnsInitStart }),
		},
	}
}

func processResources() []Field {
	return []Field{
		{
			Name: "proc.fdopencount", Type: UINT64, Doc: "Number of descriptors that the process has open.",
			Bind: numberOfThread(func(t *state.Thread) uint64 { return uint64(t.FDOpenCount()) }),
		},
		{
			Name: "proc.fdlimit", Type: INT64, Doc: "Number of descriptors that the process may have open.",
			Bind: numberOfThread(func(t *state.Thread) uint64 { return uint64(t.ProcessFDLimit()) }),
		},
		{
			Name: "proc.fdusage", Type: DOUBLE,
			Doc:  "Share of the descriptors it may have that the process has open, in percent.",
			Bind: numberOfThread(func(t *state.Thread) uint64 { return math.Float64bits(fdUsage(t)) }),
		},
		{
			Name: "proc.vmsize", Type: UINT64, Doc: "Virtual memory of the process in kB.",
			Bind: numberOfThread(func(t *state.Thread) uint64 { return uint64(t.VMSize) }),
		},
		{
			Name: "proc.vmrss", Type: UINT64, Doc: "Resident memory of the process in kB.",
			Bind: numberOfThread(func(t *state.Thread) uint64 { return uint64(t.VMRSS) }),
		},
		{
			Name: "proc.vmswap", Type: UINT64, Doc: "Swapped memory of the process in kB.",
			Bind: numberOfThread(func(t *state.Thread) uint64 { return uint64(t.VMSwap) }),
		},
	}
}

func fdUsage(t *state.Thread) float64 {
	limit, open := t.ProcessFDLimit(), int64(t.FDOpenCount())
	switch {
	case limit <= 0:
		return 0
	case open > limit:
		return 100
	}
	return float64(open) * 100 / float64(limit)
}

func standardStreams() []Field {
	kind := func(f *state.FD) string { return f.TypeString() }
	name := func(f *state.FD) string { return f.Name }
	return []Field{
		{
			Name: "proc.stdin.type", Type: CHARBUF,
			Doc:  "fd.type of descriptor 0, the standard input.",
			Bind: ofStream(0, kind),
		},
		{
			Name: "proc.stdout.type", Type: CHARBUF,
			Doc:  "fd.type of descriptor 1, the standard output.",
			Bind: ofStream(1, kind),
		},
		{
			Name: "proc.stderr.type", Type: CHARBUF,
			Doc:  "fd.type of descriptor 2, the standard error.",
			Bind: ofStream(2, kind),
		},
		{
			Name: "proc.stdin.name", Type: CHARBUF,
			Doc:  "fd.name of descriptor 0, the standard input.",
			Bind: ofStream(0, name),
		},
		{
			Name: "proc.stdout.name", Type: CHARBUF,
			Doc:  "fd.name of descriptor 1, the standard output.",
			Bind: ofStream(1, name),
		},
		{
			Name: "proc.stderr.name", Type: CHARBUF,
			Doc:  "fd.name of descriptor 2, the standard error.",
			Bind: ofStream(2, name),
		},
	}
}

// ofStream is the Bind of a text of one of the process' descriptors.
func ofStream(fd int64, f func(*state.FD) string) binder {
	return text(costWalk, func(c *state.Ctx) (string, bool) {
		if d := lookup(c.Thread, fd); d != nil {
			return f(d), true
		}
		return "", false
	})
}
