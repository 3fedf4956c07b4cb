package capture

import "encoding/binary"

// cursor reads the body of a metadata block. Once something does not fit, every further read returns zero and bad stays
// true, so that callers check once per entry.
type cursor struct {
	b   []byte
	pos int
	bad bool
}

func (c *cursor) left() int { return len(c.b) - c.pos }

// bytes returns the next n bytes, which lie in the block.
func (c *cursor) bytes(n int) []byte {
	if c.bad || n > c.left() {
		c.bad = true
		return nil
	}
	c.pos += n
	return c.b[c.pos-n : c.pos]
}

// skipTo moves to a position that must not lie behind the current one or after the end.
func (c *cursor) skipTo(pos int) {
	if pos < c.pos || pos > len(c.b) {
		c.bad = true
		return
	}
	c.pos = pos
}

func (c *cursor) u8() uint8 {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) u16() uint16 {
	if b := c.bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if b := c.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (c *cursor) u64() uint64 {
	if b := c.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (c *cursor) i64() int64 { return int64(c.u64()) }

// text returns a string that has its length (u16) before it.
func (c *cursor) text() string { return string(c.bytes(int(c.u16()))) }

// texts returns the strings, each closed by a NUL, of a string that has its length (u16) before it. The last NUL may be
// missing. No string gives nil.
func (c *cursor) texts() []string {
	b := c.bytes(int(c.u16()))
	n := 0
	for _, ch := range b {
		if ch == 0 {
			n++
		}
	}
	if len(b) > 0 && b[len(b)-1] != 0 {
		n++
	}
	if n == 0 {
		return nil
	}
	list := make([]string, 0, n)
	s := string(b) // one allocation for all
	for len(s) > 0 {
		i := 0
		for i < len(s) && s[i] != 0 {
			i++
		}
		list = append(list, s[:i])
		s = s[min(i+1, len(s)):]
	}
	return list
}
