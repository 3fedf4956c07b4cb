package state

import (
	"bytes"
	"slices"
	"strings"

	"github.com/saker-sec/saker/internal/event"
)

// Image is one program that a process runs: what one execve set up. It is immutable and shared by every thread that
// runs it, through clone and fork, until the next execve. Images link to the image that ran before them, so that
// lineage survives the exit of parents.
type Image struct {
	Exe     string   // argv[0]
	ExePath string   // path of the executable, from the kernel
	Args    []string // argv[1:]
	Env     []string

	ExeWritable, ExeUpperLayer, ExeLowerLayer, ExeFromMemfd bool
	ExeIno                                                  uint64
	ExeCtime, ExeMtime                                      uint64 // ns since the epoch

	// Parent is the image from which the process that executed this one was running; nil at the oldest known one.
	Parent *Image
	// Comm is the name the kernel gave at execve; a thread may have changed its own since.
	Comm string
	// PID is the process that executed the image.
	PID int64
	// ExecTime is when it was executed, ns since the epoch; 0 when it ran before the first event.
	ExecTime uint64

	refs  int32
	depth int32
	buf   []byte // all strings, one after the other
	exe   span
	args  span // NUL-separated, the last NUL missing
	env   span
}

// maxLineage is how many generations of images are kept above one. A process that executes itself again and again drops
// its latest ancestors from there on and keeps the oldest.
const maxLineage = 64

type span struct{ from, to int32 }

// newImage returns an image with one reference, its strings copied. args and env are NUL-separated lists.
func (s *State) newImage(comm, exe, exePath string, args, env []byte) *Image {
	img := s.free.image()
	img.refs = 1
	args, env = trimNUL(args), trimNUL(env)
	need := len(comm) + len(exe) + len(exePath) + len(args) + len(env)
	if cap(img.buf) < need {
		img.buf = make([]byte, 0, need+need/4)
	}
	s.imageBytes += cap(img.buf)
	b := img.buf[:0]
	add := func(p string) span {
		n := len(b)
		b = append(b, p...)
		return span{int32(n), int32(len(b))}
	}
	img.Comm = img.view(add(comm), b)
	img.exe = add(exe)
	img.Exe = img.view(img.exe, b)
	img.ExePath = img.view(add(exePath), b)
	img.args = add(event.View(args))
	img.env = add(event.View(env))
	img.buf = b
	img.Args = splitNUL(img.Args[:0], img.view(img.args, b))
	img.Env = splitNUL(img.Env[:0], img.view(img.env, b))
	return img
}

func (img *Image) view(s span, b []byte) string { return event.View(b[s.from:s.to]) }

// same says whether the image has this argv[0] and these arguments (NUL-separated).
func (img *Image) same(exe string, args []byte) bool {
	return img.Exe == exe && bytes.Equal(img.buf[img.args.from:img.args.to], trimNUL(args))
}

// sameAs says whether both are one program with one list of arguments.
func (img *Image) sameAs(o *Image) bool {
	return img.Exe == o.Exe && img.ExePath == o.ExePath && img.ExeIno == o.ExeIno && slices.Equal(img.Args, o.Args)
}

// copyExecutable takes over what is known of the executable file.
func (img *Image) copyExecutable(from *Image) {
	img.ExeWritable, img.ExeUpperLayer = from.ExeWritable, from.ExeUpperLayer
	img.ExeLowerLayer, img.ExeFromMemfd = from.ExeLowerLayer, from.ExeFromMemfd
	img.ExeIno, img.ExeCtime, img.ExeMtime = from.ExeIno, from.ExeCtime, from.ExeMtime
}

// linkParent makes p the image's parent, as long as there is memory for it.
func (s *State) linkParent(img, p *Image) {
	if p != nil && p.depth >= maxLineage {
		p = p.Parent
	}
	if p == nil || s.imageBytes > s.cfg.MaxImageBytes {
		return
	}
	p.refs++
	img.Parent, img.depth = p, p.depth+1
}

// setImage gives t the image, whose reference it takes over.
func (s *State) setImage(t *Thread, img *Image) {
	old := t.Image
	t.Image = img
	if old != nil {
		s.dropImage(old)
	}
}

func (s *State) dropImage(img *Image) {
	for img != nil {
		img.refs--
		if img.refs > 0 {
			return
		}
		parent := img.Parent
		s.imageBytes -= cap(img.buf)
		s.free.putImage(img)
		img = parent
	}
}

func trimNUL(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == 0 {
		return b[:n-1]
	}
	return b
}

// splitNUL appends the NUL-separated parts of text to list; an empty text has none.
func splitNUL(list []string, text string) []string {
	if text == "" {
		return list
	}
	for {
		i := strings.IndexByte(text, 0)
		if i < 0 {
			return append(list, text)
		}
		list = append(list, text[:i])
		text = text[i+1:]
	}
}
