package procfs

import (
	"bytes"
	"slices"
	"strings"

	"github.com/saker-sec/saker/internal/event"
	"golang.org/x/sys/unix"
)

const (
	capDacOverride = 1 << 1 // capabilities(7)
	capFowner      = 1 << 3
)

// executable fills what is known of the file that a process runs. It is reached through the exe link, which leads to the
// file itself whatever has become of its path.
func (s *scan) executable(dir string, p *event.Process, st status) {
	p.ExeFromMemfd = strings.HasPrefix(p.ExePath, "/memfd:")
	fi, ok := inMemory(dir + "exe")
	if !ok {
		return
	}
	p.ExeIno = fi.Ino
	p.ExeCtime = nanoseconds(fi.Ctime)
	p.ExeMtime = nanoseconds(fi.Mtime)
	p.ExeWritable = writable(&fi, st) || st.capEff&(capDacOverride|capFowner) != 0 &&
		mapped(s.read(dir+"uid_map", maxFile), fi.Uid) && mapped(s.read(dir+"gid_map", maxFile), fi.Gid)
	if m, ok := s.mount(dir, fi.Mnt_id); ok && m.overlay && fi.Mask&unix.STATX_MNT_ID != 0 {
		p.ExeUpperLayer, p.ExeLowerLayer = s.layer(m, p.ExePath)
	}
}

// inMemory is statx(2) with what the kernel has in memory: a file system whose server is gone would make us wait for ever, and with us, all
// events.
func inMemory(path string) (unix.Statx_t, bool) {
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_STATX_DONT_SYNC, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, &st)
	return st, err == nil
}

// nanoseconds returns a time in ns since the epoch.
func nanoseconds(t unix.StatxTimestamp) uint64 { return uint64(t.Sec*nsPerSecond + int64(t.Nsec)) }

// writable says whether a process could write the file by its owner and mode. The owner always can, since it may change
// the mode.
func writable(fi *unix.Statx_t, st status) bool {
	switch {
	case fi.Uid == st.uid:
		return true
	case fi.Gid == st.gid || slices.Contains(st.groups, fi.Gid):
		return fi.Mode&unix.S_IWGRP != 0
	}
	return fi.Mode&unix.S_IWOTH != 0
}

// mapped says whether an id exists in a user namespace, from its uid_map or gid_map (user_namespaces(7)): capabilities
// count for files whose owner and group both do.
func mapped(idMap []byte, id uint32) bool {
	for line := range bytes.Lines(idMap) {
		first, n := uint64(number(line, 1)), uint64(number(line, 2))
		if uint64(id) >= first && uint64(id)-first < n {
			return true
		}
	}
	return false
}

// layer says in which layer of an overlay file system a path lies. Both are false when the upper directory is not visible
// from here.
func (s *scan) layer(m mount, path string) (upper, lower bool) {
	if m.upper == "" {
		return false, true // Mounted read-only, from lower directories alone.
	}
	base := s.f.proc + "/1/root" + m.upper
	var fi unix.Stat_t
	if unix.Lstat(base, &fi) != nil {
		return false, false
	}
	rest := strings.TrimPrefix(path, strings.TrimSuffix(m.point, "/"))
	if unix.Lstat(base+strings.TrimSuffix(m.root, "/")+rest, &fi) != nil || fi.Mode&unix.S_IFMT != unix.S_IFREG {
		return false, true
	}
	return true, false
}

// mount is a line of mountinfo, see proc_pid_mountinfo(5).
type mount struct {
	dev         uint32 // as the kernel encodes it for user space: minor bits 0-7 and 20-31, major bits 8-19
	root, point string
	overlay     bool
	upper       string // upperdir of an overlay
}

// mount returns a mount by its number. Numbers are the machine's; one that is not known yet is looked up in the mounts that
// the process sees.
func (s *scan) mount(dir string, id uint64) (mount, bool) {
	if m, ok := s.mounts[id]; ok {
		return m, m.point != ""
	}
	for line := range bytes.Lines(s.read(dir+"mountinfo", maxFile)) {
		if n, m, ok := parseMount(line); ok {
			s.mounts[n] = m
		}
	}
	m, ok := s.mounts[id]
	if !ok {
		s.mounts[id] = mount{} // One that nobody sees, as those of pipes and memory files.
	}
	return m, ok
}

func parseMount(line []byte) (uint64, mount, bool) {
	id, ok := parseUint(field(line, 0), 10)
	if !ok {
		return 0, mount{}, false
	}
	major, minor, _ := bytes.Cut(field(line, 2), []byte{':'})
	ma, ok1 := parseUint(major, 10)
	mi, ok2 := parseUint(minor, 10)
	point := unescape(field(line, 4))
	if !ok1 || !ok2 || point == "" {
		return 0, mount{}, false
	}
	m := mount{
		dev:   uint32(mi&0xff | ma<<8 | (mi&^0xff)<<12),
		root:  unescape(field(line, 3)),
		point: point,
	}
	if _, super, ok := bytes.Cut(line, []byte(" - overlay ")); ok {
		m.overlay = true
		for option := range bytes.SplitSeq(field(super, 1), []byte{','}) {
			if dir, ok := bytes.CutPrefix(option, []byte("upperdir=")); ok {
				m.upper = unescape(dir)
			}
		}
	}
	return id, m, true
}

// unescape undoes the octal escapes of blanks and backslashes in mountinfo.
func unescape(b []byte) string {
	if bytes.IndexByte(b, '\\') < 0 {
		return string(b)
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+3 < len(b) {
			if n, ok := parseUint(b[i+1:i+4], 8); ok && n < 256 {
				out = append(out, byte(n))
				i += 3
				continue
			}
		}
		out = append(out, b[i])
	}
	return string(out)
}
