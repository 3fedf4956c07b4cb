package field

import (
	"strings"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/state"
)

// Open flags and file modes of the event format (PPM_O_…, PPM_S_…) that fields look at.
const (
	openRead    = 1 << 0
	openWrite   = 1 << 1
	openCreat   = 1 << 2
	openTmpfile = 1 << 13
	openCreated = 1 << 14
	modeExec    = 1<<0 | 1<<3 | 1<<6
)

// syscallEvent is the class of fields that describe events of the system-call source.
func syscallEvent(names natives) *Class {
	return &Class{
		Name:  "evt",
		Short: "Syscall events only",
		Doc: "What happened: the type of the event, its parameters and its result. evt.arg gives each parameter " +
			"of a system call by name, for example evt.arg.filename.",
		Source: "syscall",
		Fields: append(append(append(eventTimes(), eventKinds(names)...), eventResults()...), eventDetails()...),
	}
}

func eventTimes() []Field {
	zero := constant(func(*event.Type) (uint64, bool) { return 0, true })
	return []Field{
		{
			Name: "evt.latency", Type: RELTIME, Flags: Deprecated, Bind: zero,
			Doc: "Always 0: enter events no longer exist.",
		},
		{
			Name: "evt.latency.s", Type: RELTIME, Flags: Deprecated,
			Bind: zero, Doc: "Always 0: enter events no longer exist.",
		},
		{
			Name: "evt.latency.ns", Type: RELTIME, Flags: Deprecated, Padded: true, Bind: zero,
			Doc: "Always 0: enter events no longer exist.",
		},
		{
			Name: "evt.latency.quantized", Type: UINT64, Flags: TableOnly | Deprecated, Bind: zero,
			Doc: "Always 0: enter events no longer exist.",
		},
		{
			Name: "evt.latency.human", Type: CHARBUF, Flags: Deprecated, Doc: "Always 0ns: enter events no longer exist.",
			Bind: constantText(func(*event.Type) (string, bool) { return "0ns", true }),
		},
		{
			Name: "evt.deltatime", Type: RELTIME, Doc: "Nanoseconds since the event before this one.",
			Bind: sincePrevious(func(d uint64) uint64 { return d }),
		},
		{
			Name: "evt.deltatime.s", Type: RELTIME, Doc: "Whole seconds since the event before this one.",
			Bind: sincePrevious(func(d uint64) uint64 { return d / second }),
		},
		{
			Name: "evt.deltatime.ns", Type: RELTIME, Padded: true,
			Doc:  "Nanoseconds of the time since the event before this one, beyond its whole seconds.",
			Bind: sincePrevious(func(d uint64) uint64 { return d % second }),
		},
		{
			Name: "evt.outputtime", Type: CHARBUF, Flags: PrintOnly, TimeInJSON: true, Doc: "The same as evt.time.",
			Bind: eventTime("15:04:05.000000000"),
		},
	}
}

func sincePrevious(f func(uint64) uint64) binder {
	return number(costLoad, func(c *state.Ctx) (uint64, bool) {
		if c.PrevTime == 0 {
			return 0, true
		}
		return f(c.Event.Time - c.PrevTime), true
	})
}

// constantText is the Bind of a text that the event type alone decides.
func constantText(f func(*event.Type) (string, bool)) binder {
	return func(string, bool) (*Extractor, error) {
		return &Extractor{Cost: costLoad, Constant: true, Text: func(c *state.Ctx) (string, bool) {
			return f(c.Event.Type())
		}}, nil
	}
}

func eventKinds(names natives) []Field {
	return []Field{
		{
			Name: "evt.dir", Type: CHARBUF, Flags: Deprecated,
			Doc: "Direction of the event: < for the exit of a system call, > for all others.",
			Bind: constantText(func(t *event.Type) (string, bool) {
				if t.Enter {
					return ">", true
				}
				return "<", true
			}),
		},
		{
			Name: "evt.type", Type: CHARBUF,
			Doc: "Name of the event: of the system call, for example openat, or of what else happened.",
			Bind: func(string, bool) (*Extractor, error) {
				return &Extractor{
					Cost: costLoad, Constant: true,
					Text: func(c *state.Ctx) (string, bool) { return names.name(c.Event) },
				}, nil
			},
		},
		{
			Name: "evt.type.is", Type: UINT32, Args: []ArgKind{ArgSuffix}, Flags: ArgRequired, split: splitType,
			Bind: bindTypeIs(names),
			Doc:  "1 for events of the type that follows the name, as in evt.type.is.openat, and 0 for all others.",
		},
		{
			Name: "syscall.type", Type: CHARBUF, Doc: "Name of the system call; not set for events that are none.",
			Bind: func(string, bool) (*Extractor, error) {
				return &Extractor{
					Cost: costLoad, Constant: true,
					Text: func(c *state.Ctx) (string, bool) {
						if c.Event.Type().Class != event.ClassSyscall {
							return "", false
						}
						return names.name(c.Event)
					},
				}, nil
			},
		},
		{
			Name: "evt.category", Type: CHARBUF,
			Bind: text(costWalk, func(c *state.Ctx) (string, bool) { return category(c), true }),
			Doc: "What the event acts on: file, net, IPC, memory, process and so on; reads and writes have that of " +
				"their descriptor.",
		},
		{
			Name: "evt.cpu", Type: INT16, Doc: "Number of the CPU on which the event happened.",
			Bind: number(costLoad, func(c *state.Ctx) (uint64, bool) { return uint64(c.Event.CPU), true }),
		},
		{
			Name: "evt.args", Type: CHARBUF,
			Bind: bindArgs, Doc: "All parameters as name=value, with what a value stands for in parentheses.",
		},
		{
			Name: "evt.arg", Type: CHARBUF, Args: []ArgKind{ArgSuffix}, Flags: ArgRequired | NoPtrStability, split: splitArg,
			Bind: bindArg, Doc: "One parameter as text, by name (evt.arg.fd) or position (evt.arg[0]): what it stands for if there is " +
				"such a thing, such as the name of an error, and else its value.",
		},
		{
			Name: "evt.rawarg", Type: DYN, Args: []ArgKind{ArgSuffix}, Flags: ArgRequired | NoRHS | NoTransformer,
			split: splitRawArg, Bind: bindRawArg, Doc: "One parameter by name, as the number, text or bytes that it is.",
		},
		{Name: "evt.info", Type: CHARBUF, Bind: bindArgs, Doc: "The same as evt.args."},
	}
}

// splitType is the split of evt.type.is: the name of a type, or its code.
func splitType(text, rest string) (string, int, error) {
	if !strings.HasPrefix(rest, ".") {
		return "", 0, syntaxError(text)
	}
	n := 1
	for n < len(rest) && isNameByte(rest[n]) && rest[n] != '.' {
		n++
	}
	if _, ok := typeSet(rest[1:n]); !ok {
		return "", 0, &UnknownFieldError{Text: text}
	}
	return rest[1:n], n, nil
}

func category(c *state.Ctx) string {
	switch c.Event.Type().Category {
	case event.CategoryOther:
		return "other"
	case event.CategoryFile:
		return "file"
	case event.CategoryNet:
		return "net"
	case event.CategoryIpc:
		return "IPC"
	case event.CategoryMemory:
		return "memory"
	case event.CategoryProcess:
		return "process"
	case event.CategorySleep:
		return "sleep"
	case event.CategorySystem:
		return "system"
	case event.CategorySignal:
		return "signal"
	case event.CategoryUser:
		return "user"
	case event.CategoryTime:
		return "time"
	case event.CategoryIoRead, event.CategoryIoWrite, event.CategoryIoOther:
		return ioCategory(c.FD)
	case event.CategoryWait:
		return "wait"
	case event.CategoryScheduler:
		return "scheduler"
	case event.CategoryInternal:
		return "internal"
	}
	return "unknown"
}

// ioCategory is the category of reads, writes and other calls on a descriptor: that of what it refers to.
func ioCategory(f *state.FD) string {
	if f == nil {
		return "unknown"
	}
	switch f.Type {
	case event.FDFile, event.FDFileV2, event.FDDirectory:
		return "file"
	case event.FDIPv4, event.FDIPv6, event.FDIPv4Server, event.FDIPv6Server:
		return "net"
	case event.FDFifo, event.FDUnix, event.FDEvent, event.FDSignal, event.FDInotify, event.FDUserfault:
		return "ipc"
	}
	return "unknown"
}

func eventResults() []Field {
	hasFlag := func(flags event.TypeFlags) binder {
		return constant(func(t *event.Type) (uint64, bool) { return boolean(t.Flags&flags != 0), true })
	}
	return []Field{
		{
			Name: "evt.buffer", Type: BYTEBUF, Flags: NoPtrStability, Bind: bindBuffer,
			Doc: "Bytes that were read or written, cut at the snap length.",
		},
		{
			Name: "evt.buflen", Type: UINT64,
			Doc:  "Number of bytes that were read or written.",
			Bind: transferred(anyIO, anyFD),
		},
		{
			Name: "evt.res", Type: CHARBUF, Flags: NoPtrStability, Bind: bindResult,
			Doc: "SUCCESS, or the name of the error with which the system call failed, such as ENOENT.",
		},
		{
			Name: "evt.rawres", Type: INT64, Doc: "Return value of the system call; an error is a negative number.",
			Bind: number(costLoad, func(c *state.Ctx) (uint64, bool) { r, ok := result(c.Event); return uint64(r), ok }),
		},
		{Name: "evt.failed", Type: BOOL, Doc: "Whether the system call failed.", Bind: failures(anyFailure)},
		{
			Name: "evt.is_io", Type: BOOL, Doc: "Whether the event reads from or writes to a descriptor.",
			Bind: hasFlag(event.FlagReadsFromFd | event.FlagWritesToFd),
		},
		{
			Name: "evt.is_io_read", Type: BOOL,
			Doc:  "Whether the event reads from a descriptor.",
			Bind: hasFlag(event.FlagReadsFromFd),
		},
		{
			Name: "evt.is_io_write", Type: BOOL,
			Doc:  "Whether the event writes to a descriptor.",
			Bind: hasFlag(event.FlagWritesToFd),
		},
		{
			Name: "evt.io_dir", Type: CHARBUF, Doc: "read or write for events that read from or write to a descriptor.",
			Bind: constantText(func(t *event.Type) (string, bool) {
				switch {
				case t.Flags&event.FlagWritesToFd != 0:
					return "write", true
				case t.Flags&event.FlagReadsFromFd != 0:
					return "read", true
				}
				return "", false
			}),
		},
		{
			Name: "evt.is_wait", Type: BOOL, Doc: "Whether the event makes the thread wait, as sleep and poll do.",
			Bind: hasFlag(event.FlagWaits),
		},
		{
			Name: "evt.wait_latency", Type: RELTIME, Flags: Deprecated, Doc: "Always 0: enter events no longer exist.",
			Bind: constant(func(*event.Type) (uint64, bool) { return 0, true }),
		},
		{
			Name: "evt.is_syslog", Type: BOOL, Doc: "Whether the event writes to /dev/log.",
			Bind: number(costWalk, func(c *state.Ctx) (uint64, bool) {
				log := c.Event.Type().Flags&event.FlagWritesToFd != 0 && c.FD != nil && strings.Contains(c.FD.Name, "/dev/log")
				return boolean(log), true
			}),
		},
		{
			Name: "evt.count", Type: UINT32,
			Doc:  "Always 1.",
			Bind: constant(func(*event.Type) (uint64, bool) { return 1, true }),
		},
		{
			Name: "evt.count.error", Type: UINT32,
			Doc:  "1 for system calls that failed, 0 for others.",
			Bind: failures(anyFailure),
		},
		{
			Name: "evt.count.error.file", Type: UINT32,
			Doc:  "1 for system calls on files that failed, 0 for others on files.",
			Bind: failures(onFile),
		},
		{
			Name: "evt.count.error.net", Type: UINT32,
			Doc:  "1 for system calls on sockets that failed, 0 for others on sockets.",
			Bind: failures(onSocket),
		},
		{
			Name: "evt.count.error.memory", Type: UINT32,
			Doc:  "1 for system calls about memory that failed, 0 for others about memory.",
			Bind: failures(onMemory),
		},
		{
			Name: "evt.count.error.other", Type: UINT32,
			Doc:  "1 for system calls that failed and are about neither files, sockets nor memory, 0 for others of that kind.",
			Bind: failures(func(c *state.Ctx) bool { return !onFile(c) && !onSocket(c) && (c.FD != nil || !onMemory(c)) }),
		},
		{
			Name: "evt.count.exit", Type: UINT32, Doc: "1 for the exits of system calls.",
			Bind: constant(func(t *event.Type) (uint64, bool) { return 1, !t.Enter }),
		},
		{
			Name: "evt.count.procinfo", Type: UINT32, Flags: TableOnly, Doc: "1 for procinfo events of main threads.",
			Bind: number(costLoad, func(c *state.Ctx) (uint64, bool) {
				return boolean(c.Event.Code == event.ProcinfoE && c.Thread != nil && c.Thread.IsMain()), true
			}),
		},
		{
			Name: "evt.count.threadinfo", Type: UINT32, Flags: TableOnly, Doc: "1 for procinfo events.",
			Bind: constant(func(t *event.Type) (uint64, bool) { return boolean(t.Code == event.ProcinfoE), true }),
		},
	}
}

// bindBuffer gives the bytes themselves; the operators of conditions and the rendering of outputs both work on them.
func bindBuffer(string, bool) (*Extractor, error) {
	index := paramPositions("data")
	return &Extractor{Cost: costLoad, Text: func(c *state.Ctx) (string, bool) {
		i := index[c.Event.Code]
		if i < 0 || c.Event.Type().Params[i].Type != event.TypeBytebuf {
			return "", false
		}
		return event.View(c.Event.Param(int(i))), int(i) < c.Event.NumParams()
	}}, nil
}

func bindResult(string, bool) (*Extractor, error) {
	var a argument
	return &Extractor{Cost: costWalk, Text: func(c *state.Ctx) (string, bool) {
		r, ok := result(c.Event)
		if !ok {
			return "", false
		}
		if r >= 0 {
			return "SUCCESS", true
		}
		a.render(c, 0)
		return a.text(), true
	}}, nil
}

// failures is the Bind of fields that are 1 when a system call failed, and without value where the event is not of the kind.
func failures(kind func(*state.Ctx) bool) binder {
	return number(costWalk, func(c *state.Ctx) (uint64, bool) {
		r, ok := result(c.Event)
		if !ok || !kind(c) {
			return 0, false
		}
		return boolean(r < 0), true
	})
}

func anyFailure(*state.Ctx) bool { return true }

func onFile(c *state.Ctx) bool {
	if c.FD != nil {
		switch c.FD.Type {
		case event.FDFile, event.FDFileV2, event.FDDirectory:
			return true
		}
		return false
	}
	switch c.Event.Code {
	case event.SyscallOpenX, event.SyscallCreatX, event.SyscallOpenatV2X, event.SyscallOpenat2X, event.SyscallOpenByHandleAtX:
		return true
	}
	return false
}

func onSocket(c *state.Ctx) bool {
	if c.FD != nil {
		return c.FD.IsSocket()
	}
	switch c.Event.Code {
	case event.SocketAcceptV5X, event.SocketAccept4V6X, event.SocketConnectX:
		return true
	}
	return false
}

func onMemory(c *state.Ctx) bool { return c.Event.Type().Category == event.CategoryMemory }

// transferred is the Bind of fields that give the number of bytes moved through a descriptor.
func transferred(direction func(event.Category) bool, kind func(*state.FD) bool) binder {
	return number(costWalk, func(c *state.Ctx) (uint64, bool) {
		if c.FD == nil || !direction(c.Event.Type().Category) || !kind(c.FD) {
			return 0, false
		}
		r, ok := result(c.Event)
		return uint64(r), ok && r >= 0
	})
}

func anyIO(k event.Category) bool {
	return k == event.CategoryIoRead || k == event.CategoryIoWrite || k == event.CategoryIoOther
}
func reads(k event.Category) bool  { return k == event.CategoryIoRead }
func writes(k event.Category) bool { return k == event.CategoryIoWrite }

func anyFD(*state.FD) bool    { return true }
func isFile(f *state.FD) bool { return f.Type == event.FDFile || f.Type == event.FDFileV2 }
func isInet(f *state.FD) bool { return f.Type >= event.FDIPv4 && f.Type <= event.FDIPv6Server }

func eventDetails() []Field {
	return []Field{
		{
			Name: "evt.around", Type: UINT64, Args: []ArgKind{ArgIndex}, Flags: FilterOnly | ArgRequired | NoRHS | NoTransformer,
			split: splitAround, Bind: bindAround, Doc: "Selects events near a time: evt.around[T]=D holds for those at most D " +
				"milliseconds before or after T, which is nanoseconds since the epoch as evt.rawtime prints them.",
		},
		{
			Name: "evt.abspath", Type: CHARBUF, Args: []ArgKind{ArgSuffix}, Flags: ArgRequired, split: splitAbsPath,
			Bind: bindAbsPath,
			Doc: "Absolute path put together from a directory descriptor and a path; evt.abspath.src and " +
				"evt.abspath.dst tell " +
				"the two of calls like renameat apart.",
		},
		{
			Name: "evt.buflen.in", Type: UINT64, Flags: TableOnly,
			Doc:  "Number of bytes that were read.",
			Bind: transferred(reads, anyFD),
		},
		{
			Name: "evt.buflen.out", Type: UINT64, Flags: TableOnly, Doc: "Number of bytes that were written.",
			Bind: transferred(writes, anyFD),
		},
		{
			Name: "evt.buflen.file", Type: UINT64, Flags: TableOnly,
			Doc:  "Number of bytes that were read from or written to a file.",
			Bind: transferred(anyIO, isFile),
		},
		{
			Name: "evt.buflen.file.in", Type: UINT64, Flags: TableOnly, Doc: "Number of bytes that were read from a file.",
			Bind: transferred(reads, isFile),
		},
		{
			Name: "evt.buflen.file.out", Type: UINT64, Flags: TableOnly, Doc: "Number of bytes that were written to a file.",
			Bind: transferred(writes, isFile),
		},
		{
			Name: "evt.buflen.net", Type: UINT64, Flags: TableOnly,
			Doc:  "Number of bytes that were received from or sent to a socket.",
			Bind: transferred(anyIO, isInet),
		},
		{
			Name: "evt.buflen.net.in", Type: UINT64, Flags: TableOnly,
			Doc:  "Number of bytes that were received from a socket.",
			Bind: transferred(reads, isInet),
		},
		{
			Name: "evt.buflen.net.out", Type: UINT64, Flags: TableOnly, Doc: "Number of bytes that were sent to a socket.",
			Bind: transferred(writes, isInet),
		},
		{
			Name: "evt.is_open_read", Type: BOOL, Doc: "Whether a file was opened for reading.",
			Bind: opened(func(flags uint64, _ int64) bool { return flags&openRead != 0 }),
		},
		{
			Name: "evt.is_open_write", Type: BOOL, Doc: "Whether a file was opened for writing.",
			Bind: opened(func(flags uint64, _ int64) bool { return flags&openWrite != 0 }),
		},
		{
			Name: "evt.infra.docker.name", Type: CHARBUF, Flags: TableOnly, Bind: docker("Event", 0),
			Doc: "Name of a Docker event in old captures.",
		},
		{
			Name: "evt.infra.docker.container.id", Type: CHARBUF, Flags: TableOnly, Bind: docker("ID", 12),
			Doc: "Id of the container that a Docker event in old captures is about.",
		},
		{
			Name: "evt.infra.docker.container.name", Type: CHARBUF, Flags: TableOnly, Bind: docker("name", 0),
			Doc: "Name of the container that a Docker event in old captures is about.",
		},
		{
			Name: "evt.infra.docker.container.image", Type: CHARBUF, Flags: TableOnly, Bind: docker("Image", 0),
			Doc: "Image of the container that a Docker event in old captures is about.",
		},
		{Name: "evt.is_open_exec", Type: BOOL, Bind: number(costWalk, func(c *state.Ctx) (uint64, bool) {
			return boolean(opensExecutable(c.Event)), true
		}), Doc: "Whether a file was to be created with permission to execute it."},
		{
			Name: "evt.is_open_create", Type: BOOL, Doc: "Whether opening a file really created it.",
			Bind: opened(func(flags uint64, fd int64) bool {
				return flags&openCreated != 0 || flags&openTmpfile != 0 && fd >= 0
			}),
		},
	}
}

// openFlags returns the flags of the open family, creat excepted, and where the mode follows them; 0 where there is none.
func openFlags(e *event.Event) (flags uint64, mode int, ok bool) {
	i := 0
	switch e.Code {
	case event.SyscallOpenX:
		i, mode = 2, 3
	case event.SyscallOpenByHandleAtX:
		i = 2
	case event.SyscallOpenatV2X, event.SyscallOpenat2X:
		i, mode = 3, 4
	default:
		return 0, 0, false
	}
	flags, _ = e.Uint(i)
	return flags, mode, true
}

// opened is the Bind of fields that are true for some calls of the open family and false for all else.
func opened(f func(flags uint64, fd int64) bool) binder {
	return number(costWalk, func(c *state.Ctx) (uint64, bool) {
		flags, _, ok := openFlags(c.Event)
		if !ok {
			return 0, true
		}
		fd, _ := result(c.Event)
		return boolean(f(flags, fd)), true
	})
}

func opensExecutable(e *event.Event) bool {
	flags, mode, ok := openFlags(e)
	switch {
	case e.Code == event.SyscallCreatX:
		mode = 2
	case !ok || mode == 0 || flags&(openCreat|openTmpfile) == 0:
		return false
	}
	bits, _ := e.Uint(mode)
	return bits&modeExec != 0
}

// docker is the Bind of the parts of infrastructure events, whose description is "key:value" pairs with semicolons between
// them. max cuts the value, 0 does not.
func docker(key string, max int) binder {
	return text(costBuild, func(c *state.Ctx) (string, bool) {
		if c.Event.Code != event.InfrastructureEventE {
			return "", false
		}
		rest, _ := c.Event.Text(2)
		for rest != "" {
			var part string
			part, rest, _ = strings.Cut(rest, ";")
			part = strings.TrimSpace(part)
			if !strings.HasPrefix(part, key) {
				continue
			}
			_, value, _ := strings.Cut(part, ":")
			if key == "Image" {
				value, _, _ = strings.Cut(value, "@")
			}
			value = strings.TrimSpace(value)
			if max > 0 && len(value) > max {
				value = value[:max]
			}
			return value, true
		}
		return "", false
	})
}
