package driver

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestPathCalls(t *testing.T) { runCalls(t, pathCalls(t)) }

// tree makes a directory with a file and a directory in it.
func tree(t testing.TB) string {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func pathCalls(t testing.TB) []call {
	const none = "/nonexistent/x"
	cases := []call{
		{"unlink", "", func(m *memory) int64 { return sys(unix.SYS_UNLINK, m.str(none)) }, failing(unix.ENOENT, none)},
		{
			"unlink", "of a long path", func(m *memory) int64 { return sys(unix.SYS_UNLINK, m.str(longPath())) },
			failing(unix.ENOENT, longPath()),
		},
		{
			"unlink", "of a path that is too long", func(m *memory) int64 { return sys(unix.SYS_UNLINK, m.str(longPath()+"xyz")) },
			failing(unix.ENAMETOOLONG, longPath()),
		},
		{"unlink", "of no path", func(m *memory) int64 { return sys(unix.SYS_UNLINK, 8) }, failing(unix.EFAULT, nil)},
		{"rmdir", "", func(m *memory) int64 { return sys(unix.SYS_RMDIR, m.str(none)) }, failing(unix.ENOENT, none)},
		{"chdir", "", func(m *memory) int64 { return sys(unix.SYS_CHDIR, m.str("/usr")) }, just(0, "/usr")},
		{"chdir", "to nowhere", func(m *memory) int64 { return sys(unix.SYS_CHDIR, m.str("")) }, failing(unix.ENOENT, "")},
		{"chroot", "", func(m *memory) int64 { return sys(unix.SYS_CHROOT, m.str(none)) }, failing(unix.ENOENT, none)},
		{"stat", "", func(m *memory) int64 { return sys(unix.SYS_STAT, m.str("/"), m.bytes(make([]byte, 256))) }, just(0, "/")},
		{"lstat", "", func(m *memory) int64 { return sys(unix.SYS_LSTAT, m.str(none), 0) }, failing(unix.ENOENT, none)},
		{"access", "", func(m *memory) int64 { return sys(unix.SYS_ACCESS, m.str("/"), unix.R_OK|unix.X_OK) }, just(0, "/", 5)},
		{"access", "of nothing", func(m *memory) int64 { return sys(unix.SYS_ACCESS, m.str(none), unix.F_OK) }, failing(unix.ENOENT, none, 0)},
		{"getcwd", "", func(m *memory) int64 {
			sys(unix.SYS_CHDIR, m.str("/usr"))
			return sys(unix.SYS_GETCWD, m.bytes(make([]byte, 100)), 100)
		}, just(5, "/usr")},
		{
			"getcwd", "without room", func(m *memory) int64 { return sys(unix.SYS_GETCWD, m.bytes(make([]byte, 100)), 1) },
			failing(unix.ERANGE, nil),
		},
		{"mkdir", "", func(m *memory) int64 { return sys(unix.SYS_MKDIR, m.str(none), 0o1755) }, failing(unix.ENOENT, none, 0o1755)},
		{
			"mknod", "", func(m *memory) int64 {
				return sys(unix.SYS_MKNOD, m.str(none), unix.S_IFBLK|0o600, uintptr(unix.Mkdev(8, 300)))
			},
			failing(unix.ENOENT, none, unix.S_IFBLK|0o600, unix.Mkdev(8, 300)),
		},
		{"chmod", "", func(m *memory) int64 { return sys(unix.SYS_CHMOD, m.str(none), 0o4755) }, failing(unix.ENOENT, none, 0o4755)},
		{
			"chown", "", func(m *memory) int64 { return sys(unix.SYS_CHOWN, m.str(none), 1000, u(-1)) },
			failing(unix.ENOENT, none, 1000, -1),
		},
		{
			"lchown", "", func(m *memory) int64 { return sys(unix.SYS_LCHOWN, m.str(none), 70000, 3) },
			failing(unix.ENOENT, none, 70000, 3),
		},
	}
	return append(cases, atCalls(t)...)
}

// atCalls take directories or two paths.
func atCalls(t testing.TB) []call {
	const none, other = "nonexistent/x", "other"
	at, dir := u(unix.AT_FDCWD), tree(t)
	return []call{
		{
			"unlinkat", "", func(m *memory) int64 { return sys(unix.SYS_UNLINKAT, at, m.str(none), unix.AT_REMOVEDIR) },
			failing(unix.ENOENT, -100, none, 0x200),
		},
		{"unlinkat", "below a directory", func(m *memory) int64 {
			return sys(unix.SYS_UNLINKAT, uintptr(m.fd(unix.Open(dir, unix.O_PATH, 0))), m.str("file"), 0)
		}, just(0, any_{}, "file", 0)},
		{
			"mkdirat", "", func(m *memory) int64 { return sys(unix.SYS_MKDIRAT, u(-5), m.str(none), 0o700) },
			failing(unix.EBADF, -5, none, 0o700),
		},
		{
			"mknodat", "", func(m *memory) int64 { return sys(unix.SYS_MKNODAT, at, m.str(none), unix.S_IFIFO|0o600, 0) },
			failing(unix.ENOENT, -100, none, unix.S_IFIFO|0o600, 0),
		},
		{
			"fchmodat", "", func(m *memory) int64 { return sys(unix.SYS_FCHMODAT, at, m.str(none), 0o2711) },
			failing(unix.ENOENT, -100, none, 0o2711),
		},
		{
			"fchownat", "", func(m *memory) int64 { return sys(unix.SYS_FCHOWNAT, at, m.str(none), 7, 8, unix.AT_SYMLINK_NOFOLLOW) },
			failing(unix.ENOENT, -100, none, 7, 8, 0x400),
		},
		{
			"fchownat", "of a descriptor", func(m *memory) int64 { return sys(unix.SYS_FCHOWNAT, u(-5), m.str(""), 7, 8, unix.AT_EMPTY_PATH) },
			failing(unix.EBADF, -5, "", 7, 8, 0x1000),
		},
		{
			"newfstatat", "", func(m *memory) int64 { return sys(unix.SYS_NEWFSTATAT, at, m.str(none), 0, unix.AT_SYMLINK_NOFOLLOW) },
			failing(unix.ENOENT, -100, none, 0x100),
		},
		{"link", "", func(m *memory) int64 { return sys(unix.SYS_LINK, m.str(none), m.str(other)) }, failing(unix.ENOENT, none, other)},
		{
			"link", "of long paths", func(m *memory) int64 { return sys(unix.SYS_LINK, m.str(longPath()), m.str(longPath())) },
			failing(unix.ENOENT, longPath(), longPath()),
		},
		{"rename", "", func(m *memory) int64 { return sys(unix.SYS_RENAME, m.str(none), m.str(other)) }, failing(unix.ENOENT, none, other)},
		{"symlink", "", func(m *memory) int64 { return sys(unix.SYS_SYMLINK, m.str("to"), m.str(none)) }, failing(unix.ENOENT, "to", none)},
		{
			"symlinkat", "", func(m *memory) int64 { return sys(unix.SYS_SYMLINKAT, m.str("to"), at, m.str(none)) },
			failing(unix.ENOENT, "to", -100, none),
		},
		{
			"renameat", "", func(m *memory) int64 { return sys(unix.SYS_RENAMEAT, at, m.str(none), u(-7), m.str(other)) },
			failing(unix.ENOENT, -100, none, -7, other),
		},
		{"renameat2", "", func(m *memory) int64 {
			return sys(unix.SYS_RENAMEAT2, at, m.str(dir+"/dir"), at, m.str(dir+"/new"), unix.RENAME_NOREPLACE)
		}, just(0, -100, dir+"/dir", -100, dir+"/new", 1)},
		{
			"linkat", "", func(m *memory) int64 {
				return sys(unix.SYS_LINKAT, at, m.str(none), at, m.str(other), unix.AT_SYMLINK_FOLLOW)
			},
			failing(unix.ENOENT, -100, none, -100, other, 0x400),
		},
	}
}

// suffix accepts strings that end so.
func suffix(s string) func([]byte) bool {
	return func(b []byte) bool { return strings.HasSuffix(string(b), s+"\x00") }
}
