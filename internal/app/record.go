package app

import (
	"fmt"
	"strconv"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/capture"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/procfs"
)

// newRecorder returns the recorder that capture.* asks for, nil when it does not.
func (r *run) newRecorder() (*capture.Recorder, error) {
	c := r.conf.Capture
	if !c.Enabled {
		return nil, nil
	}
	rec, err := capture.NewRecorder(capture.RecorderConfig{
		PathPrefix: c.PathPrefix, AllRules: c.Mode == "all_rules", DefaultDuration: c.DefaultDuration,
		MaxFileSize: int64(c.MaxFileSizeMB) << 20, PreTrigger: c.PreTrigger, PreTriggerBytes: c.PreTriggerMB << 20, Wait: r.replays(),
		Snapshot: func(between bool) *event.Snapshot {
			if between {
				return r.engine.State().SnapshotBetween()
			}
			return r.engine.State().Snapshot()
		},
		Known: func(time uint64, emit func(*event.Event)) {
			r.engine.State().Accounts(time, emit)
			r.engine.State().Containers(time, emit)
		},
		Entered: func(between bool, emit func(*event.Event)) { r.engine.State().Entered(between, emit) },
		Ended:   r.recorded,
	})
	if err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	return rec, nil
}

// recorded reports the end of a capture file where there is something to say about it.
func (r *run) recorded(e capture.Ended) {
	switch e.Reason {
	case capture.EndSize:
		const rule = "Falco internal: capture size limit reached"
		text := func(n int64) alert.Value { return alert.Value{Kind: alert.Text, Text: strconv.FormatInt(n, 10)} }
		r.publish(&alert.Alert{
			Time: time.Now(), Rule: rule, Priority: alert.Informational, Source: "internal", Internal: true, Hostname: r.hostname(),
			Message: fmt.Sprintf("%s. Configured limit: %d MB.", rule, e.Limit>>20),
			Fields:  []alert.Field{{Key: "max_file_size_mb", Value: text(e.Limit >> 20)}, {Key: "written_bytes", Value: text(e.Bytes)}},
		})
	case capture.EndSlow:
		r.log.printf("Error: capture file %s ends early: the disk could not keep up", e.Path)
	case capture.EndFailed:
		r.log.printf("Error: capture file %s: %v", e.Path, e.Err)
	}
}

// finder looks threads and descriptors up in /proc and tells the recorder, which knows them then too.
type finder struct {
	*procfs.FS
	now      func() uint64     // the clock of the events
	recorder *capture.Recorder // nil when nothing is recorded
}

// Thread reads one thread.
func (f *finder) Thread(tid int64) (*event.Process, error) {
	begin := f.now()
	p, err := f.FS.Thread(tid)
	if err != nil {
		return nil, err
	}
	p.Found = begin
	if f.recorder != nil {
		f.recorder.Found(p)
	}
	return p, nil
}

// Descriptor reads one open descriptor of a process.
func (f *finder) Descriptor(pid, fd int64) (event.Descriptor, error) {
	d, err := f.FS.Descriptor(pid, fd)
	if err == nil && f.recorder != nil {
		f.recorder.FoundDescriptor(pid, d)
	}
	return d, err
}
