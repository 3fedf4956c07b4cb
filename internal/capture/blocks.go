package capture

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// bufferSize is how much is read at once.
const bufferSize = 256 << 10

// blocks cuts a stream into blocks. A block lies in its buffer and is valid until the next one is asked for.
type blocks struct {
	src      io.Reader
	srcErr   error // what ended the source
	buf      []byte
	pos, end int
	base     int64 // offset in the stream of buf[0]
}

// newBlocks returns the blocks of r, which may be compressed with gzip.
func newBlocks(r io.Reader) (*blocks, error) {
	in := bufio.NewReaderSize(r, bufferSize/4)
	b := &blocks{src: in, buf: make([]byte, bufferSize)}
	if magic, _ := in.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, b.ended("the gzip header", err)
		}
		b.src = z
	}
	return b, nil
}

// offset returns where in the uncompressed stream the next block begins.
func (b *blocks) offset() int64 { return b.base + int64(b.pos) }

// next returns the next whole block with its type and lengths. It returns io.EOF at the end of the stream and a
// DamageError when the rest is not a block.
func (b *blocks) next() ([]byte, error) {
	if v := b.buf[b.pos:b.end]; len(v) >= blockOverhead {
		n := binary.LittleEndian.Uint32(v[4:])
		if n >= blockOverhead && uint64(n) <= uint64(len(v)) && binary.LittleEndian.Uint32(v[n-4:]) == n {
			b.pos += int(n)
			return v[:n:n], nil
		}
	}
	return b.nextSlow()
}

// nextSlow is next when the block is not in the buffer or damaged.
func (b *blocks) nextSlow() ([]byte, error) {
	have, err := b.need(8)
	if err != nil {
		if have == 0 && err == io.EOF {
			return nil, io.EOF
		}
		return nil, b.ended("the beginning of a block", err)
	}
	v := b.buf[b.pos:b.end]
	kind, n := binary.LittleEndian.Uint32(v), binary.LittleEndian.Uint32(v[4:])
	if n < blockOverhead || n > maxBlock {
		return nil, b.corrupt(fmt.Sprintf("block %#x says it has %d bytes; possible are %d to %d", kind, n, blockOverhead, maxBlock))
	}
	if have, err = b.need(int(n)); err != nil {
		return nil, b.ended(fmt.Sprintf("block %#x of %d bytes, of which %d are there", kind, n, have), err)
	}
	v = b.buf[b.pos : b.pos+int(n) : b.pos+int(n)]
	again := binary.LittleEndian.Uint32(v[n-4:])
	if again != n && !b.leadsOn(int(n)) {
		return nil, b.corrupt(fmt.Sprintf("block %#x says it has %d bytes at its beginning and %d at its end", kind, n, again))
	}
	v = b.buf[b.pos : b.pos+int(n) : b.pos+int(n)] // leadsOn may have moved it
	b.pos += int(n)
	return v, nil
}

// leadsOn says whether the block at pos may have n bytes although its last four say otherwise: another block begins behind it, or
// the stream ends there. Then it is those four bytes that are damaged, and no reader needs them.
func (b *blocks) leadsOn(n int) bool {
	if have, err := b.need(n + 8); err != nil {
		return have == n && err == io.EOF
	}
	v := b.buf[b.pos+n:]
	kind, size := blockType(binary.LittleEndian.Uint32(v)), binary.LittleEndian.Uint32(v[4:])
	return (kind == blockSection || kind>>8 == blockMachine>>8) && size >= blockOverhead && size <= maxBlock
}

// need reads until n bytes from pos on are in the buffer and returns how many are. Memory grows with what was really
// read, not with what a length field says.
func (b *blocks) need(n int) (int, error) {
	for b.end-b.pos < n {
		if b.srcErr != nil {
			return b.end - b.pos, b.srcErr
		}
		if b.pos+n > len(b.buf) || b.end == len(b.buf) {
			copy(b.buf, b.buf[b.pos:b.end])
			b.base += int64(b.pos)
			b.pos, b.end = 0, b.end-b.pos
		}
		if b.end == len(b.buf) {
			grown := make([]byte, 2*len(b.buf))
			copy(grown, b.buf[:b.end])
			b.buf = grown
		}
		got, err := b.src.Read(b.buf[b.end:])
		b.end += got
		b.srcErr = err
	}
	return n, nil
}

// ended returns the error for a stream that ended inside what.
func (b *blocks) ended(what string, err error) error {
	damage := ErrCorrupt
	var deflate flate.CorruptInputError
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		damage = ErrTruncated
	case errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, &deflate):
	default:
		return fmt.Errorf("reading capture at byte %d: %w", b.base+int64(b.end), err)
	}
	return &DamageError{Offset: b.offset(), Reason: fmt.Sprintf("inside %s: %v", what, err), Err: damage}
}

// corrupt returns the error for bytes at the current position that cannot be right.
func (b *blocks) corrupt(reason string) error {
	return &DamageError{Offset: b.offset(), Reason: reason, Err: ErrCorrupt}
}
