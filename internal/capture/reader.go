package capture

import (
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/saker-sec/saker/internal/event"
)

// Skipped counts what a Reader did not deliver although it is in the file, apart from events that Falco's format has given
// up: the enter events of old captures, which are merged into their exit events.
type Skipped struct {
	Unknown       uint64 // events of types that are newer than the schema
	Unconvertible uint64 // old events with a number of parameters that no version had
}

// Reader reads a capture file. It is used by one goroutine.
type Reader struct {
	blocks  *blocks
	closer  io.Closer
	ahead   *ahead // nil unless the file is compressed and Open opened it
	snap    *event.Snapshot
	held    []byte // the first event block of a section, read while looking for the end of the metadata
	num     uint64
	failed  error
	conv    converter
	skipped Skipped
}

// Open opens the capture file at path and reads what precedes its first event. A compressed file is decompressed in another
// goroutine from then on. The caller closes the Reader.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening capture: %w", err)
	}
	r, err := NewReader(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("reading capture %s: %w", path, err)
	}
	r.closer = f
	info, err := f.Stat()
	if z, ok := r.blocks.src.(*gzip.Reader); ok && err == nil && info.Mode().IsRegular() {
		r.ahead = newAhead(z)
		r.blocks.src = r.ahead
	}
	return r, nil
}

// NewReader reads a capture from src, plain or compressed with gzip, up to its first event. It fails with a DamageError when
// it is damaged already there.
func NewReader(src io.Reader) (*Reader, error) {
	b, err := newBlocks(src)
	if err != nil {
		return nil, err
	}
	r := &Reader{blocks: b}
	r.conv.makePlans()
	header, err := b.next()
	if err == io.EOF {
		return nil, &DamageError{Offset: 0, Reason: "the file is empty; a capture begins with a section header", Err: ErrTruncated}
	}
	if err != nil {
		return nil, err
	}
	if err := r.begin(header); err != nil {
		return nil, err
	}
	return r, nil
}

// Close closes the file that Open opened.
func (r *Reader) Close() error {
	if r.ahead != nil {
		r.ahead.close()
		r.ahead = nil
	}
	if r.closer == nil {
		return nil
	}
	return r.closer.Close()
}

// Snapshot returns what was there before the first event of the current section. It belongs to the caller.
func (r *Reader) Snapshot() *event.Snapshot { return r.snap }

// Skipped returns what was not delivered so far.
func (r *Reader) Skipped() Skipped { return r.skipped }

// begin starts the section of the given header block: it reads the metadata and the first event block.
func (r *Reader) begin(header []byte) error {
	if err := checkSection(header, r.blocks.offset()-int64(len(header))); err != nil {
		return err
	}
	r.conv.enters.clear()
	s := section{}
	r.snap = &s.snap
	for {
		offset := r.blocks.offset()
		block, err := r.blocks.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		kind := blockType(binary.LittleEndian.Uint32(block))
		if recordOf(kind).event != 0 || kind == blockSection {
			r.held = block
			return nil
		}
		if err := s.add(kind, block, offset); err != nil {
			return err
		}
	}
}

// Next makes e the next event of the capture. e.Num counts the events delivered, from 1 and on through further sections,
// as Falco counts: state-only events have a number; what conversion drops or merges has none. The event lies in the
// Reader's buffer until the next call.
//
// It returns io.EOF at the end, ErrSection when another capture follows in the file, and a DamageError when the rest cannot
// be read. Both EOF and damage are final.
func (r *Reader) Next(e *event.Event) error {
	for r.failed == nil {
		block := r.held
		if block == nil {
			var err error
			if block, err = r.blocks.next(); err != nil {
				r.failed = err
				break
			}
		}
		r.held = nil
		kind := blockType(binary.LittleEndian.Uint32(block))
		rec := recordOf(kind)
		if rec.event == 0 {
			if err := r.between(kind, block); err != nil {
				return err
			}
			continue
		}
		if len(block)-4-rec.event < rec.header {
			r.failed = r.damaged(block, rec, errShortRecord)
			break
		}
		// The CPU and the flags are read first: upgrading an event overwrites them.
		e.CPU = int16(binary.LittleEndian.Uint16(block[recordCPU:]))
		e.Dump, e.Source = 0, 0
		if rec.event == recordEventFlag {
			e.Dump = event.DumpFlags(binary.LittleEndian.Uint32(block[recordFlags:]))
		}
		raw, err := r.record(block, rec)
		if err != nil {
			r.failed = err
			break
		}
		if raw == nil {
			continue
		}
		if err := e.Decode(raw); err != nil {
			r.failed = r.damaged(block, rec, err)
			break
		}
		r.num++
		e.Num = r.num
		return nil
	}
	return r.failed
}

// errShortRecord is the reason for a block that has no room for an event's header.
var errShortRecord = errors.New("the block ends in the event's header")

// record returns the current form of the event in a block, nil when there is nothing to deliver.
func (r *Reader) record(block []byte, rec record) ([]byte, error) {
	rest := block[rec.event : len(block)-4]
	code := binary.LittleEndian.Uint16(rest[20:])
	if int(code) >= event.NumCodes {
		r.skipped.Unknown++
		return nil, nil
	}
	var raw []byte
	if rec.header == headerSize1 {
		if raw = upgrade(block, rec.event); raw == nil {
			return nil, r.damaged(block, rec, fmt.Errorf("no number of parameters of type %d fits its length", code))
		}
	} else {
		size := binary.LittleEndian.Uint32(rest[16:])
		if uint64(size) > uint64(len(rest)) {
			return nil, r.damaged(block, rec, fmt.Errorf("type %d says %d bytes, the block has %d", code, size, len(rest)))
		}
		raw = rest[:size:size]
		if size < event.HeaderSize {
			return nil, r.damaged(block, rec, fmt.Errorf("type %d says %d bytes, a header has %d", code, size, event.HeaderSize))
		}
	}
	n := binary.LittleEndian.Uint32(raw[22:])
	switch want := r.conv.plans[code]; {
	case want == planPass || want <= event.MaxParams && n >= uint32(want):
		return raw, nil
	case want == planDrop:
		return nil, nil
	}
	raw, known, err := r.conv.convert(raw)
	if err != nil {
		return nil, r.damaged(block, rec, err)
	}
	if !known {
		r.skipped.Unconvertible++
	}
	return raw, nil
}

// between handles a block between events that is not an event. Unknown blocks are skipped.
func (r *Reader) between(kind blockType, block []byte) error {
	switch {
	case kind == blockSection:
		if r.failed = r.begin(block); r.failed != nil {
			return r.failed
		}
		return ErrSection
	case isMetadata(kind):
		r.failed = &DamageError{
			Offset: r.blocks.offset() - int64(len(block)),
			Reason: fmt.Sprintf("block %#x stands behind an event; it belongs before the first one", uint32(kind)),
			Err:    ErrCorrupt,
		}
		return r.failed
	}
	return nil
}

// damaged returns the error for the event in a block that was just read.
func (r *Reader) damaged(block []byte, rec record, err error) error {
	return &DamageError{
		Offset: r.blocks.offset() - int64(len(block)) + int64(rec.event),
		Reason: err.Error(),
		Err:    ErrCorrupt,
	}
}
