package driver

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/saker-sec/saker/internal/event"
	"golang.org/x/sys/unix"
)

// call is one system call that is really made, and what its event must hold.
type call struct {
	name string                // the system call, by its name in the schema
	note string                // what is special about the case
	run  func(m *memory) int64 // makes the call on a thread of its own, with sys
	want func(ret int64) []any // the parameters: see matches
}

// any_ stands for a parameter whose value is not known; its width is checked all the same.
type any_ struct{}

// fails is the result of a run that could not set up what it needs; the case is skipped with the reason.
const fails = -1 << 62

// memory holds what system calls point to.
type memory struct {
	pin    runtime.Pinner
	reason string
	close  []int
}

func (m *memory) str(s string) uintptr { return m.bytes(append([]byte(s), 0)) }

func (m *memory) bytes(b []byte) uintptr {
	p := unsafe.SliceData(b)
	m.pin.Pin(p)
	return uintptr(unsafe.Pointer(p))
}

// words stores numbers of 64 bits and returns their address.
func (m *memory) words(w ...uint64) uintptr {
	b := make([]byte, 0, 8*len(w))
	for _, v := range w {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return m.bytes(b)
}

// fd keeps a descriptor to be closed after the case.
func (m *memory) fd(fd int, err error) int {
	if err == nil {
		m.close = append(m.close, fd)
	}
	return fd
}

func (m *memory) skip(format string, args ...any) int64 {
	m.reason = fmt.Sprintf(format, args...)
	return fails
}

// sys makes a system call and returns its result as the kernel gives it: negative for an error.
func sys(nr uintptr, args ...uintptr) int64 {
	var a [6]uintptr
	copy(a[:], args)
	r, _, e := unix.Syscall6(nr, a[0], a[1], a[2], a[3], a[4], a[5])
	if e != 0 {
		return -int64(e)
	}
	return int64(r)
}

// u is a negative argument as the register holds it.
func u(n int64) uintptr { return uintptr(n) }

// runCalls makes every call and compares its event. Each runs on a thread of its own, which ends with it, so that a call may
// change its credentials, directory or namespaces.
func runCalls(t *testing.T, calls []call) {
	names := []string{"_llseek", "lseek"}
	for _, c := range calls {
		names = append(names, c.name)
	}
	d := open(t, Config{Syscalls: scs(t, names...), SnapLen: 4096})
	for i, c := range calls {
		t.Run(strings.TrimSpace(c.name+" "+c.note), func(t *testing.T) {
			m := &memory{}
			defer m.pin.Unpin()
			done := make(chan [2]int64)
			go func() {
				runtime.LockOSThread()
				unix.Unshare(unix.CLONE_FS) // threads share their directory otherwise
				ret := c.run(m)
				sys(unix.SYS_LSEEK, u(-77), uintptr(i)) // marks the end
				done <- [2]int64{ret, int64(unix.Gettid())}
			}()
			r := <-done
			for _, fd := range m.close {
				unix.Close(fd)
			}
			if r[0] == fails {
				t.Skip(m.reason)
			}
			checkCall(t, d, c, i, r[0], r[1])
		})
	}
}

// checkCall reads up to the mark of case i; one of the call's events must be as wanted.
func checkCall(t *testing.T, d *Driver, c call, i int, ret, tid int64) {
	t.Helper()
	code := eventOf(t, c.name)
	var got []string
	found := false
	until(t, d, func(e *event.Event) bool {
		if err := wellFormed(e); err != nil {
			t.Error(err)
		}
		if e.TID != tid {
			return false
		}
		if fd, _ := e.Int(1); e.Code == event.SyscallLseekX && fd == -77 {
			off, _ := e.Uint(2)
			return off == uint64(i)
		}
		if e.Code == code && !found {
			wrong := compare(e, c.want(ret))
			found = wrong == ""
			got = append(got, wrong)
		}
		return false
	})
	if !found {
		t.Errorf("no event as wanted (result %d); %d others:\n%s", ret, len(got), strings.Join(got, "\n"))
	}
}

// eventOf returns the event of a system call that the driver sends: the current one of that name where the schema gives an old one.
func eventOf(t testing.TB, name string) event.Code {
	t.Helper()
	code := event.Syscalls()[scs(t, name)[0]].Event
	for i := range event.Types() {
		typ := &event.Types()[i]
		if event.Types()[code].Status != event.StatusCurrent && typ.Status == event.StatusCurrent && typ.Name == name && !typ.Enter {
			return typ.Code
		}
	}
	return code
}

// width returns the bytes of a type whose width is constant, 0 for others.
func width(p event.ParamType) int {
	switch p {
	case event.TypeInt8, event.TypeUint8, event.TypeFlags8, event.TypeEnumflags8, event.TypeSigtype, event.TypeL4proto, event.TypeSockfamily:
		return 1
	case event.TypeInt16, event.TypeUint16, event.TypeFlags16, event.TypeEnumflags16, event.TypePort, event.TypeSyscallid:
		return 2
	case event.TypeInt32, event.TypeUint32, event.TypeFlags32, event.TypeEnumflags32, event.TypeUid, event.TypeGid, event.TypeMode,
		event.TypeBool, event.TypeSigset, event.TypeFd32, event.TypePid32:
		return 4
	case event.TypeInt64, event.TypeUint64, event.TypeErrno, event.TypeFd, event.TypePid, event.TypeReltime, event.TypeAbstime:
		return 8
	}
	return 0
}

// wellFormed checks what holds for every event: the number of parameters and their widths.
func wellFormed(e *event.Event) error {
	typ := e.Type()
	if e.NumParams() != len(typ.Params) {
		return fmt.Errorf("%s has %d parameters, want %d", typ.PPME, e.NumParams(), len(typ.Params))
	}
	for i := range typ.Params {
		p := &typ.Params[i]
		b := e.Param(i)
		if w := width(p.Type); w != 0 && len(b) != w && len(b) != 0 {
			return fmt.Errorf("%s: %s has %d bytes, want %d", typ.PPME, p.Name, len(b), w)
		}
		switch p.Type {
		case event.TypeCharbuf, event.TypeFspath, event.TypeFsrelpath:
			if len(b) > 0 && bytes.IndexByte(b, 0) != len(b)-1 {
				return fmt.Errorf("%s: %s is %q, want one NUL at its end", typ.PPME, p.Name, b)
			}
		}
	}
	return nil
}

// compare returns how e differs from want, "" when it does not.
func compare(e *event.Event, want []any) string {
	var out []string
	if e.NumParams() != len(want) {
		return fmt.Sprintf("%d parameters, want %d", e.NumParams(), len(want))
	}
	for i, w := range want {
		if !matches(e, i, w) {
			b := e.Param(i)
			if len(b) > 100 {
				b = b[:100]
			}
			out = append(out, fmt.Sprintf("  %s is %d bytes %q, want %v", e.Type().Params[i].Name, len(e.Param(i)), b, w))
		}
	}
	return strings.Join(out, "\n")
}

// matches compares a parameter: nil is empty, a string has a NUL, bytes are as they are, a number has the width of the
// parameter's type, a function decides itself.
func matches(e *event.Event, i int, want any) bool {
	b := e.Param(i)
	number := func(n int64) bool {
		switch len(b) {
		case 1:
			return b[0] == byte(n)
		case 2:
			return binary.LittleEndian.Uint16(b) == uint16(n)
		case 4:
			return binary.LittleEndian.Uint32(b) == uint32(n)
		case 8:
			return binary.LittleEndian.Uint64(b) == uint64(n)
		}
		return false
	}
	switch w := want.(type) {
	case nil:
		return len(b) == 0
	case any_:
		return width(e.Type().Params[i].Type) == len(b)
	case string:
		return string(b) == w+"\x00"
	case []byte:
		return bytes.Equal(b, w)
	case int64:
		return number(w)
	case int:
		return number(int64(w))
	case uint64:
		return number(int64(w))
	case uint32:
		return number(int64(w))
	case unix.Errno:
		return number(-int64(w))
	case func([]byte) bool:
		return w(b)
	}
	panic(fmt.Sprintf("parameter %d: no comparison for %T", i, want))
}

// just returns parameters that do not depend on the result.
func just(params ...any) func(int64) []any { return func(int64) []any { return params } }

// result returns parameters after the result itself.
func result(params ...any) func(int64) []any {
	return func(ret int64) []any { return append([]any{ret}, params...) }
}

// failing checks that a call fails with errno and then that the parameters are right.
func failing(errno unix.Errno, params ...any) func(int64) []any {
	return just(append([]any{errno}, params...)...)
}

// longPath is a path of 4095 bytes, the longest the kernel takes; with another byte it is too long and cut by the driver.
func longPath() string { return strings.Repeat("/abcdefg", 511) + "/123456" }

// TestEveryProgramIsCalled compares the names of all cases with the programs there are.
func TestEveryProgramIsCalled(t *testing.T) {
	spec, err := loadPrograms()
	if err != nil {
		t.Fatal(err)
	}
	called := map[string]bool{
		"sys_generic": true,
		// Made by 32-bit programs alone; see TestIA32.
		"sys_send": true, "sys_recv": true, "sys_umount": true, "sys_mmap2": true, "sys_stat64": true, "sys_lstat64": true,
		"sys_fstat64": true, "sys__llseek": true,
		// Process events, see the tests of their own.
		"sys_execve": true, "sys_execveat": true, "sys_clone": true, "sys_clone3": true, "sys_fork": true, "sys_vfork": true,
		"sys_close": true, "sys_openat": true, "sys_lseek": true,
	}
	for _, family := range [][]call{
		fdCalls(), ioCalls(t), memoryCalls(), openCalls(t), pathCalls(t), procCalls(), socketCalls(t),
		messageCalls(t), systemCalls(),
	} {
		for _, c := range family {
			called["sys_"+c.name] = true
		}
	}
	for name := range spec.Programs {
		if strings.HasPrefix(name, "sys_") && !called[name] {
			t.Errorf("no case makes the call of the program %s", name)
		}
	}
}
