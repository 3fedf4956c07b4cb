package procfs

import (
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// readIn reads at most limit bytes of a regular file below root, which may be the root directory of a process that wants to harm us. Symbolic
// links in it, absolute ones included, lead to places below root, so that a container cannot make us read the host's files (openat2(2),
// RESOLVE_IN_ROOT; Linux 5.6). What is no regular file is not opened at all: to open a device does things, such as to start a watchdog, and a
// container that may not use a device may still make its node.
func readIn(root, path string, limit int64) (string, error) {
	dir, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", &os.PathError{Op: "open", Path: root, Err: err}
	}
	defer unix.Close(dir)
	fail := func(op string, err error) (string, error) {
		return "", &os.PathError{Op: op, Path: root + "/" + path, Err: err}
	}
	place, err := unix.Openat2(dir, path, &unix.OpenHow{
		Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS,
	})
	if err != nil {
		return fail("open", err)
	}
	defer unix.Close(place)
	var st unix.Stat_t
	if err := unix.Fstat(place, &st); err != nil {
		return fail("stat", err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return fail("open, as it is no regular file,", unix.EINVAL)
	}
	file, err := os.Open("/proc/self/fd/" + strconv.Itoa(place)) // the very file that was looked at
	if err != nil {
		return fail("open", err)
	}
	defer file.Close()
	var text strings.Builder
	if _, err := io.Copy(&text, io.LimitReader(file, limit)); err != nil {
		return fail("read", err)
	}
	return text.String(), nil
}
