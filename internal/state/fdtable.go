package state

import "github.com/saker-sec/saker/internal/event"

const (
	pageSize = 64                 // descriptors of a page
	dirSize  = 64                 // pages of a directory
	dirSpan  = pageSize * dirSize // descriptors of a directory
	// maxFD bounds descriptor numbers, so that one high number does not cost a long list of directories. The kernel's own table for such a
	// number takes 128 MB.
	maxFD = 1 << 24
)

// fdPage holds 64 neighbouring descriptors, fdDir 64 neighbouring pages. A fork shares directories between tables; a directory is copied
// before it is written to while several tables hold it, a page while several directories do, and a descriptor before it is
// changed while several pages hold it. So a fork costs next to nothing, whatever its process has open.
type fdPage struct {
	slot [pageSize]*FD
	refs int32 // directories that hold it
	n    int32 // slots in use
	// closes says that execve closes all that the page holds, types which types it holds (see typeBit), 0 when that is not known. Who writes
	// to a page forgets both: they are notes for closeOnExec and EachType.
	closes bool
	types  uint64
}

type fdDir struct {
	page [dirSize]*fdPage
	refs int32 // tables that hold it
	n    int32 // pages in use
}

// FDTable holds the descriptors of a process.
type FDTable struct {
	dirs   []*fdDir
	n      int
	weight int   // of all descriptors
	refs   int32 // threads that share the table (CLONE_FILES)
}

// Len returns how many descriptors are open.
func (f *FDTable) Len() int {
	if f == nil {
		return 0
	}
	return f.n
}

// Get returns the descriptor, or nil if nothing is known of it.
func (f *FDTable) Get(fd int64) *FD {
	if f == nil || uint64(fd)/dirSpan >= uint64(len(f.dirs)) {
		return nil
	}
	if d := f.dirs[fd/dirSpan]; d != nil {
		if g := d.page[fd/pageSize%dirSize]; g != nil {
			return g.slot[fd%pageSize]
		}
	}
	return nil
}

// Each calls fn for every descriptor in ascending order until fn returns false.
func (f *FDTable) Each(fn func(fd int64, d *FD) bool) {
	f.eachPage(0, maxFD, func(base int64, g *fdPage) bool {
		for i, d := range &g.slot {
			if d != nil && !fn(base+int64(i), d) {
				return false
			}
		}
		return true
	})
}

// otherTypes stands for types beyond those that a bit of its own stands for. There are none, but a capture may say so.
const otherTypes = 1 << 63

// typeBit returns the bit of a type in fdPage.types.
func typeBit(t event.FDType) uint64 { return 1 << min(t, 63) }

// EachType calls fn for the first descriptor of every type, in ascending order. It passes pages that hold nothing new, so that a process with
// very many descriptors costs little more than others.
func (f *FDTable) EachType(fn func(d *FD)) {
	var seen [256]bool
	bits := uint64(0)
	f.eachPage(0, maxFD, func(_ int64, g *fdPage) bool {
		if g.types != 0 && g.types&^bits == 0 {
			return true
		}
		types := uint64(0)
		for _, d := range &g.slot {
			if d == nil {
				continue
			}
			types |= typeBit(d.Type)
			if !seen[d.Type] {
				seen[d.Type] = true
				fn(d)
			}
		}
		g.types = types
		bits |= types &^ otherTypes
		return true
	})
}

// eachPage calls fn in ascending order for every page that holds descriptors from first to last, with the number of the page's first one,
// until fn returns false. fn may write to the page.
func (f *FDTable) eachPage(first, last int64, fn func(base int64, g *fdPage) bool) {
	if f == nil || first < 0 {
		return
	}
	for i := first / dirSpan; i < int64(len(f.dirs)) && i*dirSpan <= last; i++ {
		if f.dirs[i] == nil {
			continue
		}
		for j, g := range &f.dirs[i].page {
			base := i*dirSpan + int64(j)*pageSize
			if g != nil && base+pageSize > first && base <= last && !fn(base, g) {
				return
			}
		}
	}
}

// newTable returns an empty table with one reference.
func (s *State) newTable() *FDTable {
	f := s.free.table()
	f.refs = 1
	return f
}

// copyTable returns a table with the same descriptors, sharing the directories until one of the two is written to.
func (s *State) copyTable(from *FDTable) *FDTable {
	f := s.newTable()
	if from == nil {
		return f
	}
	f.n, f.weight = from.n, from.weight
	s.numFDs += from.n
	for _, d := range from.dirs {
		if d != nil {
			d.refs++
		}
		f.dirs = append(f.dirs, d)
	}
	return f
}

// dropTable gives up one reference.
func (s *State) dropTable(f *FDTable) {
	if f == nil {
		return
	}
	f.refs--
	if f.refs > 0 {
		return
	}
	s.numFDs -= f.n
	for i, d := range f.dirs {
		if d != nil {
			s.dropDir(d)
			f.dirs[i] = nil
		}
	}
	s.free.putTable(f)
}

func (s *State) dropDir(d *fdDir) {
	d.refs--
	if d.refs > 0 {
		return
	}
	for i, g := range &d.page {
		if g != nil {
			s.dropPage(g)
			d.page[i] = nil
		}
	}
	s.free.putDir(d)
}

func (s *State) dropPage(g *fdPage) {
	g.refs--
	if g.refs > 0 {
		return
	}
	for i, d := range &g.slot {
		if d != nil {
			s.dropFD(d)
			g.slot[i] = nil
		}
	}
	s.free.putPage(g)
}

func (s *State) dropFD(d *FD) {
	d.refs--
	if d.refs <= 0 {
		s.fdWeight -= int(d.weight)
		s.free.putFD(d)
	}
}

// nameUnit is how many bytes of its names a descriptor may have for each time that it counts against the limits. A path and what the caller
// wrote for it have up to 20 KB, and dup makes as many copies of them as a process likes.
const nameUnit = 256

// weigh sets what the descriptor counts against the limits from now on: 1 with names of ordinary length.
func (f *FD) weigh() { f.weight = int32(1 + len(f.buf)/nameUnit) }

// room returns how many descriptors a process may have now.
func (s *State) room() int {
	switch {
	case s.fdWeight < s.cfg.MaxFDs/2:
		return s.cfg.MaxProcessFDs
	case s.fdWeight < s.cfg.MaxFDs:
		return min(4096, s.cfg.MaxProcessFDs)
	case s.fdWeight < 4*s.cfg.MaxFDs:
		return min(1024, s.cfg.MaxProcessFDs)
	}
	return 0
}

// ownDir returns directory i of the table for writing, creating it if need be.
func (s *State) ownDir(f *FDTable, i int) *fdDir {
	for len(f.dirs) <= i {
		f.dirs = append(f.dirs, nil)
	}
	d := f.dirs[i]
	switch {
	case d == nil:
		d = s.free.dir()
	case d.refs == 1:
		return d
	default:
		own := s.free.dir()
		own.page, own.n = d.page, d.n
		for _, g := range &own.page {
			if g != nil {
				g.refs++
			}
		}
		d.refs--
		d = own
	}
	d.refs = 1
	f.dirs[i] = d
	return d
}

// ownPage returns the page of descriptor fd for writing, creating it if need be.
func (s *State) ownPage(f *FDTable, fd int64) *fdPage {
	d, i := s.ownDir(f, int(fd/dirSpan)), fd/pageSize%dirSize
	g := d.page[i]
	switch {
	case g == nil:
		g = s.free.page()
		d.n++
	case g.refs == 1:
		g.closes, g.types = false, 0
		return g
	default:
		own := s.free.page()
		own.slot, own.n = g.slot, g.n
		for _, d := range &own.slot {
			if d != nil {
				d.refs++
			}
		}
		g.refs--
		g = own
	}
	g.refs = 1
	d.page[i] = g
	return g
}

// putFD opens descriptor fd as d, which the table takes over, replacing what was there. It reports false, and takes d
// back, where a limit forbids it: then nothing is known of fd any more.
func (s *State) putFD(f *FDTable, fd int64, d *FD) bool {
	if fd < 0 || fd > maxFD {
		s.stats.DropsFullFDTable++
		s.free.putFD(d)
		return false
	}
	old := f.Get(fd)
	d.weigh()
	more := int(d.weight)
	if old != nil {
		more -= int(old.weight)
	}
	if more > 0 && f.weight+more > s.room() {
		s.stats.DropsFullFDTable++
		s.free.putFD(d)
		s.eraseFD(f, fd)
		return false
	}
	d.refs = 1
	s.fdWeight += int(d.weight)
	f.weight += more
	g := s.ownPage(f, fd)
	g.slot[fd%pageSize] = d
	if old == nil {
		g.n++
	}
	if old != nil {
		s.dropFD(old)
		return true
	}
	f.n++
	s.numFDs++
	s.stats.AddedFDs++
	return true
}

// eraseFD closes descriptor fd and reports whether it was open.
func (s *State) eraseFD(f *FDTable, fd int64) bool {
	d := f.Get(fd)
	if d == nil {
		return false
	}
	g := s.ownPage(f, fd)
	g.slot[fd%pageSize] = nil
	g.n--
	if g.n == 0 && fd >= pageSize { // the first page will be needed again
		dir := f.dirs[fd/dirSpan]
		dir.page[fd/pageSize%dirSize] = nil
		dir.n--
		s.dropPage(g)
		if dir.n == 0 {
			f.dirs[fd/dirSpan] = nil
			s.dropDir(dir)
		}
	}
	f.weight -= int(d.weight)
	s.dropFD(d)
	f.n--
	s.numFDs--
	s.stats.RemovedFDs++
	return true
}

// ownFD returns descriptor fd for changing: a copy of its own where another table shares it. It returns nil if it is
// not open, or where there is no room for the copy: then nothing is known of it any more. What a fork shares took none so far.
func (s *State) ownFD(f *FDTable, fd int64) *FD {
	d := f.Get(fd)
	if d == nil {
		return nil
	}
	g := s.ownPage(f, fd)
	if d.refs == 1 {
		return d
	}
	if s.room() == 0 {
		s.stats.DropsFullFDTable++
		s.eraseFD(f, fd)
		return nil
	}
	c := s.free.fd()
	c.copyFrom(d)
	c.refs = 1
	d.refs--
	s.fdWeight += int(c.weight)
	g.slot[fd%pageSize] = c
	return c
}

// eraseIf closes the descriptors from first to last for which drop returns true.
func (s *State) eraseIf(f *FDTable, first, last int64, drop func(fd int64, d *FD) bool) {
	f.eachPage(first, last, func(base int64, g *fdPage) bool {
		for i, d := range &g.slot {
			if fd := base + int64(i); d != nil && fd >= first && fd <= last && drop(fd, d) {
				s.eraseFD(f, fd)
			}
		}
		return true
	})
}

// closeOnExec marks the descriptors from first to last to be closed by execve. It passes pages that it marked before, as the kernel's bits cost
// a process nothing that marks all that it has again and again.
func (s *State) closeOnExec(f *FDTable, first, last int64) {
	f.eachPage(first, last, func(base int64, g *fdPage) bool {
		if g.closes {
			return true
		}
		for i, d := range &g.slot {
			if fd := base + int64(i); d != nil && fd >= first && fd <= last && d.OpenFlags&openCloexec == 0 {
				if d := s.ownFD(f, fd); d != nil {
					d.OpenFlags |= openCloexec
				}
			}
		}
		if d := f.dirs[base/dirSpan]; d != nil && first <= base && last >= base+pageSize-1 {
			if g := d.page[base/pageSize%dirSize]; g != nil {
				g.closes = true
			}
		}
		return true
	})
}
