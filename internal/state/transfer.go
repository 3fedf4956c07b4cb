package state

import (
	"strconv"

	"github.com/saker-sec/saker/internal/event"
)

// onReceive follows the addresses from which a socket receives.
func (s *State) onReceive(c *Ctx, e *event.Event) {
	tuple, control := -1, -1
	switch e.Code {
	case event.SocketRecvfromX:
		tuple = 2
	case event.SocketRecvmsgX:
		tuple, control = 3, 4
	case event.SocketRecvmmsgX:
		tuple, control = 4, 5
	case event.SocketRecvX:
		tuple = 4
	}
	s.transfer(c, e, tuple, true)
	if control > 0 && s.fdProc != nil && c.FD != nil && c.FD.Type == event.FDUnix {
		s.receiveFDs(c, e.Param(control))
	}
}

// receiveFDs asks the kernel for the descriptors that came with a message (SCM_RIGHTS, unix(7)): no event tells what
// they are. The parts of control data are a size, a level, a type and data. The size has 64 bits; for a 32-bit receiver it has
// 32, and then the level, which is not 0, stands where the high ones would be.
func (s *State) receiveFDs(c *Ctx, control []byte) {
	const level, kind = 4, 4 // bytes
	const solSocket, scmRights, maxPassed = 1, 1, 253
	word := 8
	if len(control) >= 8 && le32(control[4:]) == solSocket {
		word = 4
	}
	header := word + level + kind
	for len(control) >= header {
		size := uint64(le32(control))
		if word == 8 {
			size = le64(control)
		}
		if size < uint64(header) || size > uint64(len(control)) {
			return
		}
		data := control[header:size]
		if le32(control[word:]) == solSocket && le32(control[word+level:]) == scmRights && len(data) <= 4*maxPassed {
			for ; len(data) >= 4; data = data[4:] {
				s.fetchFD(c.Thread, int64(int32(le32(data))))
			}
		}
		next := (size + uint64(word) - 1) &^ (uint64(word) - 1)
		control = control[min(next, uint64(len(control))):]
	}
}

// onSend follows the addresses to which a socket sends. A socket that nothing is known of is taken for a UDP one.
func (s *State) onSend(c *Ctx, e *event.Event) {
	tuple := -1
	switch e.Code {
	case event.SocketSendX, event.SocketSendtoX, event.SocketSendmsgX:
		tuple = 4
		if c.FD == nil && c.Thread != nil {
			s.inferSocket(c, e)
		}
	case event.SocketSendmmsgX:
		tuple = 4
	}
	s.transfer(c, e, tuple, false)
}

// inferSocket makes up the socket that a message was sent through.
func (s *State) inferSocket(c *Ctx, e *event.Event) {
	res, ok := e.Int(0)
	if !ok || res < 0 || c.FDNum < 0 {
		return
	}
	p := e.Param(4)
	if len(p) > 0 && (p[0] == afInet || p[0] == afInet6) {
		s.addSocket(c, c.FDNum, uint32(p[0]), sockDgram, ipUDP, 0)
	}
}

// transfer handles a read or write of any kind; tuple is the parameter with the addresses, -1 if the call has none.
func (s *State) transfer(c *Ctx, e *event.Event, tuple int, incoming bool) {
	d := c.FD
	if d == nil {
		return
	}
	res, ok := e.Int(0)
	if !ok || res < 0 {
		return
	}
	if d.isInet() && d.Flags&(FDConnected|FDPending|FDFailed) != FDConnected {
		d = s.own(c)
		d.setConnected()
	}
	if tuple < 0 || d.Name != "" && d.isTCP() {
		return
	}
	p := e.Param(tuple)
	if len(p) == 0 {
		return
	}
	a, ok := readTuple(p)
	if !ok {
		s.stats.Undecodable++
		return
	}
	s.follow(c, &a, incoming)
}

// follow takes over the addresses of a message.
func (s *State) follow(c *Ctx, a *sockTuple, incoming bool) {
	d := c.FD
	switch a.family {
	case afInet, afInet6:
		if d.Type == event.FDIPv4 && a.v4 || d.Type == event.FDIPv6 && !a.v4 {
			if d.settled(&a.Tuple) {
				return
			}
		}
		d = s.own(c)
		d.retype(a.v4)
		if !d.update(&a.Tuple) {
			return
		}
		if d.Tuple.L4 == event.L4Unknown {
			// An address that changes from message to message: TCP cannot do that.
			d.Tuple.L4 = event.L4UDP
		}
		s.ifaces.complete(d)
		if d.Flags&(FDRoleClient|FDRoleServer) == 0 {
			d.Flags |= s.guessRole(c.Thread, d, incoming)
		}
		if incoming && d.Flags&FDRoleClient != 0 || !incoming && d.Flags&FDRoleServer != 0 {
			d.Tuple.swap()
		}
		s.scratch = appendName(s.scratch[:0], d)
	case afUnix:
		d = s.own(c)
		d.Type = event.FDUnix
		d.UnixSource, d.UnixPeer = a.src, a.dst
		s.scratch = appendSockTuple(s.scratch[:0], a)
	default:
		d = s.own(c)
		s.ifaces.complete(d)
		s.scratch = strconv.AppendUint(append(s.scratch[:0], "family "...), uint64(a.family), 10)
	}
	s.rename(c, d, event.View(s.scratch))
}

// settled says whether a message with these addresses changes nothing.
func (d *FD) settled(n *Tuple) bool {
	t := &d.Tuple
	return t.SIP == n.SIP && t.SPort == n.SPort && t.DIP == n.DIP && t.DPort == n.DPort ||
		t.SIP == n.DIP && t.SPort == n.DPort && t.DIP == n.SIP && t.DPort == n.SPort
}

// maxGuess is how many descriptors are looked at to guess a role, as many as Falco keeps of a process: who has more must not be able to slow the
// events of all down by sending.
const maxGuess = 4096

// guessRole tells whether the process is the client or the server of a socket that appears with its first message: the
// server is bound to the destination port; where it also uses the source port, servers are taken to start by receiving.
func (s *State) guessRole(t *Thread, d *FD, incoming bool) FDFlags {
	bound, uses := false, false
	left := maxGuess
	t.FDs().Each(func(_ int64, o *FD) bool {
		switch o.Type {
		case event.FDIPv4:
			bound = bound || o.Tuple.DPort == d.Tuple.DPort
			uses = uses || o.Tuple.SPort == d.Tuple.SPort
		case event.FDIPv4Server:
			bound = bound || o.Tuple.DPort == d.Tuple.DPort
		}
		left--
		return left > 0 && (!bound || !uses)
	})
	switch {
	case !bound:
		return FDRoleClient
	case !uses, incoming:
		return FDRoleServer
	}
	return FDRoleClient
}
