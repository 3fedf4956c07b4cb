package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

// indexed is a line of the captures' index.
type indexed struct {
	path               string
	events, procs, fds int
}

// index returns the captures of INDEX.tsv that are there.
func index(t *testing.T) []indexed {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(shared, "captures/INDEX.tsv"))
	if err != nil {
		t.Skipf("the index of captures is not there: %v", err)
	}
	var list []indexed
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
		w := strings.Split(line, "\t")
		c := indexed{path: filepath.Join(shared, "captures", w[0])}
		if _, err := os.Stat(c.path); err != nil {
			continue
		}
		for i, n := range []*int{&c.events, nil, &c.procs, &c.fds} {
			if n == nil {
				continue
			}
			v, err := strconv.Atoi(w[5+i])
			if err != nil {
				t.Fatalf("INDEX.tsv: %q: %v", line, err)
			}
			*n = v
		}
		list = append(list, c)
	}
	return list
}

// TestIndex reads every capture completely: as many event blocks, processes and descriptors as the index says, and every
// event delivered has the parameters of its type.
func TestIndex(t *testing.T) {
	for _, want := range index(t) {
		t.Run(filepath.Base(want.path), func(t *testing.T) {
			f, err := os.Open(want.path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			b, err := newBlocks(f)
			if err != nil {
				t.Fatal(err)
			}
			records := 0
			for {
				block, err := b.next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if recordOf(blockType(binary.LittleEndian.Uint32(block))).event > 0 {
					records++
				}
			}
			if records != want.events {
				t.Errorf("%d event blocks, want %d", records, want.events)
			}
			r, err := Open(want.path)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			fds := 0
			for _, p := range r.Snapshot().Processes {
				fds += len(p.FDs)
			}
			if n := len(r.Snapshot().Processes); n != want.procs || fds != want.fds {
				t.Errorf("%d processes with %d descriptors, want %d with %d", n, fds, want.procs, want.fds)
			}
			checkEvents(t, r)
		})
	}
}

// checkEvents reads r to its end.
func checkEvents(t *testing.T, r *Reader) {
	t.Helper()
	var e event.Event
	for {
		err := r.Next(&e)
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		// Types that are not converted may be shorter in old files: what is missing is empty.
		n, want := e.NumParams(), len(e.Type().Params)
		if n > want || n < want && e.Type().Flags&event.FlagConverterManaged != 0 {
			t.Errorf("event %d, %s: %d parameters, its type has %d", e.Num, e.Type().PPME, n, want)
		}
		if e.Type().Status != event.StatusCurrent && !e.Type().Enter {
			t.Errorf("event %d is of the old type %s", e.Num, e.Type().PPME)
		}
	}
}

// TestTruncated cuts a capture at every length: what is whole is delivered, then the damage is reported.
func TestTruncated(t *testing.T) {
	data := sample(t)
	whole := drain(t, data)
	if len(whole) < 3 {
		t.Fatalf("only %d events", len(whole))
	}
	for n := range data {
		r, err := NewReader(bytes.NewReader(data[:n]))
		if err != nil {
			if !errors.Is(err, ErrTruncated) {
				t.Fatalf("%d bytes: opening: %v", n, err)
			}
			continue
		}
		var e event.Event
		got := 0
		for err = r.Next(&e); err == nil; err = r.Next(&e) {
			if !bytes.Equal(e.Raw(), whole[got]) {
				t.Fatalf("%d bytes: event %d differs", n, got+1)
			}
			got++
		}
		var damage *DamageError
		switch {
		case err == io.EOF:
		case !errors.Is(err, ErrTruncated) || !errors.As(err, &damage):
			t.Fatalf("%d bytes: %v", n, err)
		case damage.Offset > int64(n):
			t.Fatalf("%d bytes: the damage is said to be at %d", n, damage.Offset)
		}
		if again := r.Next(&e); again != err {
			t.Fatalf("%d bytes: first %v, then %v", n, err, again)
		}
	}
}

// TestHugeLength checks that a length field alone does not make the reader allocate.
func TestHugeLength(t *testing.T) {
	b := appendSection(nil)
	b = binary.LittleEndian.AppendUint32(b, uint32(blockEvent2Large))
	b = binary.LittleEndian.AppendUint32(b, maxBlock)
	b = append(b, make([]byte, 100)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := NewReader(bytes.NewReader(b))
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrTruncated) {
		t.Fatal(err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 4*bufferSize {
		t.Errorf("%d bytes allocated for a file of %d", n, len(b))
	}
}

// TestDamage is about files whose bytes contradict each other.
func TestDamage(t *testing.T) {
	good := appendSection(nil)
	ev := encoded(t, event.SyscallCloseX, 8, 8)
	block := appendRecord(nil, ev, 0, 0, false)
	change := func(b []byte, at int, v uint32) []byte {
		b = bytes.Clone(b)
		binary.LittleEndian.PutUint32(b[at:], v)
		return b
	}
	cases := []struct {
		name   string
		data   []byte
		want   error
		offset int64
		text   string
	}{
		{"nothing", nil, ErrTruncated, 0, "empty"},
		{"not a capture", []byte("#!/bin/sh\nexit 0\n"), ErrCorrupt, 0, "says it has"},
		{"another block first", block, ErrCorrupt, 0, "section header"},
		{"byte order", change(good, 8, 0x4D3C2B1A), ErrCorrupt, 0, "magic"},
		{"newer major version", change(good, 12, 2), ErrVersion, 0, "major version 2"},
		{"trailing length", append(append(bytes.Clone(good), change(block, len(block)-4, 16)...), "no block"...), ErrCorrupt, 28, "at its end"},
		{"tiny block", append(bytes.Clone(good), change(block, 4, 4)...), ErrCorrupt, 28, "says it has 4 bytes"},
		{"event longer than its block", append(bytes.Clone(good), change(block, 26, 999)...), ErrCorrupt, 38, "says 999"},
		{"event shorter than a header", append(bytes.Clone(good), change(block, 26, 9)...), ErrCorrupt, 38, "says 9 bytes"},
		{"event with too many parameters", append(bytes.Clone(good), change(block, 32, 77)...), ErrCorrupt, 38, "77 parameters"},
		{
			"metadata behind an event", append(append(bytes.Clone(good), block...), emptyBlock(blockAccounts2)...),
			ErrCorrupt, 28 + int64(len(block)), "before the first",
		},
		{"short machine", append(bytes.Clone(good), emptyBlock(blockMachine)...), ErrCorrupt, 36, "machine"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := readError(c.data)
			var damage *DamageError
			if !errors.Is(err, c.want) || !errors.As(err, &damage) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if damage.Offset != c.offset || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %q, want offset %d and %q in it", err, c.offset, c.text)
			}
		})
	}
}

// TestDamagedTrailer is about blocks whose last four bytes alone are damaged: what follows them is whole.
func TestDamagedTrailer(t *testing.T) {
	block := appendRecord(nil, encoded(t, event.SyscallCloseX, 8, 8), 0, 0, false)
	data := appendSection(nil)
	for range 3 {
		data = append(data, block...)
		data[len(data)-1] ^= 0x10
	}
	r, err := NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var e event.Event
	for range 3 {
		if err := r.Next(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Next(&e); err != io.EOF {
		t.Errorf("got %v at the end", err)
	}
}

// TestGzipDamage is about compressed files.
func TestGzipDamage(t *testing.T) {
	data := zipped(t)
	if err := readError(data[:len(data)-20]); !errors.Is(err, ErrTruncated) {
		t.Errorf("cut: %v", err)
	}
	bad := bytes.Clone(data)
	bad[len(bad)-6] ^= 0xff
	if err := readError(bad); !errors.Is(err, ErrCorrupt) {
		t.Errorf("wrong checksum: %v", err)
	}
	if err := readError(data[:5]); !errors.Is(err, ErrTruncated) {
		t.Errorf("cut header: %v", err)
	}
}

// readError reads a capture to its end and returns what ended it; nil is a clean end.
func readError(data []byte) error {
	r, err := NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	var e event.Event
	for {
		switch err := r.Next(&e); {
		case err == io.EOF:
			return nil
		case errors.Is(err, ErrSection):
		case err != nil:
			return err
		}
	}
}

// drain returns the events of a capture.
func drain(t testing.TB, data []byte) [][]byte {
	t.Helper()
	r, err := NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var list [][]byte
	var e event.Event
	for {
		err := r.Next(&e)
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, bytes.Clone(e.Raw()))
	}
}

func emptyBlock(kind blockType) []byte { return endBlock(beginBlock(nil, kind), 0) }

// encoded returns an event whose parameters have the given sizes.
func encoded(t testing.TB, code event.Code, sizes ...int) []byte {
	t.Helper()
	var c event.Encoder
	c.Begin(code, 1_700_000_000_000_000_000, 42)
	for i, n := range sizes {
		c.Raw(bytes.Repeat([]byte{byte(i + 1)}, n))
	}
	b := bytes.Clone(c.Bytes())
	if b == nil {
		t.Fatalf("encoding %v of type %d", sizes, code)
	}
	return b
}

// sample returns a small capture with a process, a descriptor and a few events.
func sample(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewPlainWriter(&out, sampleSnapshot())
	if err != nil {
		t.Fatal(err)
	}
	writeSample(t, w)
	return out.Bytes()
}

// zipped is sample, compressed.
func zipped(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, sampleSnapshot())
	if err != nil {
		t.Fatal(err)
	}
	writeSample(t, w)
	return out.Bytes()
}

func writeSample(t testing.TB, w *Writer) {
	t.Helper()
	for i, raw := range [][]byte{
		encoded(t, event.SyscallCloseX, 8, 8),
		encoded(t, event.SyscallOpenX, 8, 11, 4, 4, 4, 8),
		encoded(t, event.PlugineventE, 4, 300),
		encoded(t, event.SyscallReadX, 8, 80, 8, 4),
	} {
		var e event.Event
		if err := e.Decode(raw); err != nil {
			t.Fatal(err)
		}
		e.CPU, e.Dump = int16(i), event.DumpFlags(i%2)
		if err := w.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func sampleSnapshot() *event.Snapshot {
	s := &event.Snapshot{
		Machine: event.Machine{NumCPUs: 2, MemoryBytes: 1 << 30, MaxPID: 32768, Hostname: "h", BootTime: 7, Flags: 1},
		Processes: []event.Process{{
			TID: 42, PID: 42, PTID: 1, SID: 42, VPGID: 42, PGID: 42, VTID: 2, VPID: 2, Comm: "sh", Exe: "sh",
			ExePath: "/bin/sh", Args: []string{"-c", ""}, Env: []string{"A=b"}, Cwd: "/", Root: "/",
			Cgroups: []string{"cpu=/a"}, LoginUID: 1<<32 - 1, ExeWritable: true, ExeLowerLayer: true,
		}},
		Users:  []event.User{{UID: 0, GID: 0, Name: "root", Home: "/root", Shell: "/bin/sh"}},
		Groups: []event.Group{{GID: 0, Name: "root"}},
		Interfaces: []event.Interface{
			{Name: "eth0", Addr: [16]byte{10, 0, 0, 1}, Mask: [16]byte{255}, Broadcast: [16]byte{10, 255}, LinkSpeed: 5},
			{Name: "lo", IPv6: true, Addr: [16]byte{15: 1}},
		},
	}
	p := &s.Processes[0]
	for i := event.FDUnknown; i <= event.FDPidfd; i++ {
		d := event.Descriptor{FD: int64(i), Type: i, Ino: 100 + uint64(i)}
		switch i {
		case event.FDUnknown:
		case event.FDIPv4:
			d.SIP, d.DIP, d.SPort, d.DPort, d.L4 = [16]byte{1}, [16]byte{2}, 3, 4, event.L4TCP
		case event.FDIPv6:
			d.SIP, d.DIP, d.SPort, d.DPort, d.L4 = [16]byte{15: 1}, [16]byte{15: 2}, 3, 4, event.L4UDP
		case event.FDIPv4Server:
			d.SIP, d.SPort, d.L4 = [16]byte{1}, 3, event.L4TCP
		case event.FDIPv6Server:
			d.SIP, d.SPort, d.L4 = [16]byte{15: 1}, 3, event.L4TCP
		case event.FDUnix:
			d.UnixSource, d.UnixPeer, d.Name = 1, 2, "/run/s"
		case event.FDFileV2:
			d.OpenFlags, d.Dev, d.Name = 1, 2, "/etc/passwd"
		default:
			d.Name = "name"
		}
		p.FDs = append(p.FDs, d)
	}
	return s
}
