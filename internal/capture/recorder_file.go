package capture

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/saker-sec/saker/internal/event"
)

// recording is one file. The event loop fills chunks and hands them over as pieces; run, in a goroutine, compresses and
// writes them.
type recording struct {
	r      *Recorder
	path   string
	pieces chan piece  // has room for all that there may be, so that the loop never waits
	over   atomic.Bool // the writer takes no more: the loop may stop

	// Of the loop, up to the closing of pieces.
	chunk    []byte
	deadline uint64 // event time, ns
	flushAt  uint64 // event time (ns) when the chunk is handed over at the latest
	events   uint64
	end      EndReason

	// Of the writer.
	file io.WriteCloser
	zip  *gzip.Writer
	size int64
	err  error
}

// piece is some bytes of a file, in order.
type piece struct {
	data  []byte
	chunk bool     // data goes back to the Recorder
	of    *segment // data lies there
	head  bool     // is written whatever the size of the file
}

func newRecording(r *Recorder, e *event.Event) *recording {
	return &recording{
		r: r, path: fmt.Sprintf("%s_%020d_%020d.scap", r.cfg.PathPrefix, e.Time, e.Num), pieces: make(chan piece, maxChunks+8),
	}
}

// add appends an event to the chunk. It reports false for one that no file can hold.
func (f *recording) add(e *event.Event, dump event.DumpFlags) bool {
	if !fits(e, recordSize(e)) {
		return false
	}
	f.chunk = appendRecord(f.chunk, e.Raw(), uint16(e.CPU), dump, isLarge(e))
	f.events++
	return true
}

// run writes the file to its end.
func (f *recording) run() {
	defer f.r.writers.Done()
	defer f.r.writing.Add(-1)
	reason := f.write()
	if f.err == nil && f.zip != nil {
		f.fail(f.zip.Close())
	}
	if f.file != nil {
		f.fail(f.file.Close())
		if f.size == 0 {
			f.fail(f.r.remove(f.path))
		}
	}
	if f.err != nil {
		reason = EndFailed
	}
	if f.r.cfg.Ended != nil {
		f.r.cfg.Ended(Ended{Path: f.path, Reason: reason, Err: f.err, Bytes: f.size, Events: f.events, Limit: f.r.cfg.MaxFileSize})
	}
}

// write takes pieces until there are no more, and returns why that is.
func (f *recording) write() EndReason {
	f.create()
	full := false
	for p := range f.pieces {
		if f.err == nil && !full {
			f.put(p.data)
			full = !p.head && f.r.cfg.MaxFileSize > 0 && f.size >= f.r.cfg.MaxFileSize
		}
		if f.err != nil || full {
			f.over.Store(true)
		}
		if p.of != nil {
			p.of.release()
		}
		if p.chunk {
			f.r.giveBack(p.data)
		}
	}
	if full {
		return EndSize
	}
	return f.end
}

// maxSameName is how many files of one event are kept.
const maxSameName = 100

// create makes the file, with a name that no other has.
func (f *recording) create() {
	base := f.path[:len(f.path)-len(".scap")]
	var err error
	for i := 1; i <= maxSameName; i++ {
		if i > 1 {
			f.path = fmt.Sprintf("%s-%d.scap", base, i)
		}
		if f.file, err = f.r.cfg.Create(f.path); err == nil {
			f.zip, err = gzip.NewWriterLevel(f, gzip.BestSpeed)
		}
		if !errors.Is(err, os.ErrExist) {
			break
		}
	}
	if err != nil {
		f.file = nil
		f.fail(err)
	}
}

// put compresses and writes, so that what lies on the disk then can be read.
func (f *recording) put(b []byte) {
	_, err := f.zip.Write(b)
	if err == nil {
		err = f.zip.Flush()
	}
	f.fail(err)
}

// Write implements io.Writer for the compressor.
func (f *recording) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	f.size += int64(n)
	return n, err
}

func (f *recording) fail(err error) {
	if err != nil && f.err == nil {
		f.err = fmt.Errorf("recording capture %s: %w", f.path, err)
		f.r.failed.Store(true)
	}
}
