package procfs

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"maps"
	"math"
	"os"
	"sync"
	"time"

	"github.com/saker-sec/saker/internal/event"
	"golang.org/x/sys/unix"
)

// Events wait while a single thread is looked up, and a machine with very many sockets, or one that starts very many processes that
// nothing is known of, must not be able to stop them. So only the first maxThreadTable bytes of each table are read then, those of
// listening sockets first (about 28 000 sockets of a protocol, 60 ms), and what was read serves further look-ups for keptFor or, if
// that is longer, for so long that reading takes keptShare of the time at most.
const (
	maxThreadTable = 4 << 20
	keptFor        = time.Second
	keptShare      = 20  // 1/20
	maxKept        = 256 // namespaces
)

// recentSockets are the sockets of namespaces that were read for a single thread lately.
type recentSockets struct {
	mu sync.Mutex
	of map[uint64]socketTable // by namespace
}

type socketTable struct {
	sockets map[uint64]event.Descriptor // by inode; never changed
	until   time.Time
}

func (r *recentSockets) get(ns uint64) map[uint64]event.Descriptor {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.of[ns]; time.Now().Before(t.until) {
		return t.sockets
	}
	return nil
}

// put keeps a table that was read since began, and drops those whose time is over.
func (r *recentSockets) put(ns uint64, table map[uint64]event.Descriptor, began time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(r.of, func(_ uint64, t socketTable) bool { return !now.Before(t.until) })
	if r.of == nil {
		r.of = map[uint64]socketTable{}
	}
	if len(r.of) < maxKept {
		r.of[ns] = socketTable{table, now.Add(max(keptFor, keptShare*now.Sub(began)))}
	}
}

// socketsOf returns the sockets of the network namespace of a process by inode, read once in a scan.
func (s *scan) socketsOf(dir string) map[uint64]event.Descriptor {
	if s.socketDir != dir {
		s.socketDir, s.socketTable = dir, s.namespaceSockets(dir)
	}
	return s.socketTable
}

func (s *scan) namespaceSockets(dir string) map[uint64]event.Descriptor {
	var fi unix.Stat_t
	ns := uint64(0)
	if unix.Stat(dir+"ns/net", &fi) == nil {
		ns = fi.Ino
	}
	if table, ok := s.sockets[ns]; ok {
		return table
	}
	if s.single {
		if table := s.f.recent.get(ns); table != nil {
			s.sockets[ns] = table
			return table
		}
	}
	limit := int64(math.MaxInt64)
	if s.single {
		limit = maxThreadTable
	}
	began := time.Now()
	table := map[uint64]event.Descriptor{}
	for _, t := range [...]struct {
		file  string
		parse func([]byte) (event.Descriptor, bool)
	}{
		{"tcp", func(l []byte) (event.Descriptor, bool) { return parseInet(l, event.L4TCP) }},
		{"tcp6", func(l []byte) (event.Descriptor, bool) { return parseInet(l, event.L4TCP) }},
		{"udp", func(l []byte) (event.Descriptor, bool) { return parseInet(l, event.L4UDP) }},
		{"udp6", func(l []byte) (event.Descriptor, bool) { return parseInet(l, event.L4UDP) }},
		{"udplite", func(l []byte) (event.Descriptor, bool) { return parseInet(l, event.L4UDP) }},
		{"udplite6", func(l []byte) (event.Descriptor, bool) { return parseInet(l, event.L4UDP) }},
		{"icmp", func(l []byte) (event.Descriptor, bool) { return parseInet(l, event.L4ICMP) }},
		{"icmp6", func(l []byte) (event.Descriptor, bool) { return parseInet(l, event.L4ICMP) }},
		{"raw", func(l []byte) (event.Descriptor, bool) { return parseInet(l, event.L4Raw) }},
		{"raw6", func(l []byte) (event.Descriptor, bool) { return parseInet(l, event.L4Raw) }},
		{"unix", parseUnix},
		{"netlink", parseNetlink},
	} {
		file, err := os.Open(dir + "net/" + t.file)
		if err != nil {
			continue // The kernel is built without the protocol.
		}
		readTable(table, &io.LimitedReader{R: file, N: limit}, t.parse)
		file.Close()
	}
	s.sockets[ns] = table
	if s.single && ns != 0 {
		s.f.recent.put(ns, table, began)
	}
	return table
}

// readTable adds the sockets of one file. A line end in the name of a unix socket makes the rest look like a line of its
// own, by which a process could give another's socket a false name; an inode that comes twice therefore loses its name.
func readTable(table map[uint64]event.Descriptor, file *io.LimitedReader, parse func([]byte) (event.Descriptor, bool)) {
	r := bufio.NewReaderSize(file, 32<<10)
	for {
		line, err := r.ReadSlice('\n')
		if err == io.EOF && file.N <= 0 {
			return // in the middle of a line
		}
		if d, ok := parse(line); ok && d.Ino != 0 {
			if old, ok := table[d.Ino]; ok && old.Name != d.Name {
				d.Name = ""
			}
			table[d.Ino] = d
		}
		if err != nil && err != bufio.ErrBufferFull {
			return
		}
	}
}

// parseInet reads a line of the tables of TCP, UDP, ICMP and raw sockets: number, local and remote address, state, queues,
// timer, retransmits, uid, timeout, inode. A socket without a remote address is a server; its address is the destination.
func parseInet(line []byte, l4 event.L4Proto) (event.Descriptor, bool) {
	local, lport, ok := parseAddr(field(line, 1))
	if !ok {
		return event.Descriptor{}, false
	}
	remote, rport, ok := parseAddr(field(line, 2))
	if !ok || len(remote) != len(local) {
		return event.Descriptor{}, false
	}
	ino, ok := parseUint(field(line, 9), 10)
	if !ok {
		return event.Descriptor{}, false
	}
	d := event.Descriptor{Type: event.FDIPv4, L4: l4, Ino: ino}
	if len(local) == 16 {
		d.Type = event.FDIPv6
	}
	if len(bytes.Trim(remote, "\x00")) == 0 {
		d.Type += event.FDIPv4Server - event.FDIPv4
		copy(d.DIP[:], local)
		d.DPort = lport
		return d, true
	}
	copy(d.SIP[:], local)
	copy(d.DIP[:], remote)
	d.SPort, d.DPort = lport, rport
	return d, true
}

// parseAddr reads "address:port" in hexadecimal. The address is printed as 32-bit words of this machine's byte order, each
// of which holds four bytes in network order. It returns 4 or 16 bytes.
func parseAddr(b []byte) ([]byte, uint16, bool) {
	host, port, ok := bytes.Cut(b, []byte{':'})
	if !ok || (len(host) != 8 && len(host) != 32) {
		return nil, 0, false
	}
	p, ok := parseUint(port, 16)
	if !ok || p > 1<<16-1 {
		return nil, 0, false
	}
	out := make([]byte, 0, 16)
	for ; len(host) > 0; host = host[8:] {
		word, ok := parseUint(host[:8], 16)
		if !ok {
			return nil, 0, false
		}
		out = binary.NativeEndian.AppendUint32(out, uint32(word))
	}
	return out, uint16(p), true
}

// parseUnix reads a line of the table of unix sockets: address, references, protocol, flags, type, state, inode and, if it
// is bound, the path.
func parseUnix(line []byte) (event.Descriptor, bool) {
	num, rest, ok := bytes.Cut(line, []byte{':'})
	if !ok {
		return event.Descriptor{}, false
	}
	source, ok := parseUint(num, 16)
	if !ok {
		return event.Descriptor{}, false
	}
	inode := field(rest, 5)
	ino, ok := parseUint(inode, 10)
	if !ok {
		return event.Descriptor{}, false
	}
	d := event.Descriptor{Type: event.FDUnix, Ino: ino, L4: event.L4NA, UnixSource: source}
	// The inode is printed right-aligned, then one blank and the path, which may hold blanks itself.
	after := rest[cap(rest)-cap(inode)+len(inode):]
	if path, ok := bytes.CutPrefix(bytes.TrimSuffix(after, []byte{'\n'}), []byte{' '}); ok {
		d.Name = string(path)
	}
	return d, true
}

// parseNetlink reads a line of the table of netlink sockets, whose tenth word is the inode.
func parseNetlink(line []byte) (event.Descriptor, bool) {
	ino, ok := parseUint(field(line, 9), 10)
	return event.Descriptor{Type: event.FDNetlink, Ino: ino, L4: event.L4NA}, ok
}
