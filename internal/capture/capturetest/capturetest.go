// Package capturetest gives the tests and benchmarks of other packages events from capture files: all events of a capture in
// memory, or a capture made long by repeating its events.
package capturetest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/saker-sec/saker/internal/capture"
	"github.com/saker-sec/saker/internal/event"
)

// Record is an event of a capture, in a buffer of its own.
type Record struct {
	Raw  []byte // encoded, in the current schema
	Num  uint64
	CPU  int16
	Dump event.DumpFlags
}

// Event makes e a view of the record. It fails as event.Event.Decode does.
func (r *Record) Event(e *event.Event) error {
	e.Num, e.CPU, e.Dump, e.Source = r.Num, r.CPU, r.Dump, 0
	return e.Decode(r.Raw)
}

// Load reads all of a capture file's first section.
func Load(path string) (*event.Snapshot, []Record, error) {
	r, err := capture.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = r.Close() }()
	snap := r.Snapshot()
	var list []Record
	var data []byte
	var e event.Event
	for {
		err := r.Next(&e)
		if err == io.EOF || errors.Is(err, capture.ErrSection) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("reading capture %s: %w", path, err)
		}
		raw := e.Raw()
		if cap(data)-len(data) < len(raw) {
			data = make([]byte, 0, max(1<<20, len(raw)))
		}
		start := len(data)
		data = append(data, raw...)
		list = append(list, Record{Raw: data[start:len(data):len(data)], Num: e.Num, CPU: e.CPU, Dump: e.Dump})
	}
	return snap, list, nil
}

// Repeat returns an uncompressed capture in memory with at least n events: those of the capture file at path, again and
// again, with times that keep rising. The threads and descriptors of each round are the same.
func Repeat(path string, n int) ([]byte, error) {
	snap, list, err := Load(path)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("repeating capture %s: it has no events", path)
	}
	first, last := span(list)
	var out bytes.Buffer
	w, err := capture.NewPlainWriter(&out, snap)
	if err != nil {
		return nil, err
	}
	var e event.Event
	for written, shift := 0, uint64(0); written < n; shift += last - first + 1 {
		for i := range list {
			raw := list[i].Raw
			old := binary.LittleEndian.Uint64(raw)
			binary.LittleEndian.PutUint64(raw, old+shift)
			err := list[i].Event(&e)
			if err == nil {
				err = w.Write(&e)
			}
			binary.LittleEndian.PutUint64(raw, old)
			if err != nil {
				return nil, err
			}
		}
		written += len(list)
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// span returns the smallest and the largest time of a list that is not empty.
func span(list []Record) (first, last uint64) {
	first = ^uint64(0)
	for i := range list {
		t := binary.LittleEndian.Uint64(list[i].Raw)
		first, last = min(first, t), max(last, t)
	}
	return first, last
}
