package event

import "runtime"

// Code is an event type of Falco's format (PPME_…). Even codes are enter or tracepoint events, odd ones exits.
type Code uint16

// NumCodes is the number of event codes.
const NumCodes = len(types)

// SC is a system call (or kernel tracepoint) as Falco numbers it (PPM_SC_…), the same on every architecture.
type SC uint16

// NumSC is one more than the largest SC.
const NumSC = len(syscalls)

// Class says where events of a type come from.
type Class uint8

// The classes of events.
const (
	ClassUnused Class = iota
	ClassSyscall
	ClassTracepoint
	ClassMetaevent
	ClassPlugin
	ClassIter
)

// Category groups event types by what they act on.
type Category uint8

// The categories of events.
const (
	CategoryUnknown Category = iota
	CategoryOther
	CategoryFile
	CategoryNet
	CategoryIpc
	CategoryMemory
	CategoryProcess
	CategorySleep
	CategorySystem
	CategorySignal
	CategoryUser
	CategoryTime
	CategoryIoRead
	CategoryIoWrite
	CategoryIoOther
	CategoryWait
	CategoryScheduler
	CategoryInternal
)

// TypeFlags describe an event type.
type TypeFlags uint32

// The flags of event types.
const (
	FlagCreatesFd TypeFlags = 1 << iota
	FlagDestroysFd
	FlagModifiesState
	FlagUsesFd
	FlagReadsFromFd
	FlagWritesToFd
	FlagWaits
	FlagSkipparsereset
	FlagOldVersion
	FlagConverterManaged
	FlagLargePayload
	FlagUnused
)

// Status says whether an event type is still produced.
type Status uint8

// The states of event types.
const (
	StatusUnused  Status = iota
	StatusOld            // found in old captures only, converted when read
	StatusCurrent        // produced by drivers and visible to rules
)

// ParamType is the encoding of a parameter (PT_…).
type ParamType uint8

// The parameter types. Their encodings are in scap-format.md §7.
const (
	TypeNone ParamType = iota
	TypeInt8
	TypeInt16
	TypeInt32
	TypeInt64
	TypeUint8
	TypeUint16
	TypeUint32
	TypeUint64
	TypeCharbuf
	TypeBytebuf
	TypeErrno
	TypeSockaddr
	TypeSocktuple
	TypeFd
	TypePid
	TypeFdlist
	TypeFspath
	TypeSyscallid
	TypeSigtype
	TypeReltime
	TypeAbstime
	TypePort
	TypeL4proto
	TypeSockfamily
	TypeBool
	TypeIpv4addr
	TypeDyn
	TypeFlags8
	TypeFlags16
	TypeFlags32
	TypeUid
	TypeGid
	TypeDouble
	TypeSigset
	TypeCharbufarray
	TypeCharbufPairArray
	TypeIpv4net
	TypeIpv6addr
	TypeIpv6net
	TypeIpaddr
	TypeIpnet
	TypeMode
	TypeFsrelpath
	TypeEnumflags8
	TypeEnumflags16
	TypeEnumflags32
	TypeFd32
	TypePid32
)

// Format says how a number is printed.
type Format uint8

// The print formats.
const (
	FormatNa Format = iota
	FormatDec
	FormatHex
	FormatOct
)

// Symbol is a named value of a flag table.
type Symbol struct {
	Name  string
	Value uint64
}

// FlagTable names the bits (FLAGS types) or values (ENUMFLAGS types) of a parameter.
type FlagTable struct {
	Name    string
	Symbols []Symbol
}

// Param describes one parameter of an event type.
type Param struct {
	Name   string
	Type   ParamType
	Format Format
	Flags  *FlagTable // nil when the values have no names
	Dyn    []Param    // for TypeDyn: the types that the leading index byte selects
	DirFD  int        // for TypeFsrelpath: the parameter that holds the directory's descriptor
}

// Type describes an event type.
type Type struct {
	Code     Code
	PPME     string // Falco's name of the code, PPME_…
	Name     string // evt.type
	Enter    bool   // an enter, tracepoint or meta event rather than an exit
	Class    Class
	Category Category
	Flags    TypeFlags
	Status   Status
	Params   []Param
}

// Syscall describes a system call or tracepoint.
type Syscall struct {
	SC      SC
	Name    string
	NR      [3]int16 // number on each Arch, -1 where it does not exist
	Event   Code     // exit event; GenericX for calls that have no event of their own
	State   bool     // processes and descriptors cannot be followed without it
	IO      bool     // moves data through a descriptor
	Ignored bool     // watched only when all calls are asked for
}

// Arch is a system-call table.
type Arch uint8

// The system-call tables.
const (
	ArchX8664 Arch = iota
	ArchArm64
	ArchIA32
)

// NativeArch returns the table of the running machine. It reports false on one that the driver does not support.
func NativeArch() (Arch, bool) {
	switch runtime.GOARCH {
	case "amd64":
		return ArchX8664, true
	case "arm64":
		return ArchArm64, true
	}
	return 0, false
}

// Types returns the schema, indexed by Code. It must not be changed.
func Types() []Type { return types[:] }

// Syscalls returns the system calls, indexed by SC. Entries without a name are unused. It must not be changed.
func Syscalls() []Syscall { return syscalls[:] }

// ParamIndex returns the position of the named parameter, or -1.
func (t *Type) ParamIndex(name string) int {
	for i := range t.Params {
		if t.Params[i].Name == name {
			return i
		}
	}
	return -1
}

// ResultParam returns the position of the parameter that holds the return value of an exit event, or -1. It is the
// first parameter, except where that is something else than a number.
func (t *Type) ResultParam() int {
	if t.Enter || len(t.Params) == 0 {
		return -1
	}
	switch t.Params[0].Name {
	case "res", "fd":
		return 0
	}
	return -1
}
