package capture

import (
	"encoding/binary"

	"github.com/saker-sec/saker/internal/event"
)

// The offsets of an event inside its block: behind the block's type and length, the CPU and, in some blocks, the flags.
const (
	recordCPU       = 8
	recordFlags     = 10
	recordEvent     = 10
	recordEventFlag = 14
)

// headerSize1 is the size of an event's header in blocks of version 1, which do not say the number of parameters.
const headerSize1 = event.HeaderSize - 4

// record describes a kind of event block.
type record struct {
	event  int // offset of the event in the block; 0 for other blocks
	header int // size of the event's header
}

// recordOf returns what kind of event block t is.
func recordOf(t blockType) record {
	switch t {
	case blockEvent2, blockEvent2Large:
		return record{recordEvent, event.HeaderSize}
	case blockEvent2Flags, blockEvent2LargeFlag:
		return record{recordEventFlag, event.HeaderSize}
	case blockEvent1, blockEvent1Alias:
		return record{recordEvent, headerSize1}
	case blockEvent1Flags:
		return record{recordEventFlag, headerSize1}
	}
	return record{}
}

// upgrade turns the event of version 1 that begins at block[at:] into version 2, in place: the header moves four bytes
// towards the beginning of the block, over bytes that are no longer needed. It returns nil when the lengths do not add up.
func upgrade(block []byte, at int) []byte {
	rest := block[at : len(block)-4]
	size := int(binary.LittleEndian.Uint32(rest[16:]))
	code := event.Code(binary.LittleEndian.Uint16(rest[20:]))
	n := -1
	if size >= headerSize1 && size <= len(rest) {
		n = countParams(rest[:size])
	}
	if n < 0 && (code == event.NotificationE || code == event.InfrastructureEventE) && size >= headerSize1+3 && size-3 <= len(rest) {
		// Old writers said three bytes too many for these two.
		size -= 3
		n = countParams(rest[:size])
	}
	if n < 0 {
		return nil
	}
	raw := block[at-4 : at+size]
	copy(raw, rest[:headerSize1])
	binary.LittleEndian.PutUint32(raw[16:], uint32(size+4))
	binary.LittleEndian.PutUint32(raw[22:], uint32(n))
	return raw
}

// countParams returns how many parameters an event of version 1 has, or -1 when no number fits its length. Each further
// parameter makes an event longer, so at most one number fits.
func countParams(ev []byte) int {
	sum := headerSize1
	for n := 0; n <= event.MaxParams; n++ {
		at := headerSize1 + 2*n
		if sum == len(ev) {
			return n
		}
		if sum > len(ev) || at+2 > len(ev) {
			return -1
		}
		sum += 2 + int(binary.LittleEndian.Uint16(ev[at:]))
	}
	return -1
}

// appendRecord appends a whole event block. flags are written only when there are some: they need another block type.
func appendRecord(b []byte, raw []byte, cpu uint16, flags event.DumpFlags, large bool) []byte {
	start := len(b)
	kind := blockEvent2
	switch {
	case large && flags != 0:
		kind = blockEvent2LargeFlag
	case large:
		kind = blockEvent2Large
	case flags != 0:
		kind = blockEvent2Flags
	}
	b = beginBlock(b, kind)
	b = binary.LittleEndian.AppendUint16(b, cpu)
	if flags != 0 {
		b = binary.LittleEndian.AppendUint32(b, uint32(flags))
	}
	return endBlock(append(b, raw...), start)
}

// beginBlock appends the beginning of a block; endBlock, with the length b had before, its end.
func beginBlock(b []byte, kind blockType) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(kind))
	return append(b, 0, 0, 0, 0)
}

func endBlock(b []byte, start int) []byte {
	for (len(b)-start)%4 != 0 {
		b = append(b, 0)
	}
	n := uint32(len(b) - start + 4)
	binary.LittleEndian.PutUint32(b[start+4:], n)
	return binary.LittleEndian.AppendUint32(b, n)
}
