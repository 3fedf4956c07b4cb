package capture

import (
	"encoding/binary"

	"github.com/saker-sec/saker/internal/event"
)

// readDescriptors appends the entries of a descriptor list block, whose body begins with the id of the process they belong
// to. Kinds of descriptors that are not known are left out. On failure it returns what came before the bad entry, and
// where in the body that entry begins.
func readDescriptors(list []event.Descriptor, body []byte, version int) (_ []event.Descriptor, bad int) {
	c := cursor{b: body}
	c.u64()
	if c.bad {
		return list, 0
	}
	for c.left() >= 4 {
		start := c.pos
		var d event.Descriptor
		known := readDescriptor(&c, version, &d)
		if c.bad {
			return list, start
		}
		if known {
			list = append(list, d)
		}
	}
	return list, -1
}

// readDescriptor reads one entry (reference: scap-format.md §4). It reports whether its kind is known; unknown ones can be
// skipped from version 2 on.
func readDescriptor(c *cursor, version int, d *event.Descriptor) bool {
	start, end := c.pos, 0
	if version >= 2 {
		end = start + int(c.u32())
	}
	d.FD, d.Ino, d.Type = c.i64(), c.u64(), event.FDType(c.u8())
	known := true
	switch d.Type {
	case event.FDUnknown:
	case event.FDIPv4:
		copy(d.SIP[:], c.bytes(4))
		copy(d.DIP[:], c.bytes(4))
		d.SPort, d.DPort, d.L4 = c.u16(), c.u16(), event.L4Proto(c.u8())
	case event.FDIPv6:
		copy(d.SIP[:], c.bytes(16))
		copy(d.DIP[:], c.bytes(16))
		d.SPort, d.DPort, d.L4 = c.u16(), c.u16(), event.L4Proto(c.u8())
	case event.FDIPv4Server:
		copy(d.SIP[:], c.bytes(4))
		d.SPort, d.L4 = c.u16(), event.L4Proto(c.u8())
	case event.FDIPv6Server:
		copy(d.SIP[:], c.bytes(16))
		d.SPort, d.L4 = c.u16(), event.L4Proto(c.u8())
	case event.FDUnix:
		d.UnixSource, d.UnixPeer = c.u64(), c.u64()
		d.Name = c.text()
	case event.FDFileV2:
		d.OpenFlags = c.u32()
		d.Name = c.text()
		if version >= 2 && c.pos+4 <= end {
			d.Dev = c.u32()
		}
	default:
		if known = d.Type <= event.FDPidfd; known {
			d.Name = c.text()
		}
	}
	if version >= 2 {
		c.skipTo(end)
	} else if !known {
		c.bad = true
	}
	return known
}

// appendDescriptor appends an entry of version 2. Servers have their address in SIP and SPort.
func appendDescriptor(b []byte, d *event.Descriptor) []byte {
	start := len(b)
	b = append(b, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, uint64(d.FD))
	b = binary.LittleEndian.AppendUint64(b, d.Ino)
	b = append(b, byte(d.Type))
	switch d.Type {
	case event.FDUnknown:
	case event.FDIPv4:
		b = append(append(b, d.SIP[:4]...), d.DIP[:4]...)
		b = appendPorts(b, d.L4, d.SPort, d.DPort)
	case event.FDIPv6:
		b = append(append(b, d.SIP[:]...), d.DIP[:]...)
		b = appendPorts(b, d.L4, d.SPort, d.DPort)
	case event.FDIPv4Server:
		b = appendPorts(append(b, d.SIP[:4]...), d.L4, d.SPort)
	case event.FDIPv6Server:
		b = appendPorts(append(b, d.SIP[:]...), d.L4, d.SPort)
	case event.FDUnix:
		b = binary.LittleEndian.AppendUint64(b, d.UnixSource)
		b = binary.LittleEndian.AppendUint64(b, d.UnixPeer)
		b = appendText(b, d.Name, maxFDName)
	case event.FDFileV2:
		b = binary.LittleEndian.AppendUint32(b, d.OpenFlags)
		b = appendText(b, d.Name, maxFDName)
		b = binary.LittleEndian.AppendUint32(b, d.Dev)
	default:
		b = appendText(b, d.Name, maxFDName)
	}
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

func appendPorts(b []byte, l4 event.L4Proto, ports ...uint16) []byte {
	for _, p := range ports {
		b = binary.LittleEndian.AppendUint16(b, p)
	}
	return append(b, byte(l4))
}
