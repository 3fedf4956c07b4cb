package driver

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOpenCalls(t *testing.T) { runCalls(t, openCalls(t)) }

// openCalls check the numbers of the file against what stat says of it.
func openCalls(t testing.TB) []call {
	dir := tree(t)
	var st unix.Stat_t
	unix.Stat(dir+"/file", &st)
	dev, ino := uint32(st.Dev), st.Ino
	const none = "/nonexistent/x"
	at := u(unix.AT_FDCWD)
	opened := func(m *memory, ret int64) int64 {
		if ret >= 0 {
			m.fd(int(ret), nil)
		}
		return ret
	}
	how := func(flags, mode, resolve uint64) []byte {
		b := binary.LittleEndian.AppendUint64(nil, flags)
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, mode), resolve)
	}
	cases := []call{
		{
			"open", "", func(m *memory) int64 {
				return opened(m, sys(unix.SYS_OPEN, m.str(dir+"/file"), unix.O_RDWR|unix.O_APPEND|unix.O_CLOEXEC, 0o777))
			},
			result(dir+"/file", 0x3|0x8|0x1000, 0, dev, ino),
		},
		{
			"open", "of nothing", func(m *memory) int64 {
				return sys(unix.SYS_OPEN, m.str(none), unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_TRUNC, 0o4640)
			},
			failing(unix.ENOENT, none, 0x2|0x4|0x20|0x100, 0o4640, 0, 0),
		},
		{
			"open", "of a long path", func(m *memory) int64 { return sys(unix.SYS_OPEN, m.str(longPath()), 0, 0) },
			failing(unix.ENOENT, longPath(), 1, 0, 0, 0),
		},
		{"open", "all flags", func(m *memory) int64 {
			return sys(unix.SYS_OPEN, m.str(none), unix.O_NONBLOCK|unix.O_SYNC|unix.O_DIRECT|unix.O_DIRECTORY|0o100000, 0)
		}, failing(unix.ENOENT, none, 1|0x40|0x80|0x10|0x200|0x400|0x800, 0, 0, 0)},
		{
			"open", "that creates", func(m *memory) int64 {
				return opened(m, sys(unix.SYS_OPEN, m.str(dir+"/made"), unix.O_RDONLY|unix.O_CREAT, 0o600))
			},
			result(dir+"/made", 1|0x4|0x4000, 0o600, dev, any_{}),
		},
		{
			"creat", "", func(m *memory) int64 { return opened(m, sys(unix.SYS_CREAT, m.str(dir+"/created"), 0o640)) },
			result(dir+"/created", 0o640, dev, any_{}, 0),
		},
		{"creat", "in vain", func(m *memory) int64 { return sys(unix.SYS_CREAT, m.str(none), 0o640) }, failing(unix.ENOENT, none, 0o640, 0, 0, 0)},
		{
			"openat", "", func(m *memory) int64 {
				return opened(m, sys(unix.SYS_OPENAT, at, m.str(dir+"/file"), unix.O_RDONLY, 0))
			},
			result(-100, dir+"/file", 1, 0, dev, ino),
		},
		{
			"openat", "O_TMPFILE", func(m *memory) int64 {
				return opened(m, sys(unix.SYS_OPENAT, at, m.str(dir), unix.O_RDWR|unix.O_TMPFILE, 0o600))
			},
			result(-100, dir, func(b []byte) bool { return binary.LittleEndian.Uint32(b)&^0x4000 == 3|0x400|0x2000 }, 0o600, dev, any_{}),
		},
		{"openat2", "", func(m *memory) int64 {
			return opened(m, sys(unix.SYS_OPENAT2, at, m.str(dir+"/file"), m.bytes(how(unix.O_WRONLY, 0, unix.RESOLVE_NO_SYMLINKS|unix.RESOLVE_NO_MAGICLINKS)), 24))
		}, result(-100, dir+"/file", 2, 0, 0x4|0x8, dev, ino)},
		{"openat2", "refused", func(m *memory) int64 {
			d := m.fd(unix.Open(dir+"/dir", unix.O_PATH, 0))
			return sys(unix.SYS_OPENAT2, uintptr(d), m.str("../file"), m.bytes(how(unix.O_CREAT|unix.O_RDWR, 0o600, unix.RESOLVE_BENEATH)), 24)
		}, failing(unix.EXDEV, any_{}, "../file", 3|4, 0o600, 1, 0, 0)},
		{
			"openat2", "without memory", func(m *memory) int64 { return sys(unix.SYS_OPENAT2, at, m.str(none), 8, 24) },
			failing(unix.EFAULT, -100, none, 1, 0, 0, 0, 0),
		},
		{"open_by_handle_at", "", func(m *memory) int64 {
			h, _, err := unix.NameToHandleAt(unix.AT_FDCWD, dir+"/file", 0)
			if err != nil {
				return m.skip("name_to_handle_at: %v", err)
			}
			raw := binary.LittleEndian.AppendUint32(nil, uint32(h.Size()))
			raw = append(binary.LittleEndian.AppendUint32(raw, uint32(h.Type())), h.Bytes()...)
			mount := m.fd(unix.Open(dir, unix.O_RDONLY, 0))
			return opened(m, sys(unix.SYS_OPEN_BY_HANDLE_AT, uintptr(mount), m.bytes(raw), unix.O_RDONLY))
		}, result(any_{}, 1, func(b []byte) bool { return strings.HasSuffix(string(b), "/file\x00") && b[0] == '/' }, dev, ino)},
		{
			"open_by_handle_at", "without a handle", func(m *memory) int64 { return sys(unix.SYS_OPEN_BY_HANDLE_AT, u(-100), 8, unix.O_RDWR) },
			failing(unix.EFAULT, -100, 3, nil, 0, 0),
		},
	}
	return append(cases, overlayCalls(t)...)
}

// overlayCalls open files of an overlay file system, mounted in a namespace of the calling thread.
func overlayCalls(t testing.TB) []call {
	mounted := func(m *memory, f func(dir string) int64) int64 {
		dir := tree(t)
		for _, d := range []string{"lower", "upper", "work", "merged", "fs"} {
			os.Mkdir(dir+"/"+d, 0o755)
		}
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return m.skip("unshare: %v", err)
		}
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
		if err := unix.Mount("none", dir+"/fs", "tmpfs", 0, ""); err != nil {
			return m.skip("mounting tmpfs: %v", err)
		}
		for _, d := range []string{"lower", "upper", "work"} {
			os.Mkdir(dir+"/fs/"+d, 0o755)
		}
		os.WriteFile(dir+"/fs/lower/old", nil, 0o644)
		options := "lowerdir=" + dir + "/fs/lower,upperdir=" + dir + "/fs/upper,workdir=" + dir + "/fs/work"
		if err := unix.Mount("none", dir+"/merged", "overlay", 0, options); err != nil {
			return m.skip("mounting an overlay: %v", err)
		}
		return f(dir + "/merged")
	}
	return []call{
		{"open", "in a lower layer", func(m *memory) int64 {
			return mounted(m, func(dir string) int64 { return sys(unix.SYS_OPEN, m.str(dir+"/old"), unix.O_RDONLY) })
		}, result(suffix("/old"), 1|0x10000, 0, any_{}, any_{})},
		{"open", "in the upper layer", func(m *memory) int64 {
			return mounted(m, func(dir string) int64 {
				return sys(unix.SYS_OPEN, m.str(dir+"/new"), unix.O_RDONLY|unix.O_CREAT, 0o600)
			})
		}, result(suffix("/new"), func(b []byte) bool { return binary.LittleEndian.Uint32(b)&^0x4000 == 1|4|0x8000 }, 0o600, any_{}, any_{})},
		{"creat", "in the upper layer", func(m *memory) int64 {
			return mounted(m, func(dir string) int64 { return sys(unix.SYS_CREAT, m.str(dir+"/old"), 0o600) })
		}, result(suffix("/old"), 0o600, any_{}, any_{}, 1)},
	}
}
