package driver

import (
	"encoding/binary"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/event"
	"golang.org/x/sys/unix"
)

// TestIA32 runs a 32-bit program and looks for the events of its calls, in order.
func TestIA32(t *testing.T) {
	program := t.TempDir() + "/ia32"
	if out, err := exec.Command("gcc", "-m32", "-static", "-nostdlib", "-fno-stack-protector", "-fno-pie", "-no-pie", "-O1", "-o", program,
		"testdata/ia32.c").CombinedOutput(); err != nil {
		t.Skipf("needs a C compiler for 32-bit programs (gcc-multilib): %v\n%s", err, out)
	}
	want := ia32Calls()
	var names []string
	for _, w := range want {
		names = append(names, w.name)
	}
	d := open(t, Config{Syscalls: scs(t, append(names, "sched_process_exit")...), SnapLen: 4096})
	cmd := exec.Command(program)
	if err := cmd.Run(); errors.Is(err, unix.ENOEXEC) {
		t.Skipf("needs a kernel that runs 32-bit programs: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	next, others := 0, ""
	until(t, d, func(e *event.Event) bool {
		if e.TID != int64(cmd.Process.Pid) {
			return false
		}
		if err := wellFormed(e); err != nil {
			t.Error(err)
		}
		if next < len(want) && e.Code == eventOf(t, want[next].name) {
			if wrong := compare(e, want[next].params); wrong == "" {
				next, others = next+1, ""
			} else {
				others += wrong + "\n"
			}
		}
		return e.Code == event.ProcexitV1E
	})
	if next < len(want) {
		t.Errorf("no event of %s (case %d) as wanted; others:\n%s", want[next].name, next, strings.TrimSpace(others))
	}
}

// wanted is an event that must come.
type wanted struct {
	name   string
	params []any
}

func ia32Calls() []wanted {
	const path, bad, none = "/nonexistent/32", unix.EBADF, unix.ENOENT
	time8 := func(n uint64) []byte { return binary.LittleEndian.AppendUint64([]byte{4}, n) }
	addr := cat([]byte{2}, end4{loopback4, 1}.event())
	pair := unixTuple(true, true, "")
	list := append([]byte{1, 0}, append(binary.LittleEndian.AppendUint64(nil, uint64(1<<64-7)), 0, 0)...)
	return []wanted{
		{"open", []any{none, path, 2 | 4 | 0x800, 0o640, 0, 0}},
		{"creat", []any{none, path, 0o600, 0, 0, 0}},
		{"openat", []any{none, -100, path, 3, 0, 0, 0}},
		{"close", []any{bad, -3}},
		{"unlink", []any{none, path}},
		{"chown", []any{none, path, -1, 7}},
		{"fchown", []any{bad, -3, 8, -1}},
		{"stat64", []any{none, path}},
		{"lstat64", []any{none, path}},
		{"fstat64", []any{bad}},
		{"lseek", []any{bad, -3, -5, 1}},
		{"_llseek", []any{bad, -3, 1<<32 | 2, 2}},
		{"fcntl", []any{bad, -3, 4, 0}},
		{"fcntl64", []any{bad, -3, 0x1a, 9}},
		{"mount", []any{none, path, path, path, 1}},
		{"umount", []any{none, path}},
		{"umount2", []any{none, path, 2}},
		{"sendfile", []any{bad, 6, -3, -4, 9}},
		{"sendfile64", []any{bad, 1 << 33, -3, -4, 9}},
		{"mmap", []any{any_{}, any_{}, any_{}, 0, 0, 8192, 1, 2 | 8, -1, 0}},
		{"mmap2", []any{bad, any_{}, any_{}, 0, 0, 4096, 2, 1, -3, 7}},
		{"write", []any{bad, []byte("hello32"), -3, 7}},
		{"pread64", []any{bad, nil, -3, 5, 6 | 7<<32}},
		{"writev", []any{bad, []byte("abcde"), -3, 5}},
		{"pwritev", []any{bad, []byte("abcde"), -3, 5, 8 | 9<<32}},
		{"process_vm_readv", []any{3, any_{}, []byte("abc")}},
		{"nanosleep", []any{0, 777}},
		{"ppoll", []any{0, list, any_{}, 0}},
		{"socket", []any{any_{}, 2, 1 | 0o4000, 0, 0x40}},
		{"bind", []any{bad, addr, -3}},
		{"connect", []any{bad, nil, -3, addr}},
		{"listen", []any{bad, -3, 9}},
		{"accept", []any{bad, nil, 0, 0, 0}},
		{"socketpair", []any{0, any_{}, any_{}, any_{}, any_{}, 1, 1, 0}},
		{"send", []any{4, []byte("send"), any_{}, 4, pair}},
		{"recv", []any{4, []byte("send"), any_{}, 77, pair}},
		{"sendto", []any{6, []byte("sendto"), any_{}, 6, pair}},
		{"recvfrom", []any{6, []byte("sendto"), pair, any_{}, 78}},
		{"shutdown", []any{unix.EINVAL, any_{}, 0xff}},
		{"setsockopt", []any{0, any_{}, 1, 20, time8(2_000_003_000), 8}},
		{"getsockopt", []any{0, any_{}, 1, 3, []byte{2, 1, 0, 0, 0}, 4}},
		{"sendmsg", []any{5, []byte("msg32"), any_{}, 5, pair}},
		{"recvmsg", []any{5, 5, []byte("msg32"), pair, []byte{}, any_{}}},
		{"sendmmsg", []any{5, any_{}, 5, []byte("msg32"), pair}},
		{"sendmmsg", []any{5, any_{}, 5, []byte("msg32"), pair}},
		{"recvmmsg", []any{10, any_{}, 10, []byte("msg32msg32"), pair, []byte{}}},
		{"accept4", []any{bad, nil, 0, 0, 0, 0x1000}},
		{"socket", []any{any_{}, 1, 2, 0, 0}},
		{"connect", []any{bad, nil, -3, addr}},
		{"sendto", []any{6, []byte("direct"), any_{}, 6, pair}},
		{"setrlimit", []any{0, 0, -1, 4}},
		{"ugetrlimit", []any{0, 0, -1, 4}},
		{"prlimit64", []any{unix.ESRCH, 5, 1 << 40, -1, -1, -3, 7}},
		{"setresuid", []any{0, -1, 3, 4}},
		{"getresuid", []any{0, 0, 3, 4}},
		{"getresuid32", []any{0, 0, 3, 4}},
		{"setuid", []any{unix.EINVAL, -1}},
		{"setuid32", []any{any_{}, 70000}},
		{"geteuid", []any{any_{}}},
	}
}
