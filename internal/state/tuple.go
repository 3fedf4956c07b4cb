package state

import (
	"net/netip"
	"strconv"

	"github.com/saker-sec/saker/internal/event"
)

// Address families of the event format (PPM_AF_…).
const (
	afUnix    = 1
	afInet    = 2
	afInet6   = 10
	afNetlink = 16
)

func (t *Tuple) swap() {
	t.SIP, t.DIP = t.DIP, t.SIP
	t.SPort, t.DPort = t.DPort, t.SPort
}

// appendPair appends the name of a connection, "source:port->destination:port", as fd.name prints it. Protocols without
// ports print addresses only, and a protocol not known yet prints "<unknown>" once the socket is in use.
func appendPair(b []byte, d *FD) []byte {
	return appendTuple(b, &d.Tuple, d.Type == event.FDIPv6)
}

func appendTuple(b []byte, t *Tuple, v6 bool) []byte {
	b = appendEnd(b, &t.SIP, t.SPort, v6)
	b = append(b, "->"...)
	return appendEnd(b, &t.DIP, t.DPort, v6)
}

// appendName appends the name of a socket whose tuple an event changed.
func appendName(b []byte, d *FD) []byte {
	v6 := d.Type == event.FDIPv6
	switch d.Tuple.L4 {
	case event.L4TCP, event.L4UDP:
		return appendTuple(b, &d.Tuple, v6)
	case event.L4ICMP:
		b = appendAddr(b, &d.Tuple.SIP, v6)
		b = append(b, "->"...)
		return appendAddr(b, &d.Tuple.DIP, v6)
	case event.L4Raw:
		if !v6 {
			b = appendAddr(b, &d.Tuple.SIP, v6)
			b = append(b, "->"...)
			return appendAddr(b, &d.Tuple.DIP, v6)
		}
	}
	return append(b, "<unknown>"...)
}

func appendEnd(b []byte, ip *[16]byte, port uint16, v6 bool) []byte {
	b = append(appendAddr(b, ip, v6), ':')
	return strconv.AppendUint(b, uint64(port), 10)
}

func appendAddr(b []byte, ip *[16]byte, v6 bool) []byte {
	if v6 {
		return appendIPv6(b, ip)
	}
	for i := range 4 {
		if i > 0 {
			b = append(b, '.')
		}
		b = strconv.AppendUint(b, uint64(ip[i]), 10)
	}
	return b
}

// appendIPv6 appends the address as inet_ntop(3) prints it: besides the mapped form, glibc prints the obsolete
// compatible form (96 zero bits) with dots, too.
func appendIPv6(b []byte, ip *[16]byte) []byte {
	a := netip.AddrFrom16(*ip)
	if a.Is4In6() {
		b = append(b, "::ffff:"...)
		return a.Unmap().AppendTo(b)
	}
	if [12]byte(ip[:12]) == [12]byte{} && (ip[12] != 0 || ip[13] != 0) {
		b = append(b, "::"...)
		return netip.AddrFrom4([4]byte(ip[12:])).AppendTo(b)
	}
	return a.AppendTo(b)
}

// mapped says whether an IPv6 address stands for an IPv4 one: ::ffff:a.b.c.d, or all zero.
func mapped(ip []byte) bool {
	if [10]byte(ip[:10]) != [10]byte{} {
		return false
	}
	return ip[10] == 0xff && ip[11] == 0xff || [6]byte(ip[10:16]) == [6]byte{}
}

// unmap returns the IPv4 address in a mapped one.
func unmap(ip []byte) [16]byte {
	var v4 [16]byte
	copy(v4[:4], ip[12:16])
	return v4
}

func isZero(ip *[16]byte) bool { return *ip == [16]byte{} }

// sockTuple is a decoded SOCKTUPLE or SOCKADDR parameter; an address has the destination only.
type sockTuple struct {
	family   uint8
	v4       bool // IPv4, or IPv6 mapped from it
	Tuple         // of afInet and afInet6
	src, dst uint64
	path     string // of afUnix
}

// readTuple decodes a SOCKTUPLE parameter (scap-format.md §7). It reports false for an empty or short one.
func readTuple(p []byte) (t sockTuple, ok bool) {
	if len(p) == 0 {
		return t, false
	}
	t.family = p[0]
	switch p[0] {
	case afInet:
		if len(p) < 13 {
			return t, false
		}
		t.v4 = true
		copy(t.SIP[:4], p[1:])
		copy(t.DIP[:4], p[7:])
		t.SPort, t.DPort = le16(p[5:]), le16(p[11:])
	case afInet6:
		if len(p) < 37 {
			return t, false
		}
		t.SPort, t.DPort = le16(p[17:]), le16(p[35:])
		if mapped(p[1:17]) && mapped(p[19:35]) {
			t.v4 = true
			t.SIP, t.DIP = unmap(p[1:17]), unmap(p[19:35])
		} else {
			copy(t.SIP[:], p[1:17])
			copy(t.DIP[:], p[19:35])
		}
	case afUnix:
		if len(p) < 18 || p[len(p)-1] != 0 {
			return t, false
		}
		t.src, t.dst = le64(p[1:]), le64(p[9:])
		t.path = cString(p[17:])
	}
	return t, true
}

// readAddr decodes a SOCKADDR parameter into the destination of a tuple.
func readAddr(p []byte) (t sockTuple, ok bool) {
	if len(p) == 0 {
		return t, false
	}
	t.family = p[0]
	switch p[0] {
	case afInet:
		if len(p) < 7 {
			return t, false
		}
		t.v4 = true
		copy(t.DIP[:4], p[1:])
		t.DPort = le16(p[5:])
	case afInet6:
		if len(p) < 19 {
			return t, false
		}
		t.DPort = le16(p[17:])
		if mapped(p[1:17]) {
			t.v4 = true
			t.DIP = unmap(p[1:17])
		} else {
			copy(t.DIP[:], p[1:17])
		}
	case afUnix:
		if len(p) < 2 || p[len(p)-1] != 0 {
			return t, false
		}
		t.path = cString(p[1:])
	}
	return t, true
}

// appendSockTuple appends a SOCKTUPLE parameter as evt.arg prints it.
func appendSockTuple(b []byte, t *sockTuple) []byte {
	switch t.family {
	case afInet, afInet6:
		return appendTuple(b, &t.Tuple, !t.v4)
	case afUnix:
		b = strconv.AppendUint(b, t.src, 16)
		b = append(b, "->"...)
		b = strconv.AppendUint(b, t.dst, 16)
		b = append(b, ' ')
		return append(b, t.path...)
	}
	return strconv.AppendUint(append(b, "family "...), uint64(t.family), 10)
}

func cString(p []byte) string {
	for i, c := range p {
		if c == 0 {
			return event.View(p[:i])
		}
	}
	return event.View(p)
}

func le16(p []byte) uint16 { return uint16(p[0]) | uint16(p[1])<<8 }

func le32(p []byte) uint32 { return uint32(le16(p)) | uint32(le16(p[2:]))<<16 }

func le64(p []byte) uint64 {
	v := uint64(0)
	for i := range 8 {
		v |= uint64(p[i]) << (8 * i)
	}
	return v
}
