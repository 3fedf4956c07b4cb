package state

import (
	"strings"

	"github.com/saker-sec/saker/internal/event"
)

// pools are the free lists. They keep at most maxFree entries each and no large buffers; the rest is the garbage
// collector's.
type pools struct {
	threads []*Thread
	groups  []*group
	fds     []*FD
	pages   []*fdPage
	dirs    []*fdDir
	tables  []*FDTable
	images  []*Image
	fs      []*fsContext
	buffers [][]byte
}

const (
	maxFree      = 4096
	maxFreeBytes = 512  // name buffers above that are not kept
	maxFreeImage = 8192 // string buffers of images above that are not kept
)

func (p *pools) thread() *Thread {
	if n := len(p.threads); n > 0 {
		t := p.threads[n-1]
		p.threads = p.threads[:n-1]
		return t
	}
	return &Thread{}
}

func (p *pools) putThread(t *Thread) {
	*t = Thread{}
	if len(p.threads) < maxFree {
		p.threads = append(p.threads, t)
	}
}

func (p *pools) group() *group {
	if n := len(p.groups); n > 0 {
		g := p.groups[n-1]
		p.groups = p.groups[:n-1]
		return g
	}
	return &group{}
}

func (p *pools) putGroup(g *group) {
	*g = group{}
	if len(p.groups) < maxFree {
		p.groups = append(p.groups, g)
	}
}

func (p *pools) fd() *FD {
	if n := len(p.fds); n > 0 {
		f := p.fds[n-1]
		p.fds = p.fds[:n-1]
		return f
	}
	return &FD{}
}

func (p *pools) putFD(f *FD) {
	buf := f.buf[:0]
	if cap(buf) > maxFreeBytes {
		buf = nil
	}
	*f = FD{buf: buf}
	if len(p.fds) < 4*maxFree {
		p.fds = append(p.fds, f)
	}
}

func (p *pools) page() *fdPage {
	if n := len(p.pages); n > 0 {
		g := p.pages[n-1]
		p.pages = p.pages[:n-1]
		return g
	}
	return &fdPage{}
}

// putPage takes a page whose slots are all nil.
func (p *pools) putPage(g *fdPage) {
	g.n, g.refs, g.closes, g.types = 0, 0, false, 0
	if len(p.pages) < maxFree {
		p.pages = append(p.pages, g)
	}
}

func (p *pools) dir() *fdDir {
	if n := len(p.dirs); n > 0 {
		d := p.dirs[n-1]
		p.dirs = p.dirs[:n-1]
		return d
	}
	return &fdDir{}
}

// putDir takes a directory whose pages are all nil.
func (p *pools) putDir(d *fdDir) {
	d.n, d.refs = 0, 0
	if len(p.dirs) < maxFree {
		p.dirs = append(p.dirs, d)
	}
}

func (p *pools) table() *FDTable {
	if n := len(p.tables); n > 0 {
		t := p.tables[n-1]
		p.tables = p.tables[:n-1]
		return t
	}
	return &FDTable{}
}

func (p *pools) putTable(t *FDTable) {
	dirs := t.dirs[:0]
	if cap(dirs) > 16 {
		dirs = nil
	}
	*t = FDTable{dirs: dirs}
	if len(p.tables) < maxFree {
		p.tables = append(p.tables, t)
	}
}

func (p *pools) image() *Image {
	if n := len(p.images); n > 0 {
		i := p.images[n-1]
		p.images = p.images[:n-1]
		return i
	}
	return &Image{}
}

func (p *pools) putImage(i *Image) {
	buf, args, env := i.buf[:0], i.Args[:0], i.Env[:0]
	if cap(buf) > maxFreeImage {
		buf = nil
	}
	if cap(args) > 256 {
		args = nil
	}
	if cap(env) > 256 {
		env = nil
	}
	*i = Image{buf: buf, Args: args, Env: env}
	if len(p.images) < maxFree {
		p.images = append(p.images, i)
	}
}

func (p *pools) context() *fsContext {
	if n := len(p.fs); n > 0 {
		f := p.fs[n-1]
		p.fs = p.fs[:n-1]
		return f
	}
	return &fsContext{}
}

func (p *pools) putContext(f *fsContext) {
	*f = fsContext{}
	if len(p.fs) < maxFree {
		p.fs = append(p.fs, f)
	}
}

// buffer returns an empty buffer for a copy of an enter event.
func (p *pools) buffer() []byte {
	if n := len(p.buffers); n > 0 {
		b := p.buffers[n-1]
		p.buffers = p.buffers[:n-1]
		return b
	}
	return make([]byte, 0, 256)
}

func (p *pools) putBuffer(b []byte) {
	if cap(b) <= 8192 && len(p.buffers) < 64 {
		p.buffers = append(p.buffers, b[:0])
	}
}

// interner turns names that come again and again into strings without allocating: a cache in which names with the same
// hash replace each other. Its strings are ordinary ones and stay valid.
type interner struct{ slots [8192]string }

// maxInterned bounds the length of what an interner keeps.
const maxInterned = 512

func (in *interner) bytes(b []byte) string { return in.text(event.View(b)) }

func (in *interner) text(s string) string {
	if s == "" {
		return ""
	}
	if len(s) > maxInterned {
		return strings.Clone(s)
	}
	h := uint32(2166136261)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint32(s[i])) * 16777619
	}
	slot := &in.slots[(h^h>>16)%uint32(len(in.slots))]
	if *slot != s {
		*slot = strings.Clone(s)
	}
	return *slot
}
