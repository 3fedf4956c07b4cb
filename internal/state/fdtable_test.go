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
			return int64(denseFDs + r.IntN(20))
		}
		return int64(r.IntN(200))
	}
	for step := range 100000 {
		i := r.IntN(len(tables))
		fd := number()
		switch r.IntN(8) {
		case 0, 1, 2:
			d := s.free.fd()
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
				d.setNames(fmt.Sprint("o", step), "")
				want[i][fd] = fmt.Sprint("o", step)
			}
		case 5:
			odd := func(fd int64, _ *FD) bool { return fd%7 == 1 }
			s.eraseIf(tables[i], odd)
			maps.DeleteFunc(want[i], func(fd int64, _ string) bool { return fd%7 == 1 })
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
