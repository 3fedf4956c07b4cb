package state

import "github.com/saker-sec/saker/internal/event"

// FDFlags are what is known of a descriptor beyond its type (falco-core.md §6.2).
type FDFlags uint32

// The flags of descriptors.
const (
	FDFromProc FDFlags = 1 << iota
	FDRoleClient
	FDRoleServer
	FDConnected
	FDPending // connecting in the background (Config.FollowAll)
	FDFailed  // the last connect failed (Config.FollowAll)
	FDOverlayUpper
	FDOverlayLower
)

// Open flags of the event format (PPM_O_…) that the state looks at.
const (
	openDirectory  = 1 << 10
	openCloexec    = 1 << 12
	openCreated    = 1 << 14
	openUpperLayer = 1 << 15
	openLowerLayer = 1 << 16
)

// Tuple is the pair of addresses of a socket. Addresses are in network order, IPv4 in the first four bytes; ports in
// host order. Source is the client's side, destination the server's. A listening socket has its address as destination.
type Tuple struct {
	SIP, DIP     [16]byte
	SPort, DPort uint16
	L4           event.L4Proto
}

// FD is one open descriptor of a process.
type FD struct {
	Type       event.FDType
	Flags      FDFlags
	OpenFlags  uint32 // PPM_O_…
	Dev        uint32
	MountID    uint32
	Ino        uint64
	Name       string // resolved path, or tuple as fd.name prints it
	NameRaw    string // path as the caller gave it
	Tuple      Tuple  // of an IPv4 or IPv6 socket
	UnixSource uint64
	UnixPeer   uint64
	PID        int64 // for a pidfd: the process it refers to

	refs   int32  // how many pages hold it
	weight int32  // what it counts against the limits, see weigh
	buf    []byte // what Name and NameRaw lie in
}

// setNames copies both names into the descriptor's own memory.
func (f *FD) setNames(name, raw string) {
	b := f.buf[:0]
	if need := len(name) + len(raw); cap(b) < need {
		b = make([]byte, 0, need+32)
	}
	b = append(b, name...)
	b = append(b, raw...)
	f.buf = b
	f.Name = event.View(b[:len(name)])
	f.NameRaw = event.View(b[len(name):])
}

// copyFrom makes f an independent copy of o.
func (f *FD) copyFrom(o *FD) {
	buf := f.buf
	*f = *o
	f.refs, f.buf = 0, buf
	f.setNames(o.Name, o.NameRaw)
}

// L4 returns the transport as Falco reports it: L4NA for what is no socket and for sockets whose role is still unknown.
func (f *FD) L4() event.L4Proto {
	switch f.Type {
	case event.FDIPv4, event.FDIPv6:
		if f.Tuple.L4 != event.L4Raw && f.Flags&(FDRoleClient|FDRoleServer) == 0 {
			return event.L4NA
		}
		return f.Tuple.L4
	case event.FDIPv4Server, event.FDIPv6Server:
		return f.Tuple.L4
	}
	return event.L4NA
}

// IsSocket says whether the descriptor is an IPv4, IPv6 or Unix socket, listening or not.
func (f *FD) IsSocket() bool {
	switch f.Type {
	case event.FDIPv4, event.FDIPv6, event.FDIPv4Server, event.FDIPv6Server, event.FDUnix:
		return true
	}
	return false
}

// isTCP and isUDP know IPv4 sockets only, as Falco does: an IPv6 TCP socket counts as one whose addresses may change
// with each message.
func (f *FD) isTCP() bool { return f.Type == event.FDIPv4 && f.Tuple.L4 == event.L4TCP }

func (f *FD) isUDP() bool { return f.Type == event.FDIPv4 && f.Tuple.L4 == event.L4UDP }

func (f *FD) isInet() bool { return f.Type == event.FDIPv4 || f.Type == event.FDIPv6 }

// TypeString returns the name that fd.type has, "<NA>" for unknown and unsupported kinds.
func (f *FD) TypeString() string {
	switch f.Type {
	case event.FDFileV2, event.FDFile:
		return "file"
	case event.FDDirectory:
		return "directory"
	case event.FDIPv4, event.FDIPv4Server:
		return "ipv4"
	case event.FDIPv6, event.FDIPv6Server:
		return "ipv6"
	case event.FDUnix:
		return "unix"
	case event.FDFifo:
		return "pipe"
	case event.FDEvent:
		return "event"
	case event.FDSignal:
		return "signalfd"
	case event.FDEventpoll:
		return "eventpoll"
	case event.FDInotify:
		return "inotify"
	case event.FDTimer:
		return "timerfd"
	case event.FDNetlink:
		return "netlink"
	case event.FDBPF:
		return "bpf"
	case event.FDUserfault:
		return "userfaultfd"
	case event.FDIOUring:
		return "io_uring"
	case event.FDMemfd:
		return "memfd"
	case event.FDPidfd:
		return "pidfd"
	}
	return "<NA>"
}

// TypeChar returns the letter that fd.typechar has, '?' for unknown kinds.
func (f *FD) TypeChar() byte {
	switch f.Type {
	case event.FDFileV2, event.FDFile:
		return 'f'
	case event.FDDirectory:
		return 'd'
	case event.FDIPv4, event.FDIPv4Server:
		return '4'
	case event.FDIPv6, event.FDIPv6Server:
		return '6'
	case event.FDFifo:
		return 'p'
	case event.FDUnix, event.FDUserfault:
		return 'u'
	case event.FDEvent:
		return 'e'
	case event.FDUnknown:
		return 'o'
	case event.FDUnsupported:
		return 'X'
	case event.FDSignal:
		return 's'
	case event.FDEventpoll:
		return 'l'
	case event.FDInotify:
		return 'i'
	case event.FDTimer:
		return 't'
	case event.FDNetlink:
		return 'n'
	case event.FDBPF:
		return 'b'
	case event.FDIOUring:
		return 'r'
	case event.FDMemfd:
		return 'm'
	case event.FDPidfd:
		return 'P'
	}
	return '?'
}

// closesOnExec says whether a successful execve closes the descriptor. An epoll descriptor and a memfd keep their own
// flag (bit 0) from their creation.
func (f *FD) closesOnExec() bool {
	if f.OpenFlags&openCloexec != 0 {
		return true
	}
	return (f.Type == event.FDEventpoll || f.Type == event.FDMemfd) && f.OpenFlags&1 != 0
}

// clearCloexec forgets that the descriptor closes on execve. Bit 0 is O_RDONLY for files: Falco clears it there too,
// and so reports a duplicated read-only file without it.
func (f *FD) clearCloexec() { f.OpenFlags &^= openCloexec | 1 }

func (f *FD) setConnected() { f.Flags = f.Flags&^(FDPending|FDFailed) | FDConnected }
func (f *FD) setPending()   { f.Flags = f.Flags&^(FDConnected|FDFailed) | FDPending }
func (f *FD) setFailed()    { f.Flags = f.Flags&^(FDConnected|FDPending) | FDFailed }
