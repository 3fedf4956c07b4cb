package state

import "strings"

// AtFDCWD is the directory descriptor that stands for the working directory (PPM_AT_FDCWD).
const AtFDCWD = -100

// unknownDir is what stands in a resolved path for a directory that nothing is known of.
const unknownDir = "<UNKNOWN>"

// ResolvePath appends the lexical absolute path of name to scratch[:0]: relative to the directory dirfd (AtFDCWD for
// the working directory), with ".", ".." and double slashes removed. Symbolic links are not followed. A directory that
// is not known becomes "<UNKNOWN>". Nothing is allocated where scratch is large enough.
func (s *State) ResolvePath(t *Thread, dirfd int64, name string, scratch []byte) []byte {
	return AppendPath(scratch[:0], s.dirOf(t, dirfd, name), name)
}

// dirOf returns the directory that name is relative to, ending in "/" if it is known.
func (s *State) dirOf(t *Thread, dirfd int64, name string) string {
	if name != "" && name[0] == '/' {
		return ""
	}
	if t == nil {
		return unknownDir
	}
	if dirfd == AtFDCWD {
		return t.Cwd()
	}
	d := t.FDs().Get(dirfd)
	if d == nil && s.fdProc != nil {
		d = s.fetchFD(t, dirfd)
	}
	if d == nil {
		return unknownDir
	}
	return d.Name
}

// fetchFD asks the kernel for a descriptor that no event told of, and keeps it.
func (s *State) fetchFD(t *Thread, fd int64) *FD {
	if t.Invalid() || fd < 0 {
		return nil
	}
	s.stats.ProcLookups++
	p, err := s.fdProc.Descriptor(t.PID, fd)
	if err != nil {
		s.stats.ProcLookupsFailed++
		return nil
	}
	p.FD = fd
	s.enrollFD(t, &p)
	return t.FDs().Get(fd)
}

// AppendPath appends name, taken relative to the directory base, to dst: ".", ".." and double slashes of name are
// resolved lexically, those of base are kept as they are. An absolute name replaces base; an empty name gives an empty
// path. A slash joins the two where base does not end in one and is known. The result is cut at MaxPath bytes.
func AppendPath(dst []byte, base, name string) []byte {
	if name == "" {
		return dst
	}
	start := len(dst)
	if name[0] != '/' {
		if len(base) > MaxPath {
			base = base[:MaxPath]
		}
		dst = append(dst, base...)
		if base != "" && base != unknownDir && base[len(base)-1] != '/' {
			dst = append(dst, '/')
		}
	}
	empty := len(dst) == start
	for name != "" {
		part, rest := name, ""
		slash := false
		if i := strings.IndexByte(name, '/'); i >= 0 {
			part, rest, slash = name[:i], name[i+1:], true
		}
		switch part {
		case "", ".":
			if part == "." {
				slash = false
			}
		case "..":
			dst = dst[:start+parentLen(dst[start:])]
			slash = false
		default:
			dst = append(dst, part...)
		}
		if n := len(dst); slash && !(n > start && dst[n-1] == '/') && !(n == start && !empty) {
			dst = append(dst, '/')
		}
		name = rest
	}
	if n := len(dst); n > start+1 && dst[n-1] == '/' {
		dst = dst[:n-1]
	}
	if len(dst)-start > MaxPath {
		dst = dst[:start+MaxPath]
	}
	return dst
}

// parentLen returns the length of p, which ends in "/" or is empty, without its last component.
func parentLen(p []byte) int {
	if len(p) <= 1 {
		return len(p)
	}
	n := len(p) - 1
	for n > 0 && p[n-1] != '/' {
		n--
	}
	return n
}
