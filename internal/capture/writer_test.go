package capture

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

// copied is an event outside its reader's buffer.
type copied struct {
	Num  uint64
	CPU  int16
	Dump event.DumpFlags
	Raw  string
}

// contents reads a capture to its end.
func contents(t testing.TB, src io.Reader) (*event.Snapshot, []copied) {
	t.Helper()
	r, err := NewReader(src)
	if err != nil {
		t.Fatal(err)
	}
	var list []copied
	var e event.Event
	for {
		err := r.Next(&e)
		if err == io.EOF {
			return r.Snapshot(), list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, copied{e.Num, e.CPU, e.Dump, string(e.Raw())})
	}
}

// write writes a capture.
func write(t testing.TB, snap *event.Snapshot, list []copied) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, snap)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range list {
		e := event.Event{CPU: c.CPU, Dump: c.Dump}
		if err := e.Decode([]byte(c.Raw)); err != nil {
			t.Fatal(err)
		}
		if err := w.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func compare(t *testing.T, wantSnap *event.Snapshot, want []copied, data []byte) {
	t.Helper()
	snap, got := contents(t, bytes.NewReader(data))
	if !reflect.DeepEqual(snap, wantSnap) {
		t.Errorf("snapshot %+v\nwant %+v", snap, wantSnap)
	}
	if len(got) != len(want) {
		t.Fatalf("%d events, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("event %d: %+v\nwant %+v", i+1, got[i], want[i])
		}
	}
}

// TestRoundTripCaptures writes what it reads of every capture and reads it again.
func TestRoundTripCaptures(t *testing.T) {
	for _, path := range captures(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			r, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			snap := r.Snapshot()
			var list []copied
			var e event.Event
			for r.Next(&e) == nil {
				list = append(list, copied{e.Num, e.CPU, e.Dump, string(e.Raw())})
			}
			compare(t, snap, list, write(t, snap, list))
		})
	}
}

// TestRoundTripSample does the same with every kind of descriptor and all fields of a process set.
func TestRoundTripSample(t *testing.T) {
	snap, list := contents(t, bytes.NewReader(zipped(t)))
	if !reflect.DeepEqual(snap, sampleSnapshot()) {
		t.Errorf("snapshot %+v\nwant %+v", snap, sampleSnapshot())
	}
	compare(t, snap, list, write(t, snap, list))
	if len(list) != 4 || list[1].Dump != event.StateOnly || list[2].CPU != 2 {
		t.Errorf("events %d, dump flags %d, cpu %d", len(list), list[1].Dump, list[2].CPU)
	}
}

// TestRoundTripRandom writes random processes and events of every current exit type.
func TestRoundTripRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	text := func() string { return strings.Repeat(string(rune('a'+rnd.IntN(26))), rnd.IntN(20)) }
	texts := func() (l []string) {
		for range rnd.IntN(4) {
			l = append(l, text())
		}
		return l
	}
	snap := &event.Snapshot{}
	for i := range 5000 {
		snap.Processes = append(snap.Processes, event.Process{
			TID: int64(i), PID: rnd.Int64(), PTID: rnd.Int64(), SID: -1, VPGID: rnd.Int64(), PGID: rnd.Int64(),
			VTID: rnd.Int64(), VPID: rnd.Int64(), Comm: text(), Exe: text(), ExePath: text(), Args: texts(), Env: texts(),
			Cwd: text(), Root: text(), Cgroups: texts(), FDLimit: rnd.Int64(), Flags: rnd.Uint32(), UID: rnd.Uint32(),
			GID: rnd.Uint32(), LoginUID: rnd.Uint32(), TTY: rnd.Uint32(), VMSize: rnd.Uint32(), VMRSS: rnd.Uint32(),
			VMSwap: rnd.Uint32(), PFMajor: rnd.Uint64(), PFMinor: rnd.Uint64(), PidnsInitStart: rnd.Uint64(),
			CapInheritable: rnd.Uint64(), CapPermitted: rnd.Uint64(), CapEffective: rnd.Uint64(),
			ExeWritable: rnd.IntN(2) > 0, ExeUpperLayer: rnd.IntN(2) > 0, ExeLowerLayer: rnd.IntN(2) > 0,
			ExeFromMemfd: rnd.IntN(2) > 0, ExeIno: rnd.Uint64(), ExeCtime: rnd.Uint64(), ExeMtime: rnd.Uint64(),
		})
	}
	var list []copied
	for i := range event.Types() {
		typ := &event.Types()[i]
		if typ.Status != event.StatusCurrent || typ.Enter && typ.Flags&event.FlagConverterManaged != 0 {
			continue
		}
		sizes := make([]int, len(typ.Params))
		for j := range sizes {
			sizes[j] = rnd.IntN(40)
		}
		list = append(list, copied{
			Num: uint64(len(list) + 1), CPU: int16(rnd.IntN(64)), Dump: event.DumpFlags(rnd.IntN(2)),
			Raw: string(encoded(t, event.Code(i), sizes...)),
		})
	}
	compare(t, snap, list, write(t, snap, list))
}

// TestWriterPrefix checks that what was flushed can be read although the writer was never closed.
func TestWriterPrefix(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, sampleSnapshot())
	if err != nil {
		t.Fatal(err)
	}
	var e event.Event
	if err := e.Decode(encoded(t, event.SyscallCloseX, 8, 8)); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if err := w.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for err = r.Next(&e); err == nil; err = r.Next(&e) {
		n++
	}
	if n != 5 || !errors.Is(err, ErrTruncated) {
		t.Errorf("%d events, then %v", n, err)
	}
}

// TestWriterLimits is about what the format has no room for.
func TestWriterLimits(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	snap := &event.Snapshot{Processes: []event.Process{{
		TID: 1, Comm: long, Args: []string{"a", long, "b"}, Env: []string{strings.Repeat("e", 4000), strings.Repeat("f", 4000)},
		FDs: []event.Descriptor{{FD: 1, Type: event.FDFifo, Name: long}, {FD: 2, Type: event.FDFileV2, Name: long}, {FD: 3, Type: event.FDUnix, Name: long}},
	}}}
	var out bytes.Buffer
	w, err := NewWriter(&out, snap)
	if err != nil {
		t.Fatal(err)
	}
	var e event.Event
	if err := e.Decode(encoded(t, event.SyscallReadX, 8, 65_535, 8, 4)); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(&e); !errors.Is(err, ErrTooLarge) {
		t.Errorf("large event: %v", err)
	}
	if err := e.Decode(encoded(t, event.SyscallReadX, 8, 60_000, 8, 4)); err != nil {
		t.Fatal(err)
	}
	if err := w.Write(&e); err != nil {
		t.Error(err)
	}
	if err := w.Write(&event.Event{}); err == nil {
		t.Error("an event that was never decoded is written")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	got, list := contents(t, &out)
	p := got.Processes[0]
	if len(p.Comm) != 1024 || len(p.Args) != 1 || len(p.Env) != 1 {
		t.Errorf("comm %d bytes, %d arguments, %d variables", len(p.Comm), len(p.Args), len(p.Env))
	}
	for _, d := range p.FDs {
		if len(d.Name) != 1023 {
			t.Errorf("descriptor %d has a name of %d bytes; Falco and sysdig refuse a file with one of 1024", d.FD, len(d.Name))
		}
	}
	if len(list) != 1 {
		t.Errorf("%d events, want 1", len(list))
	}
}

type fullDisk struct{ left int }

func (d *fullDisk) Write(p []byte) (int, error) {
	n := min(len(p), d.left)
	d.left -= n
	if n < len(p) {
		return n, errors.New("disk full")
	}
	return n, nil
}

// TestWriterError checks that a failed write is reported, again and again.
func TestWriterError(t *testing.T) {
	if _, err := NewWriter(&fullDisk{}, sampleSnapshot()); err == nil {
		t.Error("opening on a full disk succeeded")
	}
	w, err := NewPlainWriter(&fullDisk{left: 10_000}, sampleSnapshot())
	if err != nil {
		t.Fatal(err)
	}
	var e event.Event
	if err := e.Decode(encoded(t, event.SyscallReadX, 8, 30_000, 8, 4)); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		err = w.Write(&e)
	}
	if err == nil || w.Close() == nil || w.Flush() == nil {
		t.Errorf("write: %v", err)
	}
}

// sysdigKnows is the first event type that sysdig 0.29, the version of Debian 12, does not know.
const sysdigKnows event.Code = 360

// TestSysdig has another program read what we write: it prints all the events, with the same numbers, times and threads.
func TestSysdig(t *testing.T) {
	sysdig, err := exec.LookPath("sysdig")
	if err != nil {
		t.Skip("sysdig is not installed")
	}
	for _, name := range []string{"falco/cat_write.scap", "libs/curl_google.scap", "lab/quiet.scap"} {
		t.Run(filepath.Base(name), func(t *testing.T) {
			r, err := Open(filepath.Join(shared, "captures", name))
			if err != nil {
				t.Skip(err)
			}
			defer r.Close()
			snap := r.Snapshot()
			for i := range snap.Processes {
				p := &snap.Processes[i]
				for j := range p.FDs {
					// It refuses a file with descriptors of the newer kinds.
					if p.FDs[j].Type > event.FDNetlink && p.FDs[j].Type != event.FDFileV2 {
						p.FDs[j].Type = event.FDUnsupported
					}
				}
			}
			// It refuses a file with names that are too long, too.
			first := &snap.Processes[0]
			first.FDs = append(first.FDs, event.Descriptor{FD: 9999, Type: event.FDFifo, Name: strings.Repeat("n", 2*maxPath)})
			var list []copied
			var e event.Event
			var want []string
			for r.Next(&e) == nil {
				if e.Code >= sysdigKnows {
					continue
				}
				list = append(list, copied{0, e.CPU, 0, string(e.Raw())})
				if e.Code != event.ProcinfoE { // It never prints this one.
					want = append(want, fmt.Sprintf("%d %d %d %d", len(list), e.Time, e.CPU, e.TID))
				}
			}
			path := filepath.Join(t.TempDir(), "out.scap")
			if err := os.WriteFile(path, write(t, snap, list), 0o600); err != nil {
				t.Fatal(err)
			}
			var stderr bytes.Buffer
			cmd := exec.Command(sysdig, "-r", path, "-p", "%evt.num %evt.rawtime %evt.cpu %thread.tid")
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("sysdig: %v: %s", err, stderr.String())
			}
			got := strings.Split(strings.TrimSpace(string(out)), "\n")
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Fatalf("line %d: sysdig prints %q, want %q", i+1, got[i], want[i])
				}
			}
			if len(got) != len(want) {
				t.Errorf("sysdig prints %d events, want %d", len(got), len(want))
			}
			t.Logf("%d events", len(got))
		})
	}
}

// TestWriterIsGzip checks that other gzip readers accept the whole file.
func TestWriterIsGzip(t *testing.T) {
	z, err := gzip.NewReader(bytes.NewReader(zipped(t)))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(plain, sample(t)) {
		t.Error("the compressed and the plain file differ")
	}
}
