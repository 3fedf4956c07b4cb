package state

import (
	"strconv"

	"github.com/saker-sec/saker/internal/event"
)

// Types and protocols of socket(2), as Linux numbers them.
const (
	sockStream = 1
	sockDgram  = 2
	sockRaw    = 3
	ipIP       = 0
	ipICMP     = 1
	ipTCP      = 6
	ipUDP      = 17
	ipRaw      = 255
)

// errInProgress is the result of a connect that goes on in the background, negated.
const errInProgress = 115

// onSocket opens a socket without addresses.
func (s *State) onSocket(c *Ctx, e *event.Event) {
	fd, ok := e.Int(0)
	if !ok || fd < 0 || c.Thread == nil {
		return
	}
	s.addSocket(c, fd, number[uint32](e, 1), number[uint32](e, 2), number[uint32](e, 3), number[uint32](e, 4))
}

func (s *State) addSocket(c *Ctx, fd int64, domain, kind, proto, flags uint32) {
	d := s.free.fd()
	d.OpenFlags = flags
	switch domain {
	case afUnix:
		d.Type = event.FDUnix
	case afInet:
		d.Type, d.Tuple.L4 = event.FDIPv4, transport(kind, proto)
	case afInet6:
		d.Type, d.Tuple.L4 = event.FDIPv6, transport(kind, proto)
	case afNetlink:
		d.Type = event.FDNetlink
	}
	c.FD = s.addFD(c, fd, d)
}

// transport tells the protocol of an internet socket. The type may carry SOCK_NONBLOCK and SOCK_CLOEXEC above its low
// byte.
func transport(kind, proto uint32) event.L4Proto {
	if kind == sockRaw && (proto == ipTCP || proto == ipUDP || proto == ipICMP) {
		return event.L4Raw
	}
	switch proto {
	case ipTCP:
		return event.L4TCP
	case ipUDP:
		return event.L4UDP
	case ipICMP:
		return event.L4ICMP
	case ipRaw:
		return event.L4Raw
	case ipIP:
		switch kind & 0xff {
		case sockStream:
			return event.L4TCP
		case sockDgram:
			return event.L4UDP
		}
	}
	return event.L4Unknown
}

// onBind makes the socket a server's where it binds a port.
func (s *State) onBind(c *Ctx, e *event.Event) {
	res, ok := e.Int(0)
	if !ok || res < 0 || c.FD == nil {
		return
	}
	a, ok := readAddr(e.Param(1))
	if !ok {
		return
	}
	d := s.own(c)
	if (a.family == afInet || a.family == afInet6) && a.DPort > 0 {
		d.Type = event.FDIPv6Server
		if a.v4 {
			d.Type = event.FDIPv4Server
		}
		d.Tuple.SIP, d.Tuple.SPort = [16]byte{}, 0
		d.Tuple.DIP, d.Tuple.DPort = a.DIP, a.DPort
		d.Flags |= FDRoleServer
	}
	b := s.scratch[:0]
	switch a.family {
	case afUnix:
		b = append(b, a.path...)
	case afInet:
		b = appendEnd(b, &a.DIP, a.DPort, false)
	case afInet6:
		// The address is printed as it was given, also where it stands for an IPv4 one.
		b = appendEnd(b, (*[16]byte)(e.Param(1)[1:17]), a.DPort, true)
	default:
		b = strconv.AppendUint(append(b, "family "...), uint64(a.family), 10)
	}
	s.scratch = b
	s.rename(c, d, event.View(b))
}

// rename gives the event's descriptor another name.
func (s *State) rename(c *Ctx, d *FD, name string) {
	if d.Name == name {
		return
	}
	c.NameChanged = true
	if d.NameRaw == "" {
		d.setNames(name, "")
		return
	}
	s.scratch2 = append(s.scratch2[:0], d.NameRaw...)
	d.setNames(name, event.View(s.scratch2))
}

// onSocketpair opens two connected Unix sockets; the event is about the first.
func (s *State) onSocketpair(c *Ctx, e *event.Event) {
	res, ok := e.Int(0)
	if !ok || res < 0 || c.Thread == nil {
		return
	}
	fd1, ok1 := e.Int(1)
	fd2, ok2 := e.Int(2)
	if !ok1 || !ok2 || fd1 == fd2 {
		return
	}
	var first *FD
	for _, fd := range [2]int64{fd1, fd2} {
		d := s.free.fd()
		d.Type = event.FDUnix
		d.UnixSource, d.UnixPeer = number[uint64](e, 3), number[uint64](e, 4)
		if d = s.addFD(c, fd, d); first == nil {
			first = d
		}
	}
	c.FD = first
}

// onAccept opens the server's end of a new connection.
func (s *State) onAccept(c *Ctx, e *event.Event) {
	fd, ok := e.Int(0)
	if !ok || fd < 0 || c.Thread == nil {
		return
	}
	c.FDNum, c.Thread.lastFD = fd, fd
	a, ok := readTuple(e.Param(1))
	if !ok {
		return
	}
	d := s.free.fd()
	switch {
	case a.family == afInet || a.family == afInet6:
		d.Type = event.FDIPv6
		if a.v4 {
			d.Type = event.FDIPv4
		}
		d.Tuple = a.Tuple
		d.Tuple.L4 = event.L4TCP
	case a.family == afUnix:
		d.Type = event.FDUnix
		d.UnixSource, d.UnixPeer = a.src, a.dst
	default:
		s.free.putFD(d)
		c.FD = c.Thread.FDs().Get(fd)
		return
	}
	if e.Code == event.SocketAccept4V6X {
		d.OpenFlags = number[uint32](e, 5) & openCloexec
	}
	d.Flags = FDRoleServer | FDConnected
	s.scratch = appendSockTuple(s.scratch[:0], &a)
	d.setNames(event.View(s.scratch), "")
	c.FD = s.addFD(c, fd, d)
	c.NameChanged = c.FD != nil
}

// onGetsockopt learns from SO_ERROR how a connect in the background ended. Falco does so only where plugins ask it to
// follow connections, which Falco itself does not.
func (s *State) onGetsockopt(c *Ctx, e *event.Event) {
	const solSocket, soError, typeErrno = 1, 4, 1
	res, ok := e.Int(0)
	if !ok || res < 0 || c.FD == nil || c.FD.Flags&FDPending == 0 {
		return
	}
	v := e.Param(4)
	if number[uint8](e, 2) != solSocket || number[uint8](e, 3) != soError || len(v) != 9 || v[0] != typeErrno {
		return
	}
	d := s.own(c)
	if int64(le64(v[1:])) < 0 {
		d.setFailed()
	} else {
		d.setConnected()
	}
}
