package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/saker-sec/saker/internal/event"
)

// RecorderConfig sets up a Recorder. PathPrefix and Snapshot are needed.
type RecorderConfig struct {
	// PathPrefix is what file names begin with: "<prefix>_<time>_<number>.scap", of the event that began the recording, with 20
	// digits each. Where such a file is there already, "-2" and so on stand before ".scap".
	PathPrefix string
	// AllRules makes every match begin a recording, not only those of rules that ask for it.
	AllRules bool
	// DefaultDuration is how long (event time) a match is recorded whose rule does not say how long.
	DefaultDuration time.Duration
	// MaxFileSize is the size in bytes at which a file ends; 0 is unlimited. What leads up to the match, and the match, are
	// always written.
	MaxFileSize int64
	// PreTrigger is how much of what came before a match is written too (event time); 0 is nothing. Up to twice as much is
	// written where PreTriggerBytes, the memory for it, allows; less where it does not suffice.
	PreTrigger      time.Duration
	PreTriggerBytes int
	// Wait makes the event loop wait for a slow disk. Without it a recording that the disk cannot keep up with is ended, as
	// live events would be lost otherwise; a replay loses nothing by waiting.
	Wait bool

	// Snapshot returns what is known of the machine: between two events (the next one is not yet applied to the state), or
	// right behind the one that matched. It is called by Event and Match, which are done with the result when they return.
	Snapshot func(between bool) *event.Snapshot
	// Known, if not nil, calls emit with events of the given time that tell what a Snapshot has no place for: the users of
	// containers, the containers. They are written as state-only events.
	Known func(time uint64, emit func(*event.Event))
	// Entered, if not nil, calls emit with the enter events of the calls that are under way between two events, or right
	// behind the one that matched. It is called after Snapshot.
	Entered func(between bool, emit func(*event.Event))
	// Ended, if not nil, is called when a file is complete, by a goroutine of its own.
	Ended func(Ended)

	// Create makes a new file, failing with os.ErrExist where there is one; nil makes one that only its owner can read, and
	// removes it again when nothing can be written to it.
	Create func(path string) (io.WriteCloser, error)
	// Now is the time, for measuring what a Snapshot costs; nil is time.Now.
	Now func() time.Time
}

// EndReason is why a recording ended.
type EndReason uint8

// The reasons. The file is whole with each but EndFailed.
const (
	EndDeadline EndReason = iota // all was recorded that rules asked for
	EndSize                      // MaxFileSize was reached
	EndSlow                      // the disk could not keep up
	EndFailed                    // the file could not be written
	EndStopped                   // the Recorder was closed, or the source began anew
)

// String returns the reason as a part of a sentence.
func (r EndReason) String() string {
	switch r {
	case EndDeadline:
		return "its time is over"
	case EndSize:
		return "it reached the size limit"
	case EndSlow:
		return "the disk is too slow"
	case EndFailed:
		return "it cannot be written"
	}
	return "events end"
}

// Ended describes a recording that is over.
type Ended struct {
	Path   string
	Reason EndReason
	Err    error  // of EndFailed
	Bytes  int64  // in the file
	Events uint64 // handed to the writer; with EndSize and EndFailed not all are in the file
	Limit  int64  // MaxFileSize
}

// RecorderStats count what a Recorder did.
type RecorderStats struct {
	Files        uint64        // begun
	Refused      uint64        // matches that were not recorded because the disk is too slow or failed shortly before
	TooLarge     uint64        // events that no capture file can hold
	Gaps         uint64        // how often the events before a match were dropped for lack of memory or time
	NoRoom       uint64        // snapshots that did not fit into a sixth of PreTriggerBytes: nothing before a match is kept
	Snapshots    uint64        // taken for the events before a match
	SnapshotTime time.Duration // the longest that one of them took
}

const (
	chunkSize = 256 << 10
	// maxChunks bounds what waits for the disk: 16 MB.
	maxChunks = 64
	// maxWriting is how many files are written at once: one that is recorded, and one of before that the disk still takes in.
	maxWriting = 2
	// flushAfter is how long (ns of event time) events wait for a chunk to fill before they are handed to the writer.
	flushAfter = uint64(time.Second)
	// minPreTrigger is the least memory for what precedes a match, in bytes.
	minPreTrigger = 1 << 10
	// retryAfter is how long (ns of event time) matches are not recorded after a file could not be written.
	retryAfter = 10 * uint64(time.Second)
)

// Recorder writes captures of what surrounds matches, as Falco's capture feature does (falco-core.md §2.4), and beyond it the
// seconds before the match. It belongs to the goroutine of the event loop, which calls, in this order: Event for every
// event before it is applied to the state, and Match for every rule that the event matched. Files are compressed and
// written by goroutines; the loop hands them buffers and never waits for the disk unless Wait is set.
//
// Replaying a file with the same rules raises the same alert. A file that begins with the match holds the state right behind
// the matching event, as Falco's does, and the event changes it once more, which makes no difference but for the working
// directory after a chdir to a relative path. A file that begins before it holds the state before its first event, and
// so is exact: Event has a snapshot made each time the older half of the kept events is given up.
//
// What a file cannot hold is lost: strings above the limits of Writer, start times of processes, the role (client or server)
// of IPv6 sockets that are older than the file, and images of ancestors that are gone.
type Recorder struct {
	cfg     RecorderConfig
	remove  func(path string) error
	active  bool // there is something to do for an event: ring or rec
	ring    *ring
	rec     *recording // nil when nothing is recorded
	last    uint64     // time of the last event of rec
	num     uint64     // the event of the last Match
	until   uint64     // the latest deadline of its matches
	chunks  chan []byte
	made    int // chunks
	writing atomic.Int32
	writers sync.WaitGroup
	failed  atomic.Bool // a file failed since the last look
	retryAt uint64
	stats   RecorderStats
}

// NewRecorder returns a Recorder. It fails when no file can be created in the directory of the prefix.
func NewRecorder(cfg RecorderConfig) (*Recorder, error) {
	if cfg.Snapshot == nil {
		return nil, errors.New("recording captures: no source of snapshots is set")
	}
	if cfg.PreTrigger > 0 && cfg.PreTriggerBytes < minPreTrigger {
		return nil, fmt.Errorf("recording captures: %d bytes of memory for what precedes a match (capture.pre_trigger.max_size_mb) are too few; "+
			"at least %d are needed, and some MB make sense", cfg.PreTriggerBytes, minPreTrigger)
	}
	remove := func(string) error { return nil }
	if cfg.Create == nil {
		cfg.Create, remove = createFile, os.Remove
		if err := checkDir(cfg.PathPrefix); err != nil {
			return nil, err
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	r := &Recorder{cfg: cfg, remove: remove, chunks: make(chan []byte, maxChunks)}
	if cfg.PreTrigger > 0 {
		r.ring = newRing(r)
	}
	r.active = r.ring != nil
	return r, nil
}

// checkDir finds out whether files can be created beside the prefix.
func checkDir(prefix string) error {
	dir := filepath.Dir(prefix)
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = errors.New("it is not a directory")
	}
	var probe *os.File
	if err == nil {
		probe, err = os.CreateTemp(dir, ".saker-probe-*")
	}
	if err != nil {
		return fmt.Errorf("recording captures to %s_*.scap (capture.path_prefix): the directory %s must exist and be writable: %w", prefix, dir, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// createFile makes a file that only its owner can read. It follows no symbolic link, as the directory may be /tmp.
func createFile(path string) (io.WriteCloser, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// Event takes the next event, before it is applied to the state. Without PreTrigger and a recording it does nothing.
func (r *Recorder) Event(e *event.Event) {
	if !r.active {
		return
	}
	if r.rec != nil {
		// The last event had its chance to extend the deadline (Match), and it is the last one that is written.
		if r.last >= r.rec.deadline {
			r.stop(EndDeadline)
		} else {
			r.append(e)
		}
	}
	if r.ring != nil {
		r.ring.add(e)
	}
}

// Match says that the event last given to Event matched a rule that wants a recording, or does not, of the given duration (0
// is the default). Without a recording it begins one if it is wanted; otherwise it extends the one there is, whether
// wanted or not, as in Falco. The deadline is the latest that the rules matching one event ask for.
func (r *Recorder) Match(e *event.Event, wants bool, duration time.Duration) {
	if duration <= 0 {
		duration = r.cfg.DefaultDuration
	}
	if e.Num != r.num {
		r.num, r.until = e.Num, 0
	}
	r.until = max(r.until, e.Time+uint64(duration))
	if r.rec != nil && r.rec.over.Load() {
		r.stop(EndDeadline) // the writer has the true reason
	}
	if r.rec == nil && (wants || r.cfg.AllRules) {
		r.begin(e)
	}
	if r.rec != nil {
		r.rec.deadline = max(r.rec.deadline, r.until)
	}
}

// Found takes a process, with its descriptors, that the state looked up while it applied an event, because no event had told
// of it: a file that begins before that needs it. It must not be called for what a Snapshot has. What is found while a
// recording runs that began before is not in that file.
func (r *Recorder) Found(p *event.Process) {
	if r.ring != nil && r.ring.cur != nil {
		r.ring.cur.addProcess(p)
	}
}

// FoundDescriptor is like Found for one descriptor of a process.
func (r *Recorder) FoundDescriptor(pid int64, d event.Descriptor) {
	if r.ring != nil && r.ring.cur != nil {
		r.ring.cur.addDescriptor(pid, &d)
	}
}

// Idle says that there was no event until now (ns since the epoch, the clock of the events): a recording whose time is over
// ends, and what waits in memory is handed to the writer.
func (r *Recorder) Idle(now uint64) {
	switch rec := r.rec; {
	case rec == nil:
	case now >= rec.deadline || r.last >= rec.deadline:
		r.stop(EndDeadline)
	case len(rec.chunk) > 0 && now >= rec.flushAt:
		r.hand()
	}
}

// Reset ends the recording and forgets the events before: the source begins anew with another state.
func (r *Recorder) Reset() {
	if r.rec != nil {
		r.stop(EndStopped)
	}
	if r.ring != nil {
		r.ring.clear()
	}
}

// Close ends the recording and waits until all files are written, or ctx is done. The Recorder must not be used any more.
func (r *Recorder) Close(ctx context.Context) error {
	r.Reset()
	r.active, r.ring = false, nil
	done := make(chan struct{})
	go func() { r.writers.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("recording captures: %d files are not written yet: %w", r.writing.Load(), ctx.Err())
	}
}

// Recording says whether a file is being recorded.
func (r *Recorder) Recording() bool { return r.rec != nil }

// Stats returns the counters. It is called by the goroutine of the event loop.
func (r *Recorder) Stats() RecorderStats { return r.stats }

// begin begins a recording with the event that matched.
func (r *Recorder) begin(e *event.Event) {
	if r.cfg.Wait && r.writing.Load() >= maxWriting {
		r.writers.Wait()
	}
	if r.failed.Swap(false) {
		r.retryAt = e.Time + retryAfter
	}
	if r.writing.Load() >= maxWriting || e.Time < r.retryAt {
		r.stats.Refused++
		return
	}
	rec := newRecording(r, e)
	if rec.chunk = r.take(); rec.chunk == nil {
		r.stats.Refused++
		return
	}
	if !r.head(rec, e) {
		r.stats.Refused++
		r.giveBack(rec.chunk)
		return
	}
	r.stats.Files++
	r.rec, r.active, r.last = rec, true, e.Time
	r.writing.Add(1)
	r.writers.Add(1)
	go rec.run()
}

// head hands the recording what precedes the events to come, the one that matched included. It reports false when there
// is no state to begin with.
func (r *Recorder) head(rec *recording, e *event.Event) bool {
	if r.ring != nil && r.ring.cur != nil {
		r.ring.give(rec)
		return true
	}
	snap := r.cfg.Snapshot(false)
	if snap == nil {
		return false
	}
	head, err := encodeHead(nil, 0, snap)
	if err != nil {
		return false
	}
	rec.pieces <- piece{data: head, head: true}
	r.known(rec, e.Time)
	if r.cfg.Entered != nil {
		r.cfg.Entered(false, func(enter *event.Event) { rec.add(enter, enter.Dump) })
	}
	if !rec.add(e, e.Dump) {
		r.stats.TooLarge++
	}
	rec.pieces <- piece{data: rec.chunk, chunk: true, head: true}
	rec.chunk = nil
	return true
}

// known adds the events of Config.Known to the recording's first chunk.
func (r *Recorder) known(rec *recording, time uint64) {
	if r.cfg.Known != nil {
		r.cfg.Known(time, func(e *event.Event) { rec.add(e, e.Dump|event.StateOnly) })
	}
}

// append adds an event to the recording.
func (r *Recorder) append(e *event.Event) {
	rec := r.rec
	if rec.chunk == nil {
		if rec.over.Load() {
			r.stop(EndDeadline) // the writer has the true reason
			return
		}
		if rec.chunk = r.take(); rec.chunk == nil {
			r.stop(EndSlow)
			return
		}
	}
	if len(rec.chunk) == 0 {
		rec.flushAt = e.Time + flushAfter
	}
	r.last = e.Time
	if !rec.add(e, e.Dump) {
		r.stats.TooLarge++
	}
	if len(rec.chunk) >= chunkSize || e.Time >= rec.flushAt {
		r.hand()
	}
}

// hand gives the recording's chunk to the writer.
func (r *Recorder) hand() {
	rec := r.rec
	if len(rec.chunk) > 0 {
		rec.pieces <- piece{data: rec.chunk, chunk: true}
		rec.chunk = nil
	}
	if rec.over.Load() {
		r.stop(EndDeadline) // the writer has the true reason
	}
}

// stop ends the recording. A reason that its writer found before stays.
func (r *Recorder) stop(reason EndReason) {
	rec := r.rec
	if rec.chunk != nil {
		rec.pieces <- piece{data: rec.chunk, chunk: true}
	}
	rec.end = reason
	close(rec.pieces)
	r.rec, r.active = nil, r.ring != nil
}

// take returns an empty chunk, nil when the disk holds them all.
func (r *Recorder) take() []byte {
	select {
	case b := <-r.chunks:
		return b[:0]
	default:
	}
	if r.made < maxChunks {
		r.made++
		return make([]byte, 0, chunkSize+maxRecord)
	}
	if r.cfg.Wait {
		return (<-r.chunks)[:0]
	}
	return nil
}

// giveBack makes a chunk free again. There is always room: no more are made.
func (r *Recorder) giveBack(b []byte) {
	if cap(b) > 4*chunkSize {
		b = make([]byte, 0, chunkSize+maxRecord) // a very large event made it grow
	}
	r.chunks <- b
}
