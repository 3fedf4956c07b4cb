package capture

import (
	"encoding/binary"

	"github.com/saker-sec/saker/internal/event"
)

// The kinds of entries of an interface list.
const (
	ifaceIPv4 = 1 + iota
	ifaceIPv6
	ifaceIPv4NoSpeed
	ifaceIPv6NoSpeed
)

// readInterfaces appends the entries of an interface list block (reference: scap-format.md §6). On failure it returns what
// came before the bad entry, and where in the body that entry begins.
func readInterfaces(list []event.Interface, body []byte, version int) (_ []event.Interface, bad int) {
	c := cursor{b: body}
	for c.left() >= 4 {
		start, end := c.pos, 0
		if version >= 2 {
			// This length does not count itself, unlike those of all other lists.
			end = start + 4 + int(c.u32())
		}
		kind, nameLen := c.u16(), int(c.u16())
		known := kind >= ifaceIPv4 && kind <= ifaceIPv6NoSpeed
		if known {
			f := event.Interface{IPv6: kind == ifaceIPv6 || kind == ifaceIPv6NoSpeed}
			size := 4
			if f.IPv6 {
				size = 16
			}
			copy(f.Addr[:], c.bytes(size))
			copy(f.Mask[:], c.bytes(size))
			copy(f.Broadcast[:], c.bytes(size))
			if kind == ifaceIPv4 || kind == ifaceIPv6 {
				f.LinkSpeed = c.u64()
			}
			f.Name = string(c.bytes(nameLen))
			if !c.bad {
				list = append(list, f)
			}
		}
		if version >= 2 {
			c.skipTo(end)
		} else if !known {
			c.bad = true
		}
		if c.bad {
			return list, start
		}
	}
	return list, -1
}

// appendInterface appends an entry of version 2.
func appendInterface(b []byte, f *event.Interface) []byte {
	start := len(b)
	kind, size := uint16(ifaceIPv4), 4
	if f.IPv6 {
		kind, size = ifaceIPv6, 16
	}
	name := f.Name[:min(len(f.Name), maxPath-1)]
	b = append(b, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint16(b, kind)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(name)))
	b = append(b, f.Addr[:size]...)
	b = append(b, f.Mask[:size]...)
	b = append(b, f.Broadcast[:size]...)
	b = binary.LittleEndian.AppendUint64(b, f.LinkSpeed)
	b = append(b, name...)
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start-4))
	return b
}
