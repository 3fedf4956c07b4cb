package state

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

// TestFDTable compares tables that share pages with plain maps.
func TestFDTable(t *testing.T) {
	s := New(Config{})
	r := rand.New(rand.NewPCG(3, 4))
	tables := []*FDTable{s.newTable()}
	want := []map[int64]string{{}}
	number := func() int64 {
		if r.IntN(10) == 0 {
			return int64(3*dirSpan + r.IntN(20))
		}
		return int64(r.IntN(200))
	}
	for step := range 100000 {
		i := r.IntN(len(tables))
		fd := number()
		switch r.IntN(8) {
		case 0, 1, 2:
			d := s.free.fd()
			d.Type = event.FDType(r.IntN(5) * r.IntN(40)) // with some that do not exist
			d.setNames(fmt.Sprint("n", step), "raw")
			s.putFD(tables[i], fd, d)
			want[i][fd] = fmt.Sprint("n", step)
		case 3:
			if _, open := want[i][fd]; s.eraseFD(tables[i], fd) != open {
				t.Fatalf("erasing %d: was open: %v", fd, open)
			}
			delete(want[i], fd)
		case 4:
			if d := s.ownFD(tables[i], fd); d != nil {
				d.Type = event.FDType(r.IntN(5))
				d.setNames(fmt.Sprint("o", step), "")
				want[i][fd] = fmt.Sprint("o", step)
			}
		case 5:
			first := int64(r.IntN(300))
			last := first + int64(r.IntN(4*dirSpan))
			s.eraseIf(tables[i], first, last, func(fd int64, _ *FD) bool { return fd%7 == 1 })
			maps.DeleteFunc(want[i], func(fd int64, _ string) bool { return fd%7 == 1 && fd >= first && fd <= last })
		case 6:
			if len(tables) < 10 {
				tables = append(tables, s.copyTable(tables[i]))
				want = append(want, maps.Clone(want[i]))
			} else {
				s.dropTable(tables[i])
				tables, want = slices.Delete(tables, i, i+1), slices.Delete(want, i, i+1)
			}
		default:
			compareTable(t, tables[i], want[i])
		}
	}
	total := 0
	for i := range tables {
		compareTable(t, tables[i], want[i])
		total += len(want[i])
	}
	if s.NumFDs() != total {
		t.Errorf("%d descriptors counted, %d open", s.NumFDs(), total)
	}
}

func compareTable(t *testing.T, f *FDTable, want map[int64]string) {
	t.Helper()
	if f.Len() != len(want) {
		t.Fatalf("%d descriptors, want %d", f.Len(), len(want))
	}
	last := int64(-1)
	f.Each(func(fd int64, d *FD) bool {
		if fd <= last {
			t.Fatalf("%d after %d", fd, last)
		}
		last = fd
		if d.Name != want[fd] || f.Get(fd) != d {
			t.Fatalf("%d is %q, want %q", fd, d.Name, want[fd])
		}
		return true
	})
	var first, types []*FD
	f.Each(func(_ int64, d *FD) bool {
		if !slices.ContainsFunc(first, func(o *FD) bool { return o.Type == d.Type }) {
			first = append(first, d)
		}
		return true
	})
	f.EachType(func(d *FD) { types = append(types, d) })
	if !slices.Equal(first, types) {
		t.Fatalf("the first of each type are %d, want %d", len(types), len(first))
	}
}

// BenchmarkEachType asks for the types of as many descriptors as are kept of a process, of which one changed.
func BenchmarkEachType(b *testing.B) {
	s := New(Config{})
	f := s.newTable()
	for fd := range int64(65000) {
		s.putFD(f, fd, &FD{Type: event.FDFileV2})
	}
	types := 0
	b.ReportAllocs()
	for b.Loop() {
		s.ownFD(f, 40000)
		f.EachType(func(*FD) { types++ })
	}
}

func TestFDLimits(t *testing.T) {
	s := New(Config{MaxProcessFDs: 3000, MaxFDs: 4000})
	fill := func(f *FDTable, n int64) {
		for fd := range n {
			s.putFD(f, fd, &FD{Type: event.FDFifo})
		}
	}
	hoarder, forked, normal, many := s.newTable(), (*FDTable)(nil), s.newTable(), s.newTable()
	fill(hoarder, 5000)
	if hoarder.Len() != 3000 || s.Stats().DropsFullFDTable != 2000 {
		t.Errorf("a process has %d descriptors, %d dropped", hoarder.Len(), s.Stats().DropsFullFDTable)
	}
	forked = s.copyTable(hoarder)
	if s.fdWeight != 3000 || s.NumFDs() != 6000 {
		t.Errorf("a fork takes room: %d kept, %d open", s.fdWeight, s.NumFDs())
	}
	fill(many, 3000)
	if many.Len() != 1024 {
		t.Errorf("in a full state a process gets %d descriptors", many.Len())
	}
	fill(normal, 100)
	if normal.Len() != 100 {
		t.Errorf("in a full state an ordinary process gets %d descriptors", normal.Len())
	}
	for range 20 {
		fill(s.newTable(), 1024)
	}
	if s.fdWeight > 16000 {
		t.Errorf("%d descriptors are kept", s.fdWeight)
	}
	s.putFD(normal, 1<<40, &FD{})
	s.putFD(normal, -1, &FD{})
	if normal.Len() != 100 || forked.Len() != 3000 {
		t.Error("descriptors with impossible numbers are kept")
	}
	if !s.putFD(hoarder, 0, &FD{Type: event.FDUnix}) || hoarder.Get(0).Type != event.FDUnix || forked.Get(0).Type != event.FDFifo {
		t.Error("a full table does not replace a descriptor, or does so for its copy, too")
	}
	var none *FDTable
	if none.Len() != 0 || none.Get(3) != nil || normal.Get(-5) != nil {
		t.Error("a missing table or negative descriptor is something")
	}
	none.Each(func(int64, *FD) bool { t.Error("a missing table has descriptors"); return true })
}

// TestLongNames opens a file by a long path and copies the descriptor as often as it goes: the copies have names of their own, so they
// count by their length.
func TestLongNames(t *testing.T) {
	s := New(Config{MaxProcessFDs: 3000, MaxFDs: 100_000})
	f := s.newTable()
	put := func(fd int64, length int) bool {
		d := s.free.fd()
		d.setNames("/x", strings.Repeat("/", length))
		return s.putFD(f, fd, d)
	}
	names := 0
	for fd := range int64(4000) {
		put(fd, 4095)
	}
	f.Each(func(_ int64, d *FD) bool { names += len(d.buf); return true })
	if names > 3000*nameUnit || f.Len() < 100 {
		t.Errorf("%d descriptors with names of %d bytes; at most %d bytes", f.Len(), names, 3000*nameUnit)
	}
	for fd := range int64(4000) {
		s.eraseFD(f, fd)
	}
	if f.weight != 0 || s.fdWeight != 0 {
		t.Errorf("no descriptor weighs %d and %d", f.weight, s.fdWeight)
	}
	for fd := range int64(3000) {
		put(fd, 10)
	}
	if f.Len() != 3000 || !put(7, 20) {
		t.Errorf("%d descriptors with names of ordinary length, want 3000, of which each may be replaced", f.Len())
	}
	// A longer name in the place of a short one is no way around; the old name is not right any more.
	if put(7, 4095) || f.Get(7) != nil {
		t.Error("a full table takes a longer name, or keeps the one of before")
	}
}

// TestForkedDescriptors forks a process again and again, and changes what the children share with it.
func TestForkedDescriptors(t *testing.T) {
	var text strings.Builder
	text.WriteString(shell)
	for fd := range 100 {
		fmt.Fprintf(&text, "100 openat fd=%d dirfd=-100 name=f flags=1\n", fd)
	}
	for pid := 101; pid < 110; pid++ {
		fmt.Fprintf(&text, "%d clone res=0 exe=sh pid=%d ptid=100 vtid=%d vpid=%d comm=sh\n", pid, pid, pid, pid)
		for fd := range 100 {
			fmt.Fprintf(&text, "%d fcntl res=0 fd=%d cmd=3 arg=1\n= event fd=%d name=/home/f flags=0x1000\n", pid, fd, fd)
		}
		fmt.Fprintf(&text, "%d close_range res=0 first=0 last=4294967295 flags=4\n", pid)
	}
	text.WriteString("= 100/99 name=/home/f flags=0x1\n")
	s := runScript(t, Config{MaxFDs: 100}, text.String())
	if s.fdWeight > 400 {
		t.Errorf("%d descriptors are kept, at most 400 should be", s.fdWeight)
	}
}

// TestManyDescriptors forks a process with a great many descriptors, and marks them all again and again: neither may cost much, as neither
// costs the process much.
func TestManyDescriptors(t *testing.T) {
	s := New(Config{})
	f := s.newTable()
	for fd := range int64(50000) {
		s.putFD(f, fd, &FD{Type: event.FDFifo})
	}
	pages := 0
	f.eachPage(0, maxFD, func(int64, *fdPage) bool { pages++; return true })
	if pages != (50000+pageSize-1)/pageSize {
		t.Fatalf("%d pages", pages)
	}
	s.dropTable(s.copyTable(f))
	if n := testing.AllocsPerRun(10, func() { s.dropTable(s.copyTable(f)) }); n != 0 || f.dirs[0].refs != 1 || f.dirs[0].page[0].refs != 1 {
		t.Errorf("a fork and its end allocate %v times and leave %d and %d references", n, f.dirs[0].refs, f.dirs[0].page[0].refs)
	}
	pages = 0
	f.eachPage(40000, 40001, func(base int64, _ *fdPage) bool { pages++; return base == 40000 })
	if pages != 1 {
		t.Errorf("two neighbours are looked for in %d pages", pages)
	}
	s.closeOnExec(f, 10, maxFD)
	f.Each(func(fd int64, d *FD) bool {
		if (d.OpenFlags == openCloexec) != (fd >= 10) {
			t.Fatalf("descriptor %d has the flags %#x", fd, d.OpenFlags)
		}
		return true
	})
	child := s.copyTable(f)
	s.ownFD(child, 7000).OpenFlags = 0
	f.Get(8000).OpenFlags = 1 // what no call can do: it shows whether the page is looked at
	s.closeOnExec(f, 0, maxFD)
	s.closeOnExec(child, 0, maxFD)
	for fd, want := range map[int64]uint32{9: openCloexec, 7000: openCloexec, 8000: 1} {
		if got, inherited := f.Get(fd).OpenFlags, child.Get(fd).OpenFlags; got != want || inherited != want {
			t.Errorf("descriptor %d has the flags %#x, that of the child %#x, want %#x", fd, got, inherited, want)
		}
	}
}
