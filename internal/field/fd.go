package field

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/state"
)

// descriptor is the class of fields that describe the descriptor that an event is about.
func descriptor(cat *Catalogue) *Class {
	c := &Class{
		Name:   "fd",
		Doc:    "The file, socket or other object behind the descriptor that the event creates, uses or closes.",
		Source: "syscall",
	}
	for _, fields := range [][]Field{
		descriptorNames(), descriptorAddresses(), descriptorKinds(), descriptorServices(),
		descriptorNets(), descriptorStates(), descriptorHosts(cat), descriptorInodes(),
	} {
		c.Fields = append(c.Fields, fields...)
	}
	return c
}

// usesFD says whether the event is about a descriptor at all and its thread is known. The descriptor itself may still be
// unknown.
func usesFD(c *state.Ctx) bool {
	const about = event.FlagCreatesFd | event.FlagUsesFd | event.FlagDestroysFd
	return c.Thread != nil && c.Event.Type().Flags&about != 0
}

// knownFD returns the descriptor that the event is about, nil if there is none or nothing is known of it.
func knownFD(c *state.Ctx) *state.FD {
	if !usesFD(c) {
		return nil
	}
	return c.FD
}

// ofFD is the Bind of a text of the descriptor, which f may refuse.
func ofFD(f func(*state.FD) (string, bool)) binder {
	return text(costLoad, func(c *state.Ctx) (string, bool) {
		if d := knownFD(c); d != nil {
			return f(d)
		}
		return "", false
	})
}

// numberOfFD is the Bind of a number of the descriptor, which f may refuse.
func numberOfFD(f func(*state.FD) (uint64, bool)) binder {
	return number(costLoad, func(c *state.Ctx) (uint64, bool) {
		if d := knownFD(c); d != nil {
			return f(d)
		}
		return 0, false
	})
}

// boolOfFD is the Bind of a truth about the descriptor.
func boolOfFD(f func(*state.FD) bool) binder {
	return numberOfFD(func(d *state.FD) (uint64, bool) { return boolean(f(d)), true })
}

func descriptorNames() []Field {
	return []Field{
		{
			Name: "fd.num", Type: INT64, Doc: "Number of the descriptor.",
			Bind: number(costLoad, func(c *state.Ctx) (uint64, bool) { return uint64(c.FDNum), usesFD(c) }),
		},
		{
			Name: "fd.type", Type: CHARBUF,
			Doc: "What the descriptor refers to: file, directory, ipv4, ipv6, unix, pipe, event, signalfd, " +
				"eventpoll, inotify, timerfd, netlink, bpf, userfaultfd, io_uring, memfd or pidfd.",
			Bind: ofFD(func(d *state.FD) (string, bool) { return d.TypeString(), true }),
		},
		{
			Name: "fd.typechar", Type: CHARBUF,
			Doc: "fd.type as one letter: f file, d directory, 4 and 6 internet sockets, u Unix socket, " +
				"p pipe, e event, s signalfd, l eventpoll, i inotify, t timerfd, n netlink, b bpf, " +
				"r io_uring, m memfd, P pidfd, o other.",
			Bind: text(costLoad, func(c *state.Ctx) (string, bool) {
				if !usesFD(c) {
					return "", false
				}
				return letterText(c), true
			}),
		},
		{
			Name: "fd.name", Type: CHARBUF, Bind: bindFDName(false),
			Doc: "Name of the descriptor: the absolute path of a file, the two ends of a connection, client first, " +
				"or the path of a Unix socket.",
		},
		{
			Name: "fd.directory", Type: CHARBUF,
			Doc:  "Directory of the file, or the directory itself.",
			Bind: partOf(Part{Of: "fd.name", Except: "/"}, builtOfFD(appendDirectory)),
		},
		{
			Name: "fd.filename", Type: CHARBUF, Doc: "Name of the file without its directory.",
			Bind: partOf(Part{Of: "fd.name", End: true, Except: "/"}, ofFD(func(d *state.FD) (string, bool) {
				if !isFile(d) {
					return "", false
				}
				i := strings.LastIndexByte(d.Name, '/')
				switch {
				case i < 0:
					return "/", true
				case i < len(d.Name)-1:
					return d.Name[i+1:], true
				}
				return d.Name, true
			})),
		},
	}
}

// partOf is the Bind of a text that is a part of another field's.
func partOf(p Part, bind binder) binder {
	return func(arg string, filtering bool) (*Extractor, error) {
		x, err := bind(arg, filtering)
		if err == nil {
			x.Part = &p
		}
		return x, err
	}
}

// letters are the one-letter texts that fd.typechar can give.
const letters = "fd46puesoXlitnbrmP?"

// letterText returns the letter of the descriptor as a text that is not built. Where the descriptor is not known, as after
// a call that failed, the letter is what the call would have made.
func letterText(c *state.Ctx) string {
	letter := byte('o')
	if c.FD != nil {
		letter = c.FD.TypeChar()
	} else {
		switch c.Event.Code | 1 {
		case event.SyscallOpenatV2X, event.SyscallOpenat2X, event.SyscallCreatX:
			letter = 'f'
		case event.SocketSocketX, event.SocketAcceptV5X, event.SocketAccept4V6X:
			letter = '4'
		case event.SyscallPipeX, event.SyscallPipe2X:
			letter = 'p'
		case event.SyscallEventfdX, event.SyscallEventfd2X:
			letter = 'e'
		case event.SyscallSignalfdX, event.SyscallSignalfd4X:
			letter = 's'
		case event.SyscallTimerfdCreateX:
			letter = 't'
		case event.SyscallInotifyInitX, event.SyscallInotifyInit1X:
			letter = 'i'
		}
	}
	i := strings.IndexByte(letters, letter)
	return letters[i : i+1]
}

// A namer finds the name of the descriptor of an event: that of the descriptor, or for a call that failed to make one the
// name that the call was given.
type namer struct {
	arg argument
	buf []byte
	raw bool // as the caller gave it
}

func (n *namer) name(c *state.Ctx) (string, bool) {
	if !usesFD(c) {
		return "", false
	}
	if c.FD != nil {
		if n.raw {
			return c.FD.NameRaw, true
		}
		return c.FD.Name, true
	}
	e := c.Event
	if e.Type().Enter {
		return "", false
	}
	switch e.Code {
	case event.SyscallOpenX, event.SocketAcceptV5X, event.SocketAccept4V6X, event.SyscallCreatX, event.SocketConnectX:
		n.arg.render(c, 1)
		return n.arg.text(), true
	case event.SyscallOpenatV2X, event.SyscallOpenat2X:
		name, ok := e.Text(2)
		if !ok || n.raw {
			return name, ok
		}
		dir, ok := e.Int(1)
		if !ok {
			return "", false
		}
		n.buf = c.State.ResolvePath(c.Thread, dir, name, n.buf)
		return event.View(n.buf), true
	case event.SyscallOpenByHandleAtX:
		name, ok := e.Text(3)
		if !ok {
			name = "<NA>"
		}
		return name, true
	}
	return "", true
}

func bindFDName(raw bool) binder {
	return func(string, bool) (*Extractor, error) {
		n := namer{raw: raw}
		return &Extractor{Cost: costWalk, Text: n.name}, nil
	}
}

// builtOfFD is the Bind of a text that f makes of the name of the descriptor.
func builtOfFD(f func(dst []byte, c *state.Ctx, name string) ([]byte, bool)) binder {
	return func(string, bool) (*Extractor, error) {
		var n namer
		return buildWith(costBuild, func(c *state.Ctx, dst []byte) ([]byte, bool) {
			name, ok := n.name(c)
			if !ok {
				return dst, false
			}
			return f(dst, c, name)
		}), nil
	}
}

// appendDirectory appends fd.directory. A name that ends in a slash stays whole.
func appendDirectory(dst []byte, c *state.Ctx, name string) ([]byte, bool) {
	if c.FD != nil {
		if c.FD.Type == event.FDDirectory {
			return append(dst, name...), true
		}
		if !isFile(c.FD) {
			return dst, false
		}
	}
	i := strings.LastIndexByte(name, '/')
	switch {
	case i <= 0:
		return append(dst, '/'), true
	case i < len(name)-1:
		name = name[:i]
	}
	return append(dst, name...), true
}

// An end is one end of a socket.
type end uint8

const (
	client end = iota
	server
	local
	remote
)

// roleKnown says whether it is known which end of a connection is the client.
func roleKnown(d *state.FD) bool { return d.Flags&(state.FDRoleClient|state.FDRoleServer) != 0 }

// source says whether the end is the source of the descriptor's tuple, the client. It reports false when the end is not
// known: on other sockets than internet ones, before the roles are known, and for all but the server of a listening one.
func (x end) source(c *state.Ctx, d *state.FD) (source, ok bool) {
	switch d.Type {
	case event.FDIPv4Server, event.FDIPv6Server:
		return false, x == server
	case event.FDIPv4, event.FDIPv6:
		if !roleKnown(d) {
			return false, false
		}
	default:
		return false, false
	}
	switch x {
	case client:
		return true, true
	case server:
		return false, true
	}
	return clientIsLocal(c, d) == (x == local), true
}

// clientIsLocal says whether the client of a connection is on this machine. The addresses of a container are not those of
// the machine's interfaces, so there the role of the descriptor decides.
func clientIsLocal(c *state.Ctx, d *state.FD) bool {
	if c.Thread.ContainerID != "" {
		return d.Flags&state.FDRoleClient != 0
	}
	return c.State.IsLocal(&d.Tuple.SIP, d.Type == event.FDIPv6)
}

// address returns the address of one side of the tuple, in 4 or 16 bytes.
func address(d *state.FD, source bool) string {
	a := &d.Tuple.DIP
	if source {
		a = &d.Tuple.SIP
	}
	switch d.Type {
	case event.FDIPv4, event.FDIPv4Server:
		return event.View(a[:4])
	}
	return event.View(a[:])
}

func port(d *state.FD, source bool) uint64 {
	if source {
		return uint64(d.Tuple.SPort)
	}
	return uint64(d.Tuple.DPort)
}

// addressOf is the Bind of the address of an end.
func addressOf(x end) binder {
	return text(costLoad, func(c *state.Ctx) (string, bool) {
		d := knownFD(c)
		if d == nil {
			return "", false
		}
		source, ok := x.source(c, d)
		if !ok {
			return "", false
		}
		return address(d, source), true
	})
}

// portOf is the Bind of the port of an end.
func portOf(x end) binder {
	return number(costLoad, func(c *state.Ctx) (uint64, bool) {
		d := knownFD(c)
		if d == nil {
			return 0, false
		}
		source, ok := x.source(c, d)
		return port(d, source), ok
	})
}

// eitherEnd is the Bind of the fields that stand for both ends. The roles need not be known for them.
func eitherEnd(f func(d *state.FD, source bool) Value) binder {
	return func(string, bool) (*Extractor, error) {
		return &Extractor{Cost: costWalk, Quantity: Either, Multi: func(c *state.Ctx, dst []Value) ([]Value, bool) {
			d := knownFD(c)
			if d == nil {
				return dst, false
			}
			switch d.Type {
			case event.FDIPv4, event.FDIPv6:
				dst = append(dst, f(d, true), f(d, false))
			case event.FDIPv4Server, event.FDIPv6Server:
				dst = append(dst, f(d, false))
			}
			return dst, true
		}}, nil
	}
}

const filterOnlyEnd = FilterOnly | NoRHS | NoTransformer

func descriptorAddresses() []Field {
	eitherPort := eitherEnd(func(d *state.FD, source bool) Value { return Value{Type: PORT, Num: port(d, source)} })
	return []Field{
		{
			Name: "fd.ip", Type: IPADDR, Flags: filterOnlyEnd, Doc: "Address of either end of a connection.",
			Bind: eitherEnd(func(d *state.FD, source bool) Value { return Value{Type: IPADDR, Text: address(d, source)} }),
		},
		{Name: "fd.cip", Type: IPADDR, Doc: "Address of the client.", Bind: addressOf(client)},
		{Name: "fd.sip", Type: IPADDR, Doc: "Address of the server.", Bind: addressOf(server)},
		{Name: "fd.lip", Type: IPADDR, Doc: "Address of the end on this machine.", Bind: addressOf(local)},
		{
			Name: "fd.rip", Type: IPADDR,
			Doc:  "Address of the other end, as seen from this machine.",
			Bind: addressOf(remote),
		},
		{Name: "fd.port", Type: PORT, Flags: filterOnlyEnd, Doc: "Port of either end of a connection.", Bind: eitherPort},
		{Name: "fd.cport", Type: PORT, Doc: "Port of the client.", Bind: portOf(client)},
		{Name: "fd.sport", Type: PORT, Doc: "Port of the server.", Bind: portOf(server)},
		{Name: "fd.lport", Type: PORT, Doc: "Port of the end on this machine.", Bind: portOf(local)},
		{Name: "fd.rport", Type: PORT, Doc: "Port of the other end, as seen from this machine.", Bind: portOf(remote)},
	}
}

func descriptorKinds() []Field {
	return []Field{
		{
			Name: "fd.l4proto", Type: CHARBUF, Doc: "Transport of a socket: tcp, udp, icmp or raw.",
			Bind: ofFD(func(d *state.FD) (string, bool) { return transport(d.L4()), true }),
		},
		{
			Name: "fd.sockfamily", Type: CHARBUF, Doc: "Family of a socket: ip or unix.",
			Bind: ofFD(func(d *state.FD) (string, bool) {
				switch {
				case isInet(d):
					return "ip", true
				case d.Type == event.FDUnix:
					return "unix", true
				}
				return "", false
			}),
		},
		{
			Name: "fd.is_server", Type: BOOL, Doc: "Whether the process is the server of the connection, or listens.",
			Bind: number(costWalk, func(c *state.Ctx) (uint64, bool) {
				d := knownFD(c)
				if d == nil {
					return 0, false
				}
				return boolean(isServer(c, d)), true
			}),
		},
		{
			Name: "fd.uid", Type: CHARBUF, Doc: "Id of the thread and number of the descriptor, one after the other.",
			Bind: built(costBuild, func(c *state.Ctx, dst []byte) ([]byte, bool) {
				if !usesFD(c) {
					return dst, false
				}
				return strconv.AppendInt(strconv.AppendInt(dst, c.Thread.TID, 10), c.FDNum, 10), true
			}),
		},
		{
			Name: "fd.containername", Type: CHARBUF, Doc: "Id of the container, a colon, and fd.name.",
			Bind: builtOfFD(func(dst []byte, c *state.Ctx, name string) ([]byte, bool) {
				return append(append(append(dst, c.Thread.ContainerID...), ':'), name...), true
			}),
		},
		{
			Name: "fd.containerdirectory", Type: CHARBUF, Doc: "Id of the container, a colon, and fd.directory.",
			Bind: builtOfFD(func(dst []byte, c *state.Ctx, name string) ([]byte, bool) {
				return appendDirectory(append(append(dst, c.Thread.ContainerID...), ':'), c, name)
			}),
		},
	}
}

func transport(p event.L4Proto) string {
	switch p {
	case event.L4TCP:
		return "tcp"
	case event.L4UDP:
		return "udp"
	case event.L4ICMP:
		return "icmp"
	case event.L4Raw:
		return "raw"
	}
	return "<NA>"
}

func isServer(c *state.Ctx, d *state.FD) bool {
	switch d.Type {
	case event.FDIPv4Server, event.FDIPv6Server:
		return true
	case event.FDIPv4, event.FDIPv6:
		if c.Thread.ContainerID != "" {
			return d.Flags&state.FDRoleServer != 0
		}
		return c.State.IsLocal(&d.Tuple.DIP, d.Type == event.FDIPv6)
	}
	return false
}

// descriptorServices are the fields that Falco gives the name of a port's service. It resolves names only when told to,
// which nothing does, so they are the ports as text.
func descriptorServices() []Field {
	return []Field{
		{
			Name: "fd.proto", Type: PORT, Flags: filterOnlyEnd, Doc: "Port of either end of a connection.",
			Bind: eitherEnd(func(d *state.FD, source bool) Value { return Value{Type: PORT, Num: port(d, source)} }),
		},
		{Name: "fd.cproto", Type: CHARBUF, Doc: "Port of the client as text.", Bind: serviceOf(client)},
		{Name: "fd.sproto", Type: CHARBUF, Doc: "Port of the server as text.", Bind: serviceOf(server)},
		{Name: "fd.lproto", Type: CHARBUF, Doc: "Port of the end on this machine as text.", Bind: serviceOf(local)},
		{
			Name: "fd.rproto", Type: CHARBUF,
			Doc:  "Port of the other end, as seen from this machine, as text.",
			Bind: serviceOf(remote),
		},
	}
}

func serviceOf(x end) binder {
	return built(costBuild, func(c *state.Ctx, dst []byte) ([]byte, bool) {
		d := knownFD(c)
		if d == nil {
			return dst, false
		}
		if !isConnection(d) && (x == client && roleKnown(d) || x == server && isInet(d)) {
			return dst, true // Falco gives an empty text here
		}
		source, ok := x.source(c, d)
		if !ok {
			return dst, false
		}
		return strconv.AppendUint(dst, port(d, source), 10), true
	})
}

func descriptorNets() []Field {
	return []Field{
		{
			Name: "fd.net", Type: IPNET, Flags: filterOnlyEnd, Doc: "Network that the address of either end lies in.",
			Bind: eitherEnd(func(d *state.FD, source bool) Value { return Value{Type: IPNET, Text: address(d, source)} }),
		},
		{
			Name: "fd.cnet", Type: IPNET, Flags: filterOnlyEnd,
			Doc:  "Network that the address of the client lies in.",
			Bind: addressOf(client),
		},
		{
			Name: "fd.snet", Type: IPNET, Flags: filterOnlyEnd,
			Doc:  "Network that the address of the server lies in.",
			Bind: addressOf(server),
		},
		{Name: "fd.lnet", Type: IPNET, Flags: filterOnlyEnd, Doc: "Network that fd.lip lies in.", Bind: addressOf(local)},
		{
			Name: "fd.rnet", Type: IPNET, Flags: filterOnlyEnd,
			Doc:  "Network that fd.rip lies in.",
			Bind: addressOf(remote),
		},
	}
}

func descriptorStates() []Field {
	return []Field{
		{
			Name: "fd.connected", Type: BOOL, Doc: "Whether a socket is connected.",
			Bind: boolOfFD(func(d *state.FD) bool { return d.Flags&state.FDConnected != 0 }),
		},
		{
			Name: "fd.name_changed", Type: BOOL,
			Doc:  "Whether the event changed fd.name, as a datagram from another peer does.",
			Bind: number(costLoad, func(c *state.Ctx) (uint64, bool) { return boolean(c.NameChanged), knownFD(c) != nil }),
		},
	}
}

func descriptorHosts(cat *Catalogue) []Field {
	const flags = NoRHS | NoTransformer
	return []Field{
		{
			Name: "fd.cip.name", Type: CHARBUF, Flags: flags, Bind: hostOf(cat, client),
			Doc: "Host name of the client. The names that conditions mention are resolved when rules load; outputs " +
				"know no others.",
		},
		{
			Name: "fd.sip.name", Type: CHARBUF, Flags: flags, Bind: hostOf(cat, server),
			Doc: "Host name of the server. The names that conditions mention are resolved when rules load; outputs " +
				"know no others.",
		},
		{
			Name: "fd.lip.name", Type: CHARBUF, Flags: flags, Bind: hostOf(cat, local),
			Doc: "Host name of the end on this machine. The names that conditions mention are resolved when rules " +
				"load; outputs know no others.",
		},
		{
			Name: "fd.rip.name", Type: CHARBUF, Flags: flags, Bind: hostOf(cat, remote),
			Doc: "Host name of the other end, as seen from this machine. The names that conditions mention are " +
				"resolved when rules load; outputs know no others.",
		},
	}
}

// hostOf is the Bind of the host name of an end. In an output that is one of the names that conditions were loaded with.
// In a condition all of them count, and an address without any is its own name: so = and in hold for each name of the
// address, and != holds for an address that does not have the name, known or not.
func hostOf(cat *Catalogue, x end) binder {
	return func(_ string, filtering bool) (*Extractor, error) {
		if !filtering {
			return &Extractor{Cost: costWalk, Text: func(c *state.Ctx) (string, bool) {
				addr, ok := addrOf(c, x)
				if !ok {
					return "", false
				}
				if names := cat.names(addr); len(names) > 0 {
					return names[0], true
				}
				return "", false
			}}, nil
		}
		var buf []byte
		e := &Extractor{Cost: costBuild, Quantity: Either, HostName: true}
		e.Multi = func(c *state.Ctx, dst []Value) ([]Value, bool) {
			addr, ok := addrOf(c, x)
			if !ok {
				return dst, false
			}
			for _, name := range cat.names(addr) {
				dst = append(dst, Value{Type: CHARBUF, Text: name})
			}
			if len(dst) == 0 {
				buf = addr.AppendTo(buf[:0])
				dst = append(dst, Value{Type: CHARBUF, Text: event.View(buf)})
			}
			return dst, true
		}
		return e, nil
	}
}

// addrOf returns the address of an end.
func addrOf(c *state.Ctx, x end) (netip.Addr, bool) {
	d := knownFD(c)
	if d == nil {
		return netip.Addr{}, false
	}
	source, ok := x.source(c, d)
	if !ok {
		return netip.Addr{}, false
	}
	a := &d.Tuple.DIP
	if source {
		a = &d.Tuple.SIP
	}
	if d.Type == event.FDIPv4 || d.Type == event.FDIPv4Server {
		return netip.AddrFrom4([4]byte(a[:4])), true
	}
	return netip.AddrFrom16(*a).Unmap(), true
}

func descriptorInodes() []Field {
	return []Field{
		{
			Name: "fd.dev", Type: INT32, Bind: bindDevice,
			Doc: "Number of the device on which the file lies; outputs print it in hexadecimal.",
		},
		{
			Name: "fd.dev.major", Type: INT32, Doc: "Major part of the number of the device on which the file lies.",
			Bind: numberOfFD(func(d *state.FD) (uint64, bool) { return uint64(d.Dev & 0xfff00 >> 8), true }),
		},
		{
			Name: "fd.dev.minor", Type: INT32, Doc: "Minor part of the number of the device on which the file lies.",
			Bind: numberOfFD(func(d *state.FD) (uint64, bool) { return uint64(d.Dev&0xff | d.Dev>>12&0xfff00), true }),
		},
		{
			Name: "fd.ino", Type: INT64, Doc: "Inode number of the file.",
			Bind: numberOfFD(func(d *state.FD) (uint64, bool) { return d.Ino, true }),
		},
		{Name: "fd.nameraw", Type: CHARBUF, Doc: "Path of the file as the caller gave it.", Bind: bindNameRaw},
		{
			Name: "fd.types", Type: CHARBUF, List: true, Args: []ArgKind{ArgIndex}, Flags: ArgAllowed | NoRHS, split: splitFD,
			Bind: bindFDTypes,
			Doc: "fd.type of all descriptors that the process has open, each once, or with a number in brackets of " +
				"that descriptor.",
		},
		{
			Name: "fd.is_upper_layer", Type: BOOL,
			Doc:  "Whether the file lies in the upper layer of an overlay file system.",
			Bind: boolOfFD(func(d *state.FD) bool { return d.Flags&state.FDOverlayUpper != 0 }),
		},
		{
			Name: "fd.is_lower_layer", Type: BOOL, Doc: "Whether the file lies in a lower layer of an overlay file system.",
			Bind: boolOfFD(func(d *state.FD) bool { return d.Flags&state.FDOverlayLower != 0 }),
		},
	}
}

func bindDevice(arg string, filtering bool) (*Extractor, error) {
	x, err := numberOfFD(func(d *state.FD) (uint64, bool) {
		if filtering {
			return uint64(int32(d.Dev)), true
		}
		return uint64(d.Dev), true
	})(arg, filtering)
	return printedAs(x, event.FormatHex, filtering), err
}

// bindNameRaw binds fd.nameraw, in which slashes that follow another one are left out.
func bindNameRaw(string, bool) (*Extractor, error) {
	n := namer{raw: true}
	var buf []byte
	return &Extractor{Cost: costBuild, Text: func(c *state.Ctx) (string, bool) {
		name, ok := n.name(c)
		if !ok || !strings.Contains(name, "//") {
			return name, ok
		}
		buf = buf[:0]
		for i := range len(name) {
			if name[i] != '/' || i == 0 || name[i-1] != '/' {
				buf = append(buf, name[i])
			}
		}
		return event.View(buf), true
	}}, nil
}

// splitFD is the split of fd.types: the number of a descriptor or nothing.
func splitFD(_, rest string) (string, int, error) {
	arg, n, ok := brackets(rest)
	if !ok {
		return "", 0, nil
	}
	if _, err := strconv.ParseInt(arg, 10, 64); err != nil {
		return "", 0, notANumber(arg)
	}
	return arg, n, nil
}

func bindFDTypes(arg string, _ bool) (*Extractor, error) {
	if n, err := strconv.ParseInt(arg, 10, 64); err == nil {
		return &Extractor{Cost: costWalk, Quantity: List, Multi: func(c *state.Ctx, dst []Value) ([]Value, bool) {
			if !usesFD(c) {
				return dst, false
			}
			d := lookup(c.Thread, n)
			if d == nil {
				return dst, false
			}
			return append(dst, Value{Type: CHARBUF, Text: d.TypeString()}), true
		}}, nil
	}
	return &Extractor{Cost: costLong, Quantity: List, Multi: func(c *state.Ctx, dst []Value) ([]Value, bool) {
		if !usesFD(c) {
			return dst, false
		}
		var seen [256]bool
		c.Thread.FDs().EachType(func(d *state.FD) {
			kind := d.Type
			switch kind {
			case event.FDFile:
				kind = event.FDFileV2
			case event.FDIPv4Server:
				kind = event.FDIPv4
			case event.FDIPv6Server:
				kind = event.FDIPv6
			case event.FDUnsupported:
				kind = event.FDUnknown
			}
			if !seen[kind] {
				seen[kind] = true
				dst = append(dst, Value{Type: CHARBUF, Text: d.TypeString()})
			}
		})
		return dst, true
	}}, nil
}
