package state

import "github.com/saker-sec/saker/internal/event"

// interfaces are the addresses of the machine. They complete tuples of which one side is unspecified.
type interfaces struct{ v4, v6 []event.Interface }

func (x *interfaces) set(list []event.Interface) {
	x.v4, x.v6 = nil, nil
	for _, i := range list {
		if i.IPv6 {
			x.v6 = append(x.v6, i)
		} else {
			x.v4 = append(x.v4, i)
		}
	}
}

// IsLocal says whether an address is one of the machine's own (fd.lip and its relatives): for IPv6, whether it lies in
// the /64 of one of them.
func (s *State) IsLocal(ip *[16]byte, v6 bool) bool {
	list := s.ifaces.v4
	if v6 {
		list = s.ifaces.v6
	}
	for i := range list {
		if v6 && [8]byte(list[i].Addr[:8]) == [8]byte(ip[:8]) || !v6 && [4]byte(list[i].Addr[:4]) == [4]byte(ip[:4]) {
			return true
		}
	}
	return false
}

// IsLocalNet says whether an IPv4 address is private (RFC 1918) or in the network of one of the machine's interfaces.
func (s *State) IsLocalNet(ip *[16]byte) bool {
	if ip[0] == 10 || ip[0] == 192 && ip[1] == 168 || ip[0] == 172 && ip[1]&0xf0 == 16 {
		return true
	}
	for i := range s.ifaces.v4 {
		if sameNet(&s.ifaces.v4[i], ip) {
			return true
		}
	}
	return false
}

// complete fills in the unspecified side of a tuple with the address of ours that talks to the other side.
func (x *interfaces) complete(d *FD) {
	t := &d.Tuple
	guess, from := x.address4, &t.DIP
	if d.Type == event.FDIPv6 {
		guess = x.address6
	} else if d.Type != event.FDIPv4 {
		return
	}
	to := &t.SIP
	switch {
	case isZero(&t.SIP):
	case isZero(&t.DIP):
		from, to = &t.SIP, &t.DIP
	default:
		return
	}
	a := guess(from)
	if a == *from && t.SPort == t.DPort {
		return
	}
	*to = a
}

// address4 returns our address that is peer itself, else the one in its network, else the first that is not loopback.
func (x *interfaces) address4(peer *[16]byte) [16]byte {
	for i := range x.v4 {
		if [4]byte(x.v4[i].Addr[:4]) == [4]byte(peer[:4]) {
			return x.v4[i].Addr
		}
	}
	for i := range x.v4 {
		if sameNet(&x.v4[i], peer) {
			return x.v4[i].Addr
		}
	}
	for i := range x.v4 {
		if [4]byte(x.v4[i].Addr[:4]) != [4]byte{127, 0, 0, 1} {
			return x.v4[i].Addr
		}
	}
	return [16]byte{}
}

// address6 is like address4; networks are taken to be /64.
func (x *interfaces) address6(peer *[16]byte) [16]byte {
	for i := range x.v6 {
		if x.v6[i].Addr == *peer {
			return *peer
		}
	}
	for i := range x.v6 {
		if [8]byte(x.v6[i].Addr[:8]) == [8]byte(peer[:8]) {
			return x.v6[i].Addr
		}
	}
	for i := range x.v6 {
		if x.v6[i].Addr != [16]byte{15: 1} {
			return x.v6[i].Addr
		}
	}
	return [16]byte{}
}

func sameNet(i *event.Interface, ip *[16]byte) bool {
	for k := range 4 {
		if i.Addr[k]&i.Mask[k] != ip[k]&i.Mask[k] {
			return false
		}
	}
	return true
}
