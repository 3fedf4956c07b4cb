package procfs

import (
	"bytes"
	"os"
	"slices"
	"strconv"

	"github.com/saker-sec/saker/internal/event"
	"golang.org/x/sys/unix"
)

// The bounds of the descriptors that are read of one process; names of further ones stay unknown. maxFDs is for the scan of all processes. maxThreadFDs, as
// many as Falco keeps, is for a single one: events wait while it is read, and a process with very many must not be able to stop them.
const (
	maxFDs       = 1 << 17
	maxThreadFDs = 4096
)

// descriptors fills the open descriptors of the process whose directory is dir, in order.
func (s *scan) descriptors(dir string, p *event.Process) {
	d, err := os.Open(dir + "fd")
	if err != nil {
		return
	}
	defer d.Close()
	path := make([]byte, 0, 64)
	for len(p.FDs) < s.maxFDs {
		names, err := d.Readdirnames(1024)
		for _, name := range names {
			n, ok := parseUint([]byte(name), 10)
			if !ok || n > 1<<31 || len(p.FDs) == s.maxFDs {
				continue
			}
			path = append(append(append(path[:0], dir...), "fd/"...), name...)
			if fd, ok := s.descriptor(dir, string(path), int64(n)); ok {
				p.FDs = append(p.FDs, fd)
			}
		}
		if err != nil || len(names) == 0 {
			break
		}
	}
	slices.SortFunc(p.FDs, func(a, b event.Descriptor) int { return int(a.FD - b.FD) })
}

// descriptor reads one descriptor. The link alone tells sockets, pipes and anonymous kinds apart, so that only what has a
// path costs more.
func (s *scan) descriptor(dir, path string, n int64) (event.Descriptor, bool) {
	link := s.readlink(path)
	if link == nil {
		return event.Descriptor{}, false
	}
	if ino, ok := bracketed(link, "socket:["); ok {
		d, ok := s.socketsOf(dir)[ino]
		if !ok {
			// A family without a table, such as AF_PACKET.
			d = event.Descriptor{Type: event.FDUnsupported, Name: string(link)}
		}
		d.FD, d.Ino = n, ino
		return d, true
	}
	if ino, ok := bracketed(link, "pipe:["); ok {
		return event.Descriptor{FD: n, Type: event.FDFifo, Ino: ino, Name: string(link)}, true
	}
	d := event.Descriptor{FD: n}
	if kind, ok := bytes.CutPrefix(link, []byte("anon_inode:")); ok {
		d.Type = anonymous(kind)
	} else {
		d.Name = string(link)
	}
	fi, ok := inMemory(path)
	if !ok {
		return d, d.Type != event.FDUnknown
	}
	d.Ino = fi.Ino
	if d.Type != event.FDUnknown {
		return d, true
	}
	switch fi.Mode & unix.S_IFMT {
	case unix.S_IFIFO:
		d.Type = event.FDFifo
	case unix.S_IFDIR:
		d.Type = event.FDDirectory
	case unix.S_IFREG, unix.S_IFBLK, unix.S_IFCHR, unix.S_IFLNK:
		d.Type = event.FDFileV2
		if bytes.HasPrefix(link, []byte("/memfd:")) {
			d.Type = event.FDMemfd
		}
	default:
		d.Type, d.Name = event.FDUnsupported, ""
		return d, true
	}
	s.opened(dir, &d, uint32(unix.Mkdev(fi.Dev_major, fi.Dev_minor)))
	return d, true
}

// opened fills how a file was opened, from fdinfo. The device is that of the mount, as the kernel reports it with events;
// stat's differs from it on btrfs and overlay file systems.
func (s *scan) opened(dir string, d *event.Descriptor, dev uint32) {
	d.Dev = dev
	var mountID uint64
	for line := range bytes.Lines(s.read(dir+"fdinfo/"+strconv.FormatInt(d.FD, 10), 512)) {
		name, rest, _ := bytes.Cut(line, []byte{':'})
		switch string(name) {
		case "flags":
			if n, ok := parseUint(field(rest, 0), 8); ok {
				d.OpenFlags = openFlags(n)
			}
		case "mnt_id":
			if n, ok := parseUint(field(rest, 0), 10); ok {
				mountID = n
			}
		}
	}
	if mountID == 0 {
		return
	}
	d.MountID = uint32(mountID)
	if m, ok := s.mount(dir, mountID); ok {
		d.Dev = m.dev
	}
}

// openFlags converts the kernel's O_ flags into Falco's PPM_O_ (falco-param-flags.tsv, file_flags).
func openFlags(o uint64) uint32 {
	var out uint32
	switch o & unix.O_ACCMODE {
	case unix.O_RDONLY:
		out = 1 << 0
	case unix.O_WRONLY:
		out = 1 << 1
	case unix.O_RDWR:
		out = 1<<0 | 1<<1
	}
	for _, f := range [...]struct {
		kernel uint64
		ours   uint32
	}{
		{unix.O_CREAT, 1 << 2},
		{unix.O_APPEND, 1 << 3},
		{unix.O_DSYNC, 1 << 4},
		{unix.O_EXCL, 1 << 5},
		{unix.O_NONBLOCK, 1 << 6},
		{unix.O_SYNC, 1 << 7},
		{unix.O_TRUNC, 1 << 8},
		{unix.O_DIRECT, 1 << 9},
		{unix.O_DIRECTORY, 1 << 10},
		{largeFile, 1 << 11},
		{unix.O_CLOEXEC, 1 << 12},
		{unix.O_TMPFILE, 1 << 13},
	} {
		if o&f.kernel == f.kernel {
			out |= f.ours
		}
	}
	return out
}

// anonymous returns the type of what the kernel keeps without a file, by the name it gives it.
func anonymous(kind []byte) event.FDType {
	switch string(kind) {
	case "[eventfd]":
		return event.FDEvent
	case "[eventpoll]":
		return event.FDEventpoll
	case "inotify":
		return event.FDInotify
	case "[signalfd]":
		return event.FDSignal
	case "[timerfd]":
		return event.FDTimer
	case "[io_uring]":
		return event.FDIOUring
	case "[userfaultfd]":
		return event.FDUserfault
	case "[pidfd]":
		return event.FDPidfd
	case "bpf-map", "bpf-prog", "bpf-link", "bpf_link", "bpf_iter":
		return event.FDBPF
	}
	return event.FDUnsupported
}

// bracketed returns the number in "prefix[number]".
func bracketed(link []byte, prefix string) (uint64, bool) {
	rest, ok := bytes.CutPrefix(link, []byte(prefix))
	if !ok {
		return 0, false
	}
	return parseUint(bytes.TrimSuffix(rest, []byte{']'}), 10)
}
