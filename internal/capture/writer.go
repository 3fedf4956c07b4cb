package capture

import (
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/saker-sec/saker/internal/event"
)

const (
	// flushSize is after how many bytes of blocks the compressor is flushed, so that what a crash leaves can be read.
	flushSize = 256 << 10
	// maxRecord is the largest block of an event that is not of a large type (reference: scap-format.md §7).
	maxRecord = 64 << 10
	// listSize is after how many bytes another process list block is begun.
	listSize = 1 << 20
)

// ErrTooLarge is wrapped by Write's error for an event that readers of the format could not take.
var ErrTooLarge = errors.New("event is too large for a capture file")

// Writer writes a capture file, compressed with gzip. It is used by one goroutine.
type Writer struct {
	out     io.Writer
	zip     *gzip.Writer // nil when the file is plain
	buf     []byte
	pending int // bytes compressed since the last flush
	failed  error
}

// NewWriter begins a capture, compressed with gzip, with what was there before its first event. Strings longer than readers
// of the format accept are cut, and the mount ids of descriptors and start times of processes, for which the format has no
// place, are lost. The caller closes the Writer.
func NewWriter(w io.Writer, snap *event.Snapshot) (*Writer, error) {
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	wr := &Writer{out: z, zip: z}
	return wr, wr.snapshot(snap)
}

// NewPlainWriter is like NewWriter without compression.
func NewPlainWriter(w io.Writer, snap *event.Snapshot) (*Writer, error) {
	wr := &Writer{out: w}
	return wr, wr.snapshot(snap)
}

// Write appends an event with its CPU and flags. It fails with ErrTooLarge, and the file stays good, for an event that is
// too large; after any other error the file is damaged.
func (w *Writer) Write(e *event.Event) error {
	if w.failed != nil {
		return w.failed
	}
	raw := e.Raw()
	if len(raw) == 0 {
		return errors.New("writing event to capture: it was never decoded")
	}
	large := e.Type().Flags&event.FlagLargePayload != 0
	start := len(w.buf)
	w.buf = appendRecord(w.buf, raw, uint16(e.CPU), e.Dump, large)
	if size := len(w.buf) - start; !large && size > maxRecord || size > maxBlock {
		w.buf = w.buf[:start]
		return fmt.Errorf("writing event of type %s: %w: its block has %d bytes, at most %d are possible",
			e.Type().Name, ErrTooLarge, size, maxRecord)
	}
	if len(w.buf) >= maxRecord {
		return w.drain()
	}
	return nil
}

// Flush hands everything written so far to the underlying writer: what lies there then is a readable capture.
func (w *Writer) Flush() error {
	if err := w.drain(); err != nil {
		return err
	}
	return w.flushZip()
}

// Close writes what is left. It does not close the underlying writer.
func (w *Writer) Close() error {
	if err := w.drain(); err != nil {
		return err
	}
	if w.zip == nil {
		return nil
	}
	if w.failed = w.zip.Close(); w.failed != nil {
		return fmt.Errorf("writing capture: %w", w.failed)
	}
	return nil
}

// drain hands the finished blocks to the compressor, and flushes it when it has got enough.
func (w *Writer) drain() error {
	if w.failed != nil {
		return w.failed
	}
	if _, err := w.out.Write(w.buf); err != nil {
		w.failed = fmt.Errorf("writing capture: %w", err)
		return w.failed
	}
	w.pending += len(w.buf)
	w.buf = w.buf[:0]
	if w.pending >= flushSize {
		return w.flushZip()
	}
	return nil
}

func (w *Writer) flushZip() error {
	w.pending = 0
	if w.zip == nil {
		return nil
	}
	if err := w.zip.Flush(); err != nil {
		w.failed = fmt.Errorf("writing capture: %w", err)
	}
	return w.failed
}

// snapshot writes everything that precedes the events.
func (w *Writer) snapshot(s *event.Snapshot) error {
	w.buf = appendSection(w.buf)
	w.block(blockMachine, func(b []byte) []byte { return appendMachine(b, &s.Machine) })
	w.block(blockInterfaces2, func(b []byte) []byte {
		for i := range s.Interfaces {
			b = appendInterface(b, &s.Interfaces[i])
		}
		return b
	})
	w.block(blockAccounts2, func(b []byte) []byte {
		for i := range s.Users {
			b = appendUser(b, &s.Users[i])
		}
		for i := range s.Groups {
			b = appendGroup(b, &s.Groups[i])
		}
		return b
	})
	for i := 0; i < len(s.Processes) && w.failed == nil; {
		w.block(blockProcesses9, func(b []byte) []byte {
			for first := len(b); i < len(s.Processes) && len(b)-first < listSize; i++ {
				b = appendProcess(b, &s.Processes[i])
			}
			return b
		})
	}
	for i := range s.Processes {
		p := &s.Processes[i]
		if len(p.FDs) == 0 || w.failed != nil {
			continue
		}
		w.block(blockDescriptors2, func(b []byte) []byte {
			b = binary.LittleEndian.AppendUint64(b, uint64(p.TID))
			for j := range p.FDs {
				b = appendDescriptor(b, &p.FDs[j])
			}
			return b
		})
	}
	return w.Flush()
}

// block writes a block whose body the function appends.
func (w *Writer) block(kind blockType, body func([]byte) []byte) {
	start := len(w.buf)
	w.buf = endBlock(body(beginBlock(w.buf, kind)), start)
	if len(w.buf) >= flushSize && w.failed == nil {
		w.failed = w.drain()
	}
}
