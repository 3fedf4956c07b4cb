package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/event"
)

// disk is where the files of a Recorder go in tests.
type disk struct {
	mu    sync.Mutex
	files map[string]*bytes.Buffer
	room  int           // bytes that still fit; -1 is without limit
	block chan struct{} // if not nil, writes wait until it is closed
}

type diskFile struct {
	d *disk
	b *bytes.Buffer
}

func (d *disk) create(path string) (io.WriteCloser, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files[path] != nil {
		return nil, os.ErrExist
	}
	if d.files == nil {
		d.files = map[string]*bytes.Buffer{}
	}
	d.files[path] = &bytes.Buffer{}
	return diskFile{d, d.files[path]}, nil
}

func (f diskFile) Write(p []byte) (int, error) {
	if f.d.block != nil {
		<-f.d.block
	}
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.room >= 0 && len(p) > f.d.room {
		n, _ := f.b.Write(p[:f.d.room])
		f.d.room = 0
		return n, syscall.ENOSPC
	}
	if f.d.room >= 0 {
		f.d.room -= len(p)
	}
	return f.b.Write(p)
}

func (f diskFile) Close() error { return nil }

// taken is a recorder of synthetic events with what it wrote.
type taken struct {
	t     testing.TB
	rec   *Recorder
	disk  *disk
	mu    sync.Mutex
	ended []Ended
	num   uint64
	enc   event.Encoder
	e     event.Event
	snap  event.Snapshot
}

// millisecond 0 of the synthetic events.
const epoch = uint64(1_700_000_000_000_000_000)

func newTaken(t testing.TB, cfg RecorderConfig) *taken {
	t.Helper()
	x := &taken{t: t, disk: &disk{room: -1}, snap: event.Snapshot{Processes: []event.Process{{TID: 1, PID: 1, Comm: "init"}}}}
	if cfg.PathPrefix == "" {
		cfg.PathPrefix, cfg.Create = "dir/falco", x.disk.create
	}
	if cfg.DefaultDuration == 0 {
		cfg.DefaultDuration = 100 * time.Millisecond
	}
	if cfg.Snapshot == nil {
		cfg.Snapshot = func(bool) *event.Snapshot { return &x.snap }
	}
	cfg.Ended = func(e Ended) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.ended = append(x.ended, e)
	}
	if cfg.Now == nil {
		cfg.Now = func() time.Time { return time.Time{} }
	}
	var err error
	if x.rec, err = NewRecorder(cfg); err != nil {
		t.Fatal(err)
	}
	return x
}

// event gives the recorder an event of a millisecond, with a payload that does not compress.
func (x *taken) event(ms uint64, payload []byte) {
	x.num++
	x.enc.Begin(event.SyscallReadX, epoch+ms*1e6, 1)
	x.enc.Int64(int64(x.num))
	x.enc.Raw(payload)
	x.enc.Int64(3)
	x.enc.Uint32(1)
	x.e = event.Event{Num: x.num}
	if err := x.e.Decode(x.enc.Bytes()); err != nil {
		x.t.Fatal(err)
	}
	x.rec.Event(&x.e)
}

func (x *taken) close() {
	x.t.Helper()
	if err := x.rec.Close(context.Background()); err != nil {
		x.t.Error(err)
	}
	slices.SortFunc(x.ended, func(a, b Ended) int { return strings.Compare(a.Path, b.Path) })
}

// times returns the milliseconds of the events in a file, without those of Known.
func (x *taken) times(path string) []int {
	x.t.Helper()
	r, err := NewReader(bytes.NewReader(x.disk.files[path].Bytes()))
	if err != nil {
		x.t.Fatalf("%s: %v", path, err)
	}
	if !reflect.DeepEqual(r.Snapshot().Processes[0].Comm, "init") {
		x.t.Errorf("%s: the file has no snapshot", path)
	}
	var list []int
	var e event.Event
	for {
		err := r.Next(&e)
		if err == io.EOF {
			return list
		}
		if err != nil {
			x.t.Fatalf("%s: %v", path, err)
		}
		if e.Dump == 0 {
			list = append(list, int((e.Time-epoch)/1e6))
		}
	}
}

// TestRecorder tells what is recorded when there is an event each 10 ms, up to 1 s.
func TestRecorder(t *testing.T) {
	type match struct {
		ms    uint64
		wants bool
		long  time.Duration
	}
	const ms = time.Millisecond
	cases := []struct {
		name    string
		cfg     RecorderConfig
		matches []match
		want    [][2]int // first and last event of each file
	}{
		{"nothing matches", RecorderConfig{}, nil, nil},
		{"the rule wants no recording", RecorderConfig{}, []match{{200, false, 0}}, nil},
		{"all rules", RecorderConfig{AllRules: true}, []match{{200, false, 0}}, [][2]int{{200, 300}}},
		{"default duration; the first event at the deadline is the last", RecorderConfig{}, []match{{200, true, 0}}, [][2]int{{200, 300}}},
		{"a rule's duration", RecorderConfig{}, []match{{200, true, 45 * ms}}, [][2]int{{200, 250}}},
		{"a match extends", RecorderConfig{}, []match{{200, true, 0}, {250, true, 0}}, [][2]int{{200, 350}}},
		{"a match at the deadline extends", RecorderConfig{}, []match{{200, true, 0}, {300, true, 0}}, [][2]int{{200, 400}}},
		{"a match behind the deadline begins anew", RecorderConfig{}, []match{{200, true, 0}, {310, true, 0}}, [][2]int{{200, 300}, {310, 410}}},
		{"a match that wants no recording extends", RecorderConfig{}, []match{{200, true, 0}, {250, false, 300 * ms}}, [][2]int{{200, 550}}},
		{"a shorter match does not shorten", RecorderConfig{}, []match{{200, true, 300 * ms}, {250, true, 10 * ms}}, [][2]int{{200, 500}}},
		{"rules of one event count together", RecorderConfig{}, []match{{200, false, 300 * ms}, {200, true, 0}}, [][2]int{{200, 500}}},
		{"earlier matches do not", RecorderConfig{}, []match{{100, false, 900 * ms}, {200, true, 0}}, [][2]int{{200, 300}}},
		{"the events end", RecorderConfig{}, []match{{950, true, 0}}, [][2]int{{950, 1000}}},
		{"before the match", RecorderConfig{PreTrigger: 100 * ms, PreTriggerBytes: 1 << 20}, []match{{250, true, 0}}, [][2]int{{100, 350}}},
		{"before the first segment", RecorderConfig{PreTrigger: 100 * ms, PreTriggerBytes: 1 << 20}, []match{{50, true, 0}}, [][2]int{{0, 150}}},
		{
			"files overlap",
			RecorderConfig{PreTrigger: 100 * ms, PreTriggerBytes: 1 << 20},
			[]match{{250, true, 10 * ms}, {290, true, 10 * ms}},
			[][2]int{{100, 260}, {100, 300}},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.cfg.Wait = true
			x := newTaken(t, c.cfg)
			for now := uint64(0); now <= 1000; now += 10 {
				x.event(now, nil)
				for _, m := range c.matches {
					if m.ms == now {
						x.rec.Match(&x.e, m.wants, m.long)
					}
				}
			}
			x.close()
			var got [][2]int
			for _, f := range x.ended {
				list := x.times(f.Path)
				got = append(got, [2]int{list[0], list[len(list)-1]})
				if n := (list[len(list)-1]-list[0])/10 + 1; n != len(list) || f.Events != uint64(n) || f.Err != nil || f.Bytes != int64(x.disk.files[f.Path].Len()) {
					t.Errorf("%d events, want %d: %+v", len(list), n, f)
				}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("files have %v, want %v", got, c.want)
			}
		})
	}
}

// TestRecorderNames compares file names with those that the reference gives.
func TestRecorderNames(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		x := newTaken(t, RecorderConfig{PathPrefix: filepath.Join(dir, "falco")})
		x.num = 41
		x.event(0, nil)
		x.rec.Match(&x.e, true, 0)
		x.close()
	}
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"falco_01700000000000000000_00000000000000000042-2.scap", "falco_01700000000000000000_00000000000000000042.scap"}
	for i, f := range list {
		info, err := f.Info()
		if err != nil || i >= len(want) || f.Name() != want[i] || info.Mode() != 0o600 {
			t.Errorf("file %s, mode %v, %v; want %v", f.Name(), info.Mode(), err, want)
		}
	}
	if len(list) != 2 {
		t.Errorf("%d files, want %v", len(list), want)
	}
}

// TestRecorderSymlink does not follow a link that somebody laid where a file will be.
func TestRecorderSymlink(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	if err := os.Symlink(victim, filepath.Join(dir, "falco_01700000000000000000_00000000000000000001.scap")); err != nil {
		t.Fatal(err)
	}
	x := newTaken(t, RecorderConfig{PathPrefix: filepath.Join(dir, "falco")})
	x.event(0, nil)
	x.rec.Match(&x.e, true, 0)
	x.close()
	if _, err := os.Stat(victim); err == nil || len(x.ended) != 1 || !strings.HasSuffix(x.ended[0].Path, "-2.scap") {
		t.Errorf("the link was followed: %v, %+v", err, x.ended)
	}
}

func TestRecorderDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"/nonexistent/falco", filepath.Join(file, "falco")} {
		_, err := NewRecorder(RecorderConfig{PathPrefix: prefix, Snapshot: func(bool) *event.Snapshot { return nil }})
		if err == nil || !strings.Contains(err.Error(), prefix+"_*.scap (capture.path_prefix)") {
			t.Errorf("%s: %v", prefix, err)
		}
	}
}

// noise returns bytes that do not compress.
func noise(n int) []byte {
	src := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(src.Uint32())
	}
	return b
}

// TestRecorderSize ends files at the size limit. What leads up to the match does not count.
func TestRecorderSize(t *testing.T) {
	for _, pre := range []time.Duration{0, 10 * time.Second} {
		x := newTaken(t, RecorderConfig{MaxFileSize: 1 << 20, Wait: true, PreTrigger: pre, PreTriggerBytes: 64 << 20, DefaultDuration: time.Hour})
		payload := noise(900_000)
		const match = 2000
		for i := range uint64(20_000) {
			x.event(i/10, payload[i%900*1000:][:1000])
			if i == match {
				x.rec.Match(&x.e, true, 0)
			}
		}
		if x.rec.Recording() {
			t.Errorf("pre-trigger %v: the recording goes on", pre)
		}
		x.close()
		f := x.ended[0]
		list := x.times(f.Path)
		if len(x.ended) != 1 || f.Reason != EndSize || f.Err != nil || f.Limit != 1<<20 {
			t.Errorf("pre-trigger %v: %+v", pre, x.ended)
		}
		if f.Bytes < 1<<20 || f.Bytes > 4<<20 || !slices.Contains(list, match/10) || (pre > 0) != (list[0] < match/10) {
			t.Errorf("pre-trigger %v: %d bytes, %d events from %d", pre, f.Bytes, len(list), list[0])
		}
	}
}

// TestRecorderFull ends a recording when the disk is full: the loop goes on, the file can be read as far as it goes, and
// matches soon after are refused.
func TestRecorderFull(t *testing.T) {
	x := newTaken(t, RecorderConfig{DefaultDuration: time.Hour, Wait: true})
	x.disk.room = 600 << 10
	payload := noise(900_000)
	for i := range uint64(4000) {
		x.event(i, payload[i%900*1000:][:1000])
		if i%1000 == 0 {
			x.rec.Match(&x.e, true, 0)
		}
		for i == 2000 && x.rec.Recording() && !x.rec.rec.over.Load() {
			runtime.Gosched()
		}
	}
	x.close()
	if len(x.ended) != 1 || x.ended[0].Reason != EndFailed || !errors.Is(x.ended[0].Err, syscall.ENOSPC) ||
		!strings.Contains(x.ended[0].Err.Error(), "recording capture dir/falco_") {
		t.Fatalf("%+v", x.ended)
	}
	if s := x.rec.Stats(); s.Files != 1 || s.Refused == 0 {
		t.Errorf("%+v", s)
	}
	r, err := NewReader(bytes.NewReader(x.disk.files[x.ended[0].Path].Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	var e event.Event
	for err == nil {
		if err = r.Next(&e); err == nil {
			n++
		}
	}
	if !errors.Is(err, ErrTruncated) || n < 100 {
		t.Errorf("%d events, then %v", n, err)
	}
}

// TestRecorderTmpfs fills a real file system.
func TestRecorderTmpfs(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("mounting a tmpfs needs root: %v", err)
	}
	defer syscall.Unmount(dir, 0)
	x := newTaken(t, RecorderConfig{PathPrefix: filepath.Join(dir, "falco"), DefaultDuration: time.Hour, Wait: true})
	payload := noise(900_000)
	for i := range uint64(4000) {
		x.event(i, payload[i%900*1000:][:1000])
		if i == 0 {
			x.rec.Match(&x.e, true, 0)
		}
	}
	x.close()
	if len(x.ended) != 1 || !errors.Is(x.ended[0].Err, syscall.ENOSPC) {
		t.Errorf("%+v", x.ended)
	}
}

// TestRecorderSlow does not wait for a disk that takes nothing, and ends the recording when its memory is used up.
func TestRecorderSlow(t *testing.T) {
	x := newTaken(t, RecorderConfig{DefaultDuration: time.Hour})
	x.disk.block = make(chan struct{})
	payload := noise(60_000)
	for i := range uint64(1000) {
		x.event(i, payload)
		if i%100 == 0 {
			x.rec.Match(&x.e, true, 0)
		}
	}
	if x.rec.Recording() || x.rec.made > maxChunks {
		t.Errorf("the recording goes on, with %d chunks", x.rec.made)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := x.rec.Close(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "files are not written yet") {
		t.Errorf("closing: %v", err)
	}
	close(x.disk.block)
	x.close()
	if len(x.ended) != 1 || x.ended[0].Reason != EndSlow || x.ended[0].Err != nil || x.rec.Stats().Refused == 0 {
		t.Errorf("%+v, %+v", x.ended, x.rec.Stats())
	}
	if list := x.times(x.ended[0].Path); len(list) < maxChunks || len(list) != int(x.ended[0].Events) {
		t.Errorf("%d events in the file, %d handed over", len(list), x.ended[0].Events)
	}
}

// TestRecorderIdle ends a recording although no further event comes.
func TestRecorderIdle(t *testing.T) {
	x := newTaken(t, RecorderConfig{})
	x.event(0, nil)
	x.rec.Match(&x.e, true, 0)
	x.event(10, nil)
	x.rec.Idle(epoch + 99e6)
	if !x.rec.Recording() {
		t.Error("it ends before the deadline")
	}
	x.rec.Idle(epoch + 100e6)
	if x.rec.Recording() {
		t.Error("it does not end at the deadline")
	}
	x.close()
	if len(x.ended) != 1 || x.ended[0].Reason != EndDeadline || !slices.Equal(x.times(x.ended[0].Path), []int{0, 10}) {
		t.Errorf("%+v", x.ended)
	}
}

// TestRecorderReset begins anew with another state.
func TestRecorderReset(t *testing.T) {
	x := newTaken(t, RecorderConfig{PreTrigger: time.Second, PreTriggerBytes: 1 << 20, Wait: true})
	x.event(0, nil)
	x.rec.Match(&x.e, true, 0)
	x.rec.Reset()
	x.event(10, nil)
	x.rec.Match(&x.e, true, 0)
	x.close()
	if len(x.ended) != 2 || x.ended[0].Reason != EndStopped || !slices.Equal(x.times(x.ended[1].Path), []int{10}) {
		t.Errorf("%+v", x.ended)
	}
}

// TestRecorderGap drops what it kept when a snapshot may not be made yet, and records from the match on then.
func TestRecorderGap(t *testing.T) {
	now := time.Time{}
	x := newTaken(t, RecorderConfig{PreTrigger: time.Second, PreTriggerBytes: 300 << 10, Now: func() time.Time {
		now = now.Add(2 * time.Millisecond) // what a snapshot takes: there is one each 100 ms at most
		return now
	}})
	payload := noise(10_000)
	for ms := uint64(0); ms < 50; ms++ {
		x.event(ms, payload)
	}
	x.rec.Match(&x.e, true, 0)
	for ms := uint64(50); ms < 110; ms++ {
		x.event(ms, nil)
	}
	x.rec.Match(&x.e, true, 0)
	s := x.rec.Stats()
	x.close()
	if s.Gaps != 1 || s.Snapshots != 2 || s.SnapshotTime != 2*time.Millisecond {
		t.Errorf("%+v", s)
	}
	if list := x.times(x.ended[0].Path); list[0] != 49 {
		t.Errorf("the file begins at %d ms", list[0])
	}
}

// TestRecorderLargeSnapshot records without what came before when memory cannot hold a snapshot.
func TestRecorderLargeSnapshot(t *testing.T) {
	x := newTaken(t, RecorderConfig{PreTrigger: time.Second, PreTriggerBytes: 3 << 10})
	for i := range int64(100) {
		x.snap.Processes = append(x.snap.Processes, event.Process{TID: 2 + i, PID: 2 + i, Comm: "many"})
	}
	x.event(0, nil)
	x.event(1, nil)
	x.rec.Match(&x.e, true, 0)
	x.close()
	if len(x.ended) != 1 || !slices.Equal(x.times(x.ended[0].Path), []int{1}) || x.rec.Stats().NoRoom == 0 {
		t.Errorf("%+v", x.ended)
	}
}

// TestRecorderRing keeps at least PreTrigger where memory suffices, at most the memory where it does not, and never loses an
// event in between.
func TestRecorderRing(t *testing.T) {
	for _, size := range []int{64 << 10, 1 << 20, 8 << 20} {
		x := newTaken(t, RecorderConfig{PreTrigger: 100 * time.Millisecond, PreTriggerBytes: size, Wait: true, DefaultDuration: 1})
		src := rand.New(rand.NewPCG(3, 4))
		payload := noise(4000)
		for ms := uint64(0); ms < 3000; ms++ {
			x.event(ms, payload[:src.IntN(len(payload))])
			if ms%157 == 156 {
				x.rec.Match(&x.e, true, 0)
			}
		}
		x.close()
		if len(x.ended) != 19 {
			t.Errorf("%d bytes: %d files", size, len(x.ended))
		}
		for _, f := range x.ended {
			list := x.times(f.Path)
			for i := range list[1:] {
				if list[i+1] != list[i]+1 {
					t.Fatalf("%d bytes: %s: %d follows %d", size, f.Path, list[i+1], list[i])
				}
			}
			before := 0
			for _, ms := range list {
				if ms%157 == 156 && ms+2 >= list[len(list)-1] {
					before = ms - list[0]
				}
			}
			if least := map[int]int{64 << 10: 1, 1 << 20: 100, 8 << 20: 100}[size]; before < least || before > 200 {
				t.Errorf("%d bytes: %s: %d ms before the match", size, f.Path, before)
			}
		}
	}
}

// TestRecorderAllocs allocates nothing for an event, whatever the mode.
func TestRecorderAllocs(t *testing.T) {
	for _, c := range []struct {
		name  string
		cfg   RecorderConfig
		match bool
	}{
		{"idle", RecorderConfig{}, false},
		{"ring", RecorderConfig{PreTrigger: time.Hour, PreTriggerBytes: 64 << 20}, false},
		{"recording", RecorderConfig{DefaultDuration: time.Hour, Wait: true}, true},
	} {
		x := newTaken(t, c.cfg)
		x.event(0, nil)
		if c.match {
			x.rec.Match(&x.e, true, 0)
			for range 200_000 {
				x.rec.Event(&x.e) // all chunks are made
			}
		}
		if n := testing.AllocsPerRun(10_000, func() { x.rec.Event(&x.e) }); n != 0 {
			t.Errorf("%s: %v allocations per event", c.name, n)
		}
		x.close()
	}
}

// TestRecorderKnown writes what no snapshot tells as state-only events, in front.
func TestRecorderKnown(t *testing.T) {
	for _, pre := range []time.Duration{0, time.Second} {
		x := newTaken(t, RecorderConfig{PreTrigger: pre, PreTriggerBytes: 1 << 20, Known: func(now uint64, emit func(*event.Event)) {
			var enc event.Encoder
			enc.Begin(event.GroupAddedE, now, -1)
			enc.Uint32(7)
			enc.Text("wheel")
			enc.Text("")
			var e event.Event
			if err := e.Decode(enc.Bytes()); err != nil {
				panic(err)
			}
			emit(&e)
		}})
		x.event(3, nil)
		x.event(5, nil)
		x.rec.Match(&x.e, true, 0)
		x.close()
		_, list := contents(t, bytes.NewReader(x.disk.files[x.ended[0].Path].Bytes()))
		first := event.Event{}
		if err := first.Decode([]byte(list[0].Raw)); err != nil {
			t.Fatal(err)
		}
		at := epoch + 5e6
		if pre > 0 {
			at = epoch + 3e6
		}
		if first.Code != event.GroupAddedE || first.Time != at || list[0].Dump != event.StateOnly {
			t.Errorf("pre-trigger %v: first is type %d at %d, flags %d", pre, first.Code, first.Time-epoch, list[0].Dump)
		}
	}
}

// TestRecorderFound puts processes that were found after the snapshot in front of the events, with their descriptors.
func TestRecorderFound(t *testing.T) {
	x := newTaken(t, RecorderConfig{PreTrigger: 10 * time.Millisecond, PreTriggerBytes: 1 << 20, Wait: true})
	for ms := uint64(0); ms < 35; ms++ {
		x.event(ms, nil)
		x.rec.Found(&event.Process{TID: int64(100 + ms), PID: int64(100 + ms), Comm: "found", FDs: []event.Descriptor{{FD: 3, Type: event.FDFifo, Name: "a"}}})
		x.rec.FoundDescriptor(1, event.Descriptor{FD: int64(ms), Type: event.FDFifo, Name: "b"})
	}
	x.rec.Match(&x.e, true, 0)
	x.close()
	snap, list := contents(t, bytes.NewReader(x.disk.files[x.ended[0].Path].Bytes()))
	// The file has the segments from 20 ms and from 30 ms on.
	if len(list) != 15 || len(snap.Processes) != 16 || len(snap.Processes[0].FDs) != 15 || snap.Processes[0].FDs[0].FD != 20 {
		t.Errorf("%d events, %d processes: %+v", len(list), len(snap.Processes), snap.Processes[0])
	}
	for i, p := range snap.Processes[1:] {
		if p.TID != int64(120+i) || p.Comm != "found" || len(p.FDs) != 1 || p.FDs[0].Name != "a" {
			t.Errorf("process %d: %+v", i, p)
		}
	}
}

// TestRecorderMemory refuses a ring without memory.
func TestRecorderMemory(t *testing.T) {
	_, err := NewRecorder(RecorderConfig{PreTrigger: time.Second, Snapshot: func(bool) *event.Snapshot { return nil }})
	if err == nil || !strings.Contains(err.Error(), "capture.pre_trigger.max_size_mb") {
		t.Error(err)
	}
}

func BenchmarkRecorderEvent(b *testing.B) {
	for _, c := range []struct {
		name string
		cfg  RecorderConfig
	}{
		{"idle", RecorderConfig{}},
		{"ring", RecorderConfig{PreTrigger: time.Second, PreTriggerBytes: 64 << 20}},
	} {
		for _, size := range []int{20, 200} {
			b.Run(fmt.Sprintf("%s/%d bytes", c.name, size+26+8+20), func(b *testing.B) {
				x := newTaken(b, c.cfg)
				x.event(0, noise(size))
				b.ReportAllocs()
				for b.Loop() {
					x.e.Time += 5000
					x.rec.Event(&x.e)
				}
				x.close()
			})
		}
	}
}
