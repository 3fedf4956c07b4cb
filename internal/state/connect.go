package state

import (
	"strconv"

	"github.com/saker-sec/saker/internal/event"
)

// onConnect gives the socket the tuple that the kernel reports. Where that is only an echo of what user memory held at
// exit, the destination seen when the call began is taken instead (evasions.md row 2).
func (s *State) onConnect(c *Ctx, e *event.Event) {
	t := c.Thread
	if t == nil {
		return
	}
	defer s.forget(t)
	res, ok := e.Int(0)
	if !ok || c.FD == nil {
		return
	}
	if res < 0 && res != -errInProgress {
		if s.cfg.FollowAll {
			s.own(c).setFailed()
		}
		return
	}
	d := s.own(c)
	d.setConnected()
	if res < 0 && s.cfg.FollowAll {
		d.setPending()
	}
	var began sockTuple
	hasBegan := false
	if enter := s.entered(t, e.Code); enter != nil {
		began, hasBegan = readAddr(enter.Param(1))
	}
	if len(e.Param(1)) == 0 {
		// TCP fast open: the call returned before there was a tuple.
		if hasBegan {
			s.connectTo(c, d, &began)
		}
		return
	}
	a, ok := readTuple(e.Param(1))
	if !ok {
		return
	}
	if said, ok := readAddr(e.Param(3)); ok && hasBegan {
		c.Raced = a.trust(&began, &said)
		if c.Raced {
			s.stats.Raced++
		}
	}
	switch {
	case a.family == afInet || a.family == afInet6:
		d.retype(a.v4)
		if d.update(&a.Tuple) && d.Flags&FDRoleServer != 0 && d.isUDP() {
			d.Tuple.swap()
		}
		s.scratch = appendName(s.scratch[:0], d)
	case d.Type == event.FDUnix:
		d.UnixSource, d.UnixPeer = a.src, a.dst
		b := strconv.AppendUint(s.scratch[:0], a.src, 16)
		b = append(b, "->"...)
		b = strconv.AppendUint(b, a.dst, 16)
		b = append(b, ' ')
		s.scratch = append(b, a.path...)
	default:
		return
	}
	s.rename(c, d, event.View(s.scratch))
	if d.Flags&(FDRoleClient|FDRoleServer) == 0 {
		d.Flags |= FDRoleClient
	}
}

// trust replaces the destination by the one seen when the call began, if it is the one that user memory held at exit:
// then the kernel may have filled the tuple from there. It reports whether the two disagree.
func (a *sockTuple) trust(began, said *sockTuple) bool {
	if a.family != said.family || a.family != began.family {
		return false
	}
	if a.family == afUnix {
		if a.path == said.path {
			a.path = began.path
		}
		return began.path != said.path
	}
	if a.DIP == said.DIP && a.DPort == said.DPort && began.v4 == a.v4 {
		a.DIP, a.DPort = began.DIP, began.DPort
	}
	return began.DIP != said.DIP || began.DPort != said.DPort
}

// connectTo sets the destination alone; the name stays, as in Falco, except for families it does not know.
func (s *State) connectTo(c *Ctx, d *FD, a *sockTuple) {
	switch a.family {
	case afInet, afInet6:
		d.retype(a.v4)
		d.Tuple.DIP, d.Tuple.DPort = a.DIP, a.DPort
	}
}

// retype makes the socket an IPv4 or IPv6 connection. A listening socket loses the address that it listened on.
func (d *FD) retype(v4 bool) {
	if d.Type == event.FDIPv4Server || d.Type == event.FDIPv6Server {
		l4 := d.Tuple.L4
		d.Tuple = Tuple{L4: l4}
	}
	d.Type = event.FDIPv6
	if v4 {
		d.Type = event.FDIPv4
	}
}

// update takes over the addresses of an event and reports whether that changed anything. The same pair of addresses the
// other way round is the same connection.
func (d *FD) update(n *Tuple) bool {
	if d.settled(n) {
		return false
	}
	l4 := d.Tuple.L4
	d.Tuple = *n
	d.Tuple.L4 = l4
	return true
}
