package event

// What was there before the first event: found in /proc by a live source, or in the first blocks of a capture.
// The shapes are those of scap-format.md §2 to §6.

// Process is a thread that was there before the first event.
type Process struct {
	TID, PID, PTID   int64
	SID, VPGID, PGID int64 // -1 where the source does not know
	VTID, VPID       int64
	Comm             string
	Exe              string // argv[0]
	ExePath          string // the executable's path
	Args             []string
	Env              []string
	Cwd, Root        string
	Cgroups          []string // "subsystem=path"
	FDLimit          int64
	Flags            uint32 // PPM_CL_…
	UID, GID         uint32
	LoginUID         uint32 // 4294967295 when unset
	TTY              uint32
	VMSize           uint32 // kB
	VMRSS            uint32 // kB
	VMSwap           uint32 // kB
	PFMajor, PFMinor uint64
	PidnsInitStart   uint64 // ns since the epoch
	CloneTime        uint64 // ns since the epoch; 0 where the source does not know
	Found            uint64 // when the look at it began, ns since the epoch by the clock of the events; 0 for before the first event
	CapInheritable   uint64
	CapPermitted     uint64
	CapEffective     uint64
	ExeWritable      bool
	ExeUpperLayer    bool
	ExeLowerLayer    bool
	ExeFromMemfd     bool
	ExeIno           uint64
	ExeCtime         uint64 // ns since the epoch
	ExeMtime         uint64 // ns since the epoch
	FDs              []Descriptor
}

// FDType is what a descriptor refers to; the numbers are those of capture files.
type FDType uint8

// The types of descriptors.
const (
	FDUnknown FDType = iota
	FDFile           // legacy, without flags
	FDDirectory
	FDIPv4
	FDIPv6
	FDIPv4Server
	FDIPv6Server
	FDFifo
	FDUnix
	FDEvent
	FDUnsupported
	FDSignal
	FDEventpoll
	FDInotify
	FDTimer
	FDNetlink
	FDFileV2
	FDBPF
	FDUserfault
	FDIOUring
	FDMemfd
	FDPidfd
)

// L4Proto is the transport of a socket; the numbers are those of capture files.
type L4Proto uint8

// The transports.
const (
	L4Unknown L4Proto = iota
	L4NA
	L4TCP
	L4UDP
	L4ICMP
	L4Raw
)

// Descriptor is a file descriptor that was open before the first event.
type Descriptor struct {
	FD           int64
	Type         FDType
	Name         string // path, or what the kernel calls the anonymous kinds
	Ino          uint64
	OpenFlags    uint32 // PPM_O_…
	Dev          uint32
	MountID      uint32
	L4           L4Proto
	SIP, DIP     [16]byte // source and destination address; IPv4 in the first four bytes, network order
	SPort, DPort uint16
	UnixSource   uint64 // kernel address of the socket
	UnixPeer     uint64
}

// User is an account known before the first event.
type User struct {
	UID, GID          uint32
	Name, Home, Shell string
}

// Group is a group known before the first event.
type Group struct {
	GID  uint32
	Name string
}

// Interface is an address of a network interface.
type Interface struct {
	Name                  string
	IPv6                  bool
	Addr, Mask, Broadcast [16]byte // IPv4 in the first four bytes, network order
	LinkSpeed             uint64
}

// Machine describes the computer that the events come from.
type Machine struct {
	NumCPUs     uint32
	MemoryBytes uint64
	MaxPID      uint64
	Hostname    string
	BootTime    uint64 // ns since the epoch
	Flags       uint64
}

// Snapshot is all that was there before the first event.
type Snapshot struct {
	Machine    Machine
	Processes  []Process
	Users      []User
	Groups     []Group
	Interfaces []Interface
}
