package procfs

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// initialPidNamespace is the inode of the pid namespace that the kernel's numbers are of (include/linux/proc_ns.h).
const initialPidNamespace = 0xEFFFFFFC

// Self returns the number that the kernel has for this process. ok is false when the FS shows another pid namespace than the
// initial one, as in a container that has neither the host's pid namespace nor its /proc: the numbers of processes in it
// are not those of events then, and what is looked up by them would be another process's.
func (f *FS) Self() (pid int64, ok bool) {
	var st unix.Stat_t
	ours := unix.Stat(f.proc+"/self/ns/pid", &st) == nil && st.Ino == initialPidNamespace
	if !ours {
		// The kernel's own threads are in the initial namespace only; the first of them is always number 2 (init/main.c, rest_init).
		if comm, err := os.ReadFile(f.proc + "/2/comm"); err != nil || string(comm) != "kthreadd\n" {
			return 0, false
		}
	}
	text, err := os.Readlink(f.proc + "/self")
	if err != nil {
		return 0, false
	}
	pid, err = strconv.ParseInt(text, 10, 64)
	return pid, err == nil
}
