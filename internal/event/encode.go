package event

import "encoding/binary"

// Encoder builds encoded events in a buffer it reuses: Begin, then one append per parameter in order, then Bytes.
type Encoder struct {
	buf  []byte
	data []byte
	lens []uint32
	code Code
}

// Begin starts an event.
func (c *Encoder) Begin(code Code, time uint64, tid int64) {
	c.code = code
	c.data = c.data[:0]
	c.lens = c.lens[:0]
	c.buf = append(c.buf[:0], make([]byte, HeaderSize)...)
	binary.LittleEndian.PutUint64(c.buf, time)
	binary.LittleEndian.PutUint64(c.buf[8:], uint64(tid))
}

// Empty appends a parameter of length 0.
func (c *Encoder) Empty() { c.lens = append(c.lens, 0) }

// Raw appends a parameter that is encoded already.
func (c *Encoder) Raw(p []byte) {
	c.data = append(c.data, p...)
	c.lens = append(c.lens, uint32(len(p)))
}

// Text appends s with its closing NUL.
func (c *Encoder) Text(s string) {
	c.data = append(append(c.data, s...), 0)
	c.lens = append(c.lens, uint32(len(s)+1))
}

// Strings appends each string with its closing NUL, as arguments, environments and cgroups are encoded.
func (c *Encoder) Strings(list []string) {
	n := len(c.data)
	for _, s := range list {
		c.data = append(append(c.data, s...), 0)
	}
	c.lens = append(c.lens, uint32(len(c.data)-n))
}

// Uint64 appends an 8-byte number.
func (c *Encoder) Uint64(v uint64) {
	c.data = binary.LittleEndian.AppendUint64(c.data, v)
	c.lens = append(c.lens, 8)
}

// Int64 appends an 8-byte number.
func (c *Encoder) Int64(v int64) { c.Uint64(uint64(v)) }

// Uint32 appends a 4-byte number.
func (c *Encoder) Uint32(v uint32) {
	c.data = binary.LittleEndian.AppendUint32(c.data, v)
	c.lens = append(c.lens, 4)
}

// Uint16 appends a 2-byte number.
func (c *Encoder) Uint16(v uint16) {
	c.data = binary.LittleEndian.AppendUint16(c.data, v)
	c.lens = append(c.lens, 2)
}

// Uint8 appends a byte.
func (c *Encoder) Uint8(v uint8) {
	c.data = append(c.data, v)
	c.lens = append(c.lens, 1)
}

// Bytes ends the event and returns it. The result is valid until the next Begin. A parameter longer than its length
// field can say (65 535 bytes, except in the large types) is a mistake of the caller and makes it return nil.
func (c *Encoder) Bytes() []byte {
	large := types[c.code].Flags&FlagLargePayload != 0
	for _, n := range c.lens {
		if large {
			c.buf = binary.LittleEndian.AppendUint32(c.buf, n)
			continue
		}
		if n > 0xffff {
			return nil
		}
		c.buf = binary.LittleEndian.AppendUint16(c.buf, uint16(n))
	}
	c.buf = append(c.buf, c.data...)
	binary.LittleEndian.PutUint32(c.buf[16:], uint32(len(c.buf)))
	binary.LittleEndian.PutUint16(c.buf[20:], uint16(c.code))
	binary.LittleEndian.PutUint32(c.buf[22:], uint32(len(c.lens)))
	return c.buf
}
