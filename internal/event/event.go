// Package event is the vocabulary of what is observed: the schema of Falco's event format (types, parameters, flags,
// system calls), a view onto one encoded event, and the processes, descriptors and users that were there before the
// first event. It imports nothing of ours.
//
// An encoded event is a header of 26 bytes (time in ns since the epoch u64, tid u64, total length u32, type u16,
// number of parameters u32), the parameters' lengths (u16 each; u32 for the three large types), and the parameters,
// all little-endian and unpadded (reference: scap-format.md §7). The kernel driver, capture files and plugins all use
// these bytes, so whatever holds for one source holds for the others.
package event

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"
)

//go:generate go run ./gen

const (
	// HeaderSize is the number of bytes before the parameter lengths.
	HeaderSize = 26
	// MaxParams is the largest number of parameters an event type has.
	MaxParams = 32
)

// DumpFlags are the flags a capture file keeps beside an event.
type DumpFlags uint32

// StateOnly marks an event that updates the state but must not be matched against rules.
const StateOnly DumpFlags = 1

// Event is a view onto one encoded event. It owns nothing: what Param and its relatives return lies in the source's
// buffer and is valid until the source's next event. The zero Event has no parameters.
type Event struct {
	Num    uint64 // position in the stream, from 1; state-only events count
	Time   uint64 // ns since the epoch
	TID    int64  // thread that caused the event; -1 for events without a thread
	CPU    int16
	Code   Code
	Dump   DumpFlags
	Source uint16 // index of the event source; 0 is the system calls

	n   int
	raw []byte
	off [MaxParams + 1]uint32
}

// ErrMalformed is wrapped by every error of Decode.
var ErrMalformed = errors.New("malformed event")

// Decode makes e a view of raw, which holds exactly one event. It keeps Num, CPU, Dump and Source, which are not part of the
// encoding. It fails, leaving e without parameters, when a length does not add up or the type is unknown.
func (e *Event) Decode(raw []byte) error {
	e.n, e.raw = 0, nil
	if len(raw) < HeaderSize {
		return fmt.Errorf("%w: %d bytes, a header has %d", ErrMalformed, len(raw), HeaderSize)
	}
	size := binary.LittleEndian.Uint32(raw[16:])
	code := Code(binary.LittleEndian.Uint16(raw[20:]))
	n := binary.LittleEndian.Uint32(raw[22:])
	if uint64(size) != uint64(len(raw)) {
		return fmt.Errorf("%w: type %d says %d bytes, has %d", ErrMalformed, code, size, len(raw))
	}
	if int(code) >= len(types) {
		return fmt.Errorf("%w: type %d is above the last known type %d", ErrMalformed, code, len(types)-1)
	}
	if n > MaxParams {
		return fmt.Errorf("%w: type %d has %d parameters, at most %d are possible", ErrMalformed, code, n, MaxParams)
	}
	width := uint32(2)
	if types[code].Flags&FlagLargePayload != 0 {
		width = 4
	}
	pos := uint64(HeaderSize + n*width)
	if pos > uint64(size) {
		return fmt.Errorf("%w: type %d with %d parameters ends in its parameter lengths", ErrMalformed, code, n)
	}
	lens := raw[HeaderSize:pos]
	for i := range n {
		e.off[i] = uint32(pos)
		if width == 2 {
			pos += uint64(binary.LittleEndian.Uint16(lens[2*i:]))
		} else {
			pos += uint64(binary.LittleEndian.Uint32(lens[4*i:]))
		}
	}
	if pos != uint64(size) {
		return fmt.Errorf("%w: type %d: header and parameters are %d bytes, the event %d", ErrMalformed, code, pos, size)
	}
	e.off[n] = uint32(pos)
	e.Time = binary.LittleEndian.Uint64(raw)
	e.TID = int64(binary.LittleEndian.Uint64(raw[8:]))
	e.Code = code
	e.n = int(n)
	e.raw = raw
	return nil
}

// Raw returns the encoded event.
func (e *Event) Raw() []byte { return e.raw }

// NumParams returns how many parameters the event carries; it may be fewer or more than its type has.
func (e *Event) NumParams() int { return e.n }

// Type returns the schema entry of the event.
func (e *Event) Type() *Type { return &types[e.Code] }

// Param returns parameter i as encoded. It is empty for a parameter that is empty or that the event does not carry.
func (e *Event) Param(i int) []byte {
	if uint(i) >= uint(e.n) {
		return nil
	}
	return e.raw[e.off[i]:e.off[i+1]]
}

// Uint returns parameter i as an unsigned number, whatever its width (1, 2, 4 or 8 bytes). It reports false for an
// empty parameter or another width.
func (e *Event) Uint(i int) (uint64, bool) {
	p := e.Param(i)
	switch len(p) {
	case 8:
		return binary.LittleEndian.Uint64(p), true
	case 4:
		return uint64(binary.LittleEndian.Uint32(p)), true
	case 2:
		return uint64(binary.LittleEndian.Uint16(p)), true
	case 1:
		return uint64(p[0]), true
	}
	return 0, false
}

// Int is like Uint for signed parameters: the value is sign-extended from its width.
func (e *Event) Int(i int) (int64, bool) {
	p := e.Param(i)
	switch len(p) {
	case 8:
		return int64(binary.LittleEndian.Uint64(p)), true
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(p))), true
	case 2:
		return int64(int16(binary.LittleEndian.Uint16(p))), true
	case 1:
		return int64(int8(p[0])), true
	}
	return 0, false
}

// Text returns parameter i as text: up to the first NUL, without it. It reports false for an empty parameter (length 0);
// an empty string of length 1 is a value. The text lies in the source's buffer.
func (e *Event) Text(i int) (string, bool) {
	p := e.Param(i)
	if len(p) == 0 {
		return "", false
	}
	for j, c := range p {
		if c == 0 {
			return View(p[:j]), true
		}
	}
	return View(p), true
}

// Result returns the return value of a system call's exit event, and false for events that have none.
func (e *Event) Result() (int64, bool) {
	r := types[e.Code].ResultParam()
	if r < 0 {
		return 0, false
	}
	return e.Int(r)
}

// View returns b as a string without copying it: valid only as long as b is neither changed nor reused.
func View(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// ErrIdle is what a source's Next returns when no event came for a while (about 100 ms at most), so that its caller can look
// after other things before it asks again. The source stays usable.
var ErrIdle = errors.New("no event yet")
