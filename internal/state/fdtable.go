package state

import "slices"

const (
	pageSize = 64
	// densePages is how many pages a table has at most; descriptors from densePages*pageSize on live in a map, so that
	// one high number does not cost a long directory.
	densePages = 256
	denseFDs   = densePages * pageSize
	// maxFD bounds descriptor numbers: fs.nr_open cannot be raised above 2^30, and nobody needs more.
	maxFD = 1 << 30
)

// fdPage holds 64 neighbouring descriptors. A fork shares pages between tables; a page is copied before it is written to
// while several tables hold it, and a descriptor before it is changed while several pages hold it.
type fdPage struct {
	slot [pageSize]*FD
	refs int32 // tables that hold it
	n    int32 // slots in use
}

// FDTable holds the descriptors of a process.
type FDTable struct {
	pages  []*fdPage
	high   map[int64]*FD
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
	if f == nil {
		return nil
	}
	if p := uint64(fd) / pageSize; p < uint64(len(f.pages)) {
		if g := f.pages[p]; g != nil {
			return g.slot[fd%pageSize]
		}
		return nil
	}
	if f.high == nil {
		return nil
	}
	return f.high[fd]
}

// Each calls fn for every descriptor in ascending order until fn returns false.
func (f *FDTable) Each(fn func(fd int64, d *FD) bool) {
	if f == nil {
		return
	}
	for i, g := range f.pages {
		if g == nil {
			continue
		}
		for j, d := range &g.slot {
			if d != nil && !fn(int64(i*pageSize+j), d) {
				return
			}
		}
	}
	if len(f.high) == 0 {
		return
	}
	nums := make([]int64, 0, len(f.high))
	for fd := range f.high {
		nums = append(nums, fd)
	}
	slices.Sort(nums)
	for _, fd := range nums {
		if !fn(fd, f.high[fd]) {
			return
		}
	}
}

// newTable returns an empty table with one reference.
func (s *State) newTable() *FDTable {
	f := s.free.table()
	f.refs = 1
	return f
}

// copyTable returns a table with the same descriptors, sharing the pages until one of the two is written to.
func (s *State) copyTable(from *FDTable) *FDTable {
	f := s.newTable()
	if from == nil {
		return f
	}
	f.n, f.weight = from.n, from.weight
	s.numFDs += from.n
	for _, g := range from.pages {
		if g != nil {
			g.refs++
		}
		f.pages = append(f.pages, g)
	}
	if len(from.high) > 0 {
		f.high = make(map[int64]*FD, len(from.high))
		for fd, d := range from.high {
			d.refs++
			f.high[fd] = d
		}
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
	for i, g := range f.pages {
		if g != nil {
			s.dropPage(g)
			f.pages[i] = nil
		}
	}
	for _, d := range f.high {
		s.dropFD(d)
	}
	s.free.putTable(f)
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

// ownPage returns page i of the table for writing, creating it if need be.
func (s *State) ownPage(f *FDTable, i int) *fdPage {
	for len(f.pages) <= i {
		f.pages = append(f.pages, nil)
	}
	g := f.pages[i]
	if g == nil {
		g = s.free.page()
		g.refs = 1
		f.pages[i] = g
		return g
	}
	if g.refs == 1 {
		return g
	}
	own := s.free.page()
	own.refs, own.n = 1, g.n
	for j, d := range &g.slot {
		if d != nil {
			d.refs++
			own.slot[j] = d
		}
	}
	g.refs--
	f.pages[i] = own
	return own
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
	if fd >= denseFDs {
		if f.high == nil {
			f.high = make(map[int64]*FD)
		}
		f.high[fd] = d
	} else {
		g := s.ownPage(f, int(fd/pageSize))
		g.slot[fd%pageSize] = d
		if old == nil {
			g.n++
		}
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
	if fd >= denseFDs {
		delete(f.high, fd)
	} else {
		i := int(fd / pageSize)
		g := s.ownPage(f, i)
		g.slot[fd%pageSize] = nil
		g.n--
		if g.n == 0 && len(f.pages) > 1 {
			s.dropPage(g)
			f.pages[i] = nil
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
	var g *fdPage
	if fd < denseFDs {
		g = s.ownPage(f, int(fd/pageSize))
	}
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
	if g != nil {
		g.slot[fd%pageSize] = c
	} else {
		f.high[fd] = c
	}
	return c
}

// eraseIf closes every descriptor for which drop returns true.
func (s *State) eraseIf(f *FDTable, drop func(fd int64, d *FD) bool) {
	for i := range f.pages {
		g := f.pages[i]
		if g == nil {
			continue
		}
		for j := range pageSize {
			if d := f.pages[i].slot[j]; d != nil && drop(int64(i*pageSize+j), d) {
				s.eraseFD(f, int64(i*pageSize+j))
				if f.pages[i] == nil {
					break
				}
			}
		}
	}
	for fd, d := range f.high {
		if drop(fd, d) {
			s.eraseFD(f, fd)
		}
	}
}
