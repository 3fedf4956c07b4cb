package driver

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/saker-sec/saker/internal/event"
)

// processCalls are the calls whose events this file tests.
func processCalls(t testing.TB) []event.SC {
	names := []string{"execve", "execveat", "clone", "clone3", "sched_process_exit"}
	if runtime.GOARCH == "amd64" {
		names = append(names, "fork", "vfork")
	}
	return scs(t, names...)
}

// params returns the parameters of an event by name: numbers in decimal, strings as they are without the last NUL, "empty" for
// a parameter without a value.
func params(e *event.Event) map[string]string {
	m := map[string]string{}
	for i, p := range e.Type().Params {
		switch raw := e.Param(i); {
		case len(raw) == 0:
			m[p.Name] = "empty"
		case p.Type == event.TypeCharbuf || p.Type == event.TypeFspath || p.Type == event.TypeBytebuf:
			m[p.Name] = strings.TrimSuffix(string(raw), "\x00")
		case p.Type == event.TypeUint64 || p.Type == event.TypeUint32 || p.Type == event.TypeUid || p.Type == event.TypeGid ||
			p.Type == event.TypeFlags32 || p.Type == event.TypeAbstime || p.Type == event.TypeUint8 || p.Type == event.TypeSigtype:
			v, _ := e.Uint(i)
			m[p.Name] = strconv.FormatUint(v, 10)
		default:
			v, _ := e.Int(i)
			m[p.Name] = strconv.FormatInt(v, 10)
		}
	}
	return m
}

// expect compares parameters with what they should be.
func expect(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for name, w := range want {
		if g, ok := got[name]; !ok || g != w {
			t.Errorf("%s: %s is %q, want %q", what, name, g, w)
		}
	}
}

// status returns a field of /proc/<pid>/status.
func status(t *testing.T, pid int, field string) []string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			return strings.Fields(rest)
		}
	}
	t.Fatalf("no %s in /proc/%d/status", field, pid)
	return nil
}

// stat returns the fields of /proc/<pid>/stat after the name: stat(...)[0] is field 3, the state.
func stat(t *testing.T, pid int) []string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	s := string(b)
	return strings.Fields(s[strings.LastIndexByte(s, ')')+1:])
}

// hex turns a hexadecimal number into a decimal one.
func hex(t *testing.T, s string) string {
	v, err := strconv.ParseUint(s, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatUint(v, 10)
}

// cgroups returns the cgroups parameter that /proc/<pid>/cgroup asks for.
func cgroups(t *testing.T, pid int) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		t.Fatal(err)
	}
	byController := map[string]string{}
	unified := ""
	for line := range strings.Lines(string(b)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		for c := range strings.SplitSeq(f[1], ",") {
			byController[c] = f[2]
		}
		if f[1] == "" {
			unified = f[2]
		}
	}
	byController["io"] = byController["blkio"]
	var out []string
	for _, c := range []string{"cpuset", "cpu", "cpuacct", "io", "memory"} {
		p := byController[c]
		if p == "" {
			p = unified
		}
		out = append(out, c+"="+p)
	}
	return strings.Join(out, "\x00")
}

// execWant returns what the exec event of a living process should hold, from /proc.
func execWant(t *testing.T, pid int, exe string) map[string]string {
	st := stat(t, pid)
	var fi unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d/exe", pid), &fi); err != nil {
		t.Fatal(err)
	}
	loginuid, err := os.ReadFile(fmt.Sprintf("/proc/%d/loginuid", pid))
	if err != nil {
		loginuid = []byte("4294967295")
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		t.Fatal(err)
	}
	envText := strings.TrimSuffix(string(env), "\x00")
	if envText == "" {
		envText = "empty"
	}
	tty, _ := strconv.Atoi(st[4])
	id := strconv.Itoa(pid)
	return map[string]string{
		"tid": id, "pid": id, "cwd": "empty", "fdlimit": fileLimit(t, pid),
		"comm": strings.Join(status(t, pid, "Name"), " "), "cgroups": cgroups(t, pid), "env": envText,
		"tty": strconv.Itoa(tty), "vpgid": status(t, pid, "NSpgid")[0], "pgid": st[2], "loginuid": strings.TrimSpace(string(loginuid)),
		"cap_inheritable": hex(t, status(t, pid, "CapInh")[0]), "cap_permitted": hex(t, status(t, pid, "CapPrm")[0]),
		"cap_effective": hex(t, status(t, pid, "CapEff")[0]), "exe_ino": strconv.FormatUint(fi.Ino, 10),
		"exe_ino_ctime": strconv.FormatInt(fi.Ctim.Nano(), 10), "exe_ino_mtime": strconv.FormatInt(fi.Mtim.Nano(), 10),
		"uid": status(t, pid, "Uid")[1], "gid": status(t, pid, "Gid")[1], "trusted_exepath": exe,
	}
}

// fileLimit returns the soft limit of open files from /proc/<pid>/limits.
func fileLimit(t *testing.T, pid int) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			return strings.Fields(rest)[0]
		}
	}
	t.Fatalf("no limit of open files in /proc/%d/limits", pid)
	return ""
}

// expectThreadOf checks that the event's ptid is a thread of the process pid: the one that made the child.
func expectThreadOf(t *testing.T, got map[string]string, pid int) {
	t.Helper()
	if _, err := os.Stat(fmt.Sprintf("/proc/%d/task/%s", pid, got["ptid"])); err != nil {
		t.Errorf("ptid %s is no thread of %d: %v", got["ptid"], pid, err)
	}
}

// start starts a command that lives until the test ends.
func start(t *testing.T, attr *syscall.SysProcAttr, env []string, path string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := &exec.Cmd{Path: path, Args: args, Env: env, SysProcAttr: attr}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}

func TestExec(t *testing.T) {
	d := open(t, Config{Syscalls: processCalls(t)})
	sleep, err := filepath.EvalSymlinks("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("a", 5000)
	env := []string{"A=1", "B=two words"}
	writable := filepath.Join(t.TempDir(), "its own")
	os.Chmod(filepath.Dir(filepath.Dir(writable)), 0o755)
	os.Chmod(filepath.Dir(writable), 0o755)
	copyFile(t, sleep, writable)
	os.Chown(writable, 65534, 65534)
	memfd, err := unix.MemfdCreate("hidden", 0)
	if err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(sleep)
	unix.Write(memfd, b)
	fdPath := fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), memfd)
	nobody := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65533, Groups: []uint32{7, 100000}}}

	for _, c := range []struct {
		name      string
		attr      *syscall.SysProcAttr
		path      string
		args      []string
		exe       string
		want      map[string]string
		truncated bool
	}{
		{
			name: "root", path: "/bin/sleep", args: []string{"naptime", "60"}, exe: sleep,
			want: map[string]string{"res": "0", "exe": "naptime", "args": "60", "flags": "1", "filename": "/bin/sleep"},
		},
		{
			name: "nobody", attr: nobody, path: "/bin/sleep", args: []string{"sleep", "60"}, exe: sleep,
			want: map[string]string{"flags": "0", "args": "60"},
		},
		{
			name: "nobody and a file of his", attr: nobody, path: writable, args: []string{"sleep", "60"}, exe: writable,
			want: map[string]string{"flags": "1", "filename": writable},
		},
		{
			name: "memfd", path: fdPath, args: []string{"x", "60"}, exe: "memfd:hidden",
			want: map[string]string{"flags": "5", "filename": fdPath},
		},
		{name: "new session", attr: &syscall.SysProcAttr{Setsid: true}, path: "/bin/sleep", args: []string{"sleep", "60"}, exe: sleep},
		{
			name: "long arguments", path: "/bin/sleep", args: []string{"sleep", "60", long}, exe: sleep,
			truncated: true, want: map[string]string{"args": "60\x00" + long[:4096-4]},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := start(t, c.attr, env, c.path, c.args...)
			until(t, d, func(e *event.Event) bool {
				if e.Code != event.SyscallExecveV19X || e.TID != int64(cmd.Process.Pid) {
					return false
				}
				got := params(e)
				if c.name != "long arguments" { // sleep refuses them and is gone
					want := execWant(t, cmd.Process.Pid, c.exe)
					expect(t, "exec", got, want)
					expectThreadOf(t, got, os.Getpid())
				}
				if f, ok := c.want["flags"]; ok {
					flags, _ := strconv.Atoi(f)
					c.want["flags"] = strconv.Itoa(flags | layerFlag(c.path, writable))
				}
				expect(t, "exec", got, c.want)
				if d.Truncated() != c.truncated {
					t.Errorf("truncated is %v, want %v", d.Truncated(), c.truncated)
				}
				if e.NumParams() != len(e.Type().Params) {
					t.Errorf("%d parameters, want %d", e.NumParams(), len(e.Type().Params))
				}
				return true
			})
		})
	}
}

// layerFlag returns the flag of an exec event for the layer of an overlay file system that the file is in: files that the test made lie in
// the upper one. It is 0 elsewhere.
func layerFlag(path string, made ...string) int {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil || fs.Type != unix.OVERLAYFS_SUPER_MAGIC {
		return 0
	}
	if slices.Contains(made, path) {
		return 2
	}
	return 8
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, b, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestExecFails(t *testing.T) {
	d := open(t, Config{Syscalls: processCalls(t)})
	path, _ := unix.BytePtrFromString("/no such file")
	argv, _ := syscall.SlicePtrFromStrings([]string{"zero", "one", "", "three"})
	envp, _ := syscall.SlicePtrFromStrings([]string{"A=1", "B=2"})
	null := []*byte{nil}
	for _, c := range []struct {
		name string
		call func() syscall.Errno
		code event.Code
		want map[string]string
	}{
		{"execve", func() syscall.Errno {
			_, _, err := syscall.RawSyscall(unix.SYS_EXECVE, ptr(path), ptr(argv[0:]), ptr(envp[0:]))
			return err
		}, event.SyscallExecveV19X, map[string]string{"res": "-2", "exe": "zero", "args": "one\x00\x00three", "env": "A=1\x00B=2", "filename": "/no such file"}},
		{"execve without arguments", func() syscall.Errno {
			_, _, err := syscall.RawSyscall(unix.SYS_EXECVE, ptr(path), 0, 0)
			return err
		}, event.SyscallExecveV19X, map[string]string{"res": "-2", "exe": "", "args": "empty", "env": "empty"}},
		{"execve of nothing", func() syscall.Errno {
			_, _, err := syscall.RawSyscall(unix.SYS_EXECVE, 1, ptr(null), ptr(null))
			return err
		}, event.SyscallExecveV19X, map[string]string{"res": "-14", "exe": "empty", "args": "empty", "env": "empty", "filename": "empty"}},
		{"execveat", func() syscall.Errno {
			_, _, err := syscall.RawSyscall6(unix.SYS_EXECVEAT, ^uintptr(99), ptr(path), ptr(argv[0:]), ptr(envp[0:]), 0, 0)
			return err
		}, event.SyscallExecveatX, map[string]string{"res": "-2", "exe": "zero", "args": "one\x00\x00three", "env": "A=1\x00B=2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			if c.call() == 0 {
				t.Fatal("the call succeeded")
			}
			until(t, d, func(e *event.Event) bool {
				if e.Code != c.code || e.TID != int64(unix.Gettid()) {
					return false
				}
				exe, _ := os.Readlink("/proc/self/exe")
				want := execWant(t, os.Getpid(), exe)
				for _, name := range []string{"env", "tid", "comm"} { // the image's environment, and the thread's own id and name
					delete(want, name)
				}
				expect(t, c.name, params(e), want)
				expect(t, c.name, params(e), c.want)
				return true
			})
		})
	}
}

// ptr is the address of a byte or a list of pointers, for a system call.
func ptr[T *byte | []*byte](p T) uintptr {
	switch p := any(p).(type) {
	case *byte:
		return uintptr(unsafe.Pointer(p))
	case []*byte:
		return uintptr(unsafe.Pointer(&p[0]))
	}
	return 0
}

// spawn makes a child by a raw system call; the child ends at once with status 7.
//
//go:norace
func spawn(nr, a, b uintptr) (int, syscall.Errno) {
	syscall.ForkLock.Lock()
	defer syscall.ForkLock.Unlock()
	pid, _, err := syscall.RawSyscall6(nr, a, b, 0, 0, 0, 0)
	if err == 0 && pid == 0 {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, 7, 0, 0)
	}
	return int(pid), err
}

func TestClone(t *testing.T) {
	d := open(t, Config{Syscalls: processCalls(t)})
	args := struct{ flags, pidfd, childTID, parentTID, exitSignal, stack, stackSize, tls uint64 }{
		flags: unix.CLONE_NEWPID | unix.CLONE_FS, exitSignal: uint64(unix.SIGCHLD),
	}
	type kind struct {
		name     string
		nr, a, b uintptr
		code     event.Code
		flags    string
		vpid     string
	}
	kinds := []kind{
		{"clone", unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, event.SyscallCloneV20X, "0", ""},
		{"clone3 into a pid namespace", unix.SYS_CLONE3, uintptr(unsafe.Pointer(&args)), unsafe.Sizeof(args), event.SyscallClone3X, "66", "1"},
		{"clone that fails", unix.SYS_CLONE, unix.CLONE_THREAD, 0, event.SyscallCloneV20X, "8192", ""},
	}
	if runtime.GOARCH == "amd64" {
		kinds = append(kinds, kind{"fork", 57, 0, 0, event.SyscallForkV20X, "0", ""})
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			me := unix.Gettid()
			pid, errno := spawn(k.nr, k.a, k.b)
			if errno == 0 {
				defer unix.Wait4(pid, nil, 0, nil)
			}
			exe, err := os.ReadFile("/proc/self/cmdline")
			if err != nil {
				t.Fatal(err)
			}
			exeText, argsText, _ := strings.Cut(strings.TrimSuffix(string(exe), "\x00"), "\x00")
			comm, _ := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/comm", me))
			var lim unix.Rlimit
			unix.Getrlimit(unix.RLIMIT_NOFILE, &lim)
			want := map[string]string{
				"exe": exeText, "args": argsText, "cwd": "empty", "cgroups": cgroups(t, os.Getpid()),
				"comm": strings.TrimSpace(string(comm)), "uid": "0", "gid": "0", "fdlimit": strconv.FormatUint(lim.Cur, 10),
			}
			if argsText == "" {
				want["args"] = "empty"
			}
			if errno != 0 {
				want["exe"], want["args"] = "empty", "empty"
			}
			parent, child := false, errno != 0
			until(t, d, func(e *event.Event) bool {
				if e.Code != k.code {
					return parent && child
				}
				got := params(e)
				if got["res"] == "-513" {
					return false // ERESTARTNOINTR: a signal came; the kernel makes the call again
				}
				switch e.TID {
				case int64(me):
					parent = true
					expect(t, "caller", got, want)
					res := strconv.Itoa(pid)
					if errno != 0 {
						res = strconv.Itoa(-int(errno))
					}
					id, leader := strconv.Itoa(me), strconv.Itoa(os.Getpid())
					expect(t, "caller", got, map[string]string{
						"res": res, "tid": id, "pid": leader, "vtid": id, "vpid": leader,
						"flags": k.flags, "pidns_init_start_ts": "0",
					})
					expectThreadOf(t, got, os.Getppid())
					for _, name := range []string{"vm_size", "vm_rss", "pgft_min"} {
						if errno == 0 && got[name] == "0" {
							t.Errorf("caller: %s is 0", name)
						}
					}
				case int64(pid):
					child = true
					expect(t, "child", got, want)
					id := strconv.Itoa(pid)
					v := id
					flags, _ := strconv.Atoi(k.flags)
					if k.vpid != "" {
						v = k.vpid
						flags |= 0x20000000
					}
					expect(t, "child", got, map[string]string{
						"res": "0", "tid": id, "pid": id, "ptid": strconv.Itoa(me), "vtid": v, "vpid": v,
						"flags": strconv.Itoa(flags),
					})
					if got["pidns_init_start_ts"] == "0" {
						t.Error("child: pidns_init_start_ts is 0")
					}
				}
				return parent && child
			})
		})
	}
}

func TestVfork(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("arm64 has no vfork")
	}
	d := open(t, Config{Syscalls: processCalls(t)})
	cmd := exec.Command("/bin/sh", "-c", "/bin/true; exit 3")
	var ee *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &ee) {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	until(t, d, func(e *event.Event) bool {
		got := params(e)
		id := strconv.Itoa(cmd.Process.Pid)
		switch {
		case e.Code == event.SyscallVforkV20X && got["res"] == "0" && got["ptid"] == id:
			seen["child"] = true
			expect(t, "child", got, map[string]string{"exe": "/bin/sh", "args": "-c\x00/bin/true; exit 3", "comm": "sh"})
		case e.Code == event.SyscallVforkV20X && got["tid"] == id:
			seen["caller"] = true
		case e.Code == event.SyscallCloneV20X && got["ptid"] == id: // a shell that does not use vfork
			seen["child"], seen["caller"] = true, true
		case e.Code == event.ProcexitV1E && e.TID == int64(cmd.Process.Pid):
			expect(t, "end", got, map[string]string{"status": "768", "ret": "3", "sig": "0", "core": "0"})
			return true
		}
		return false
	})
	if !seen["child"] || !seen["caller"] {
		t.Errorf("seen: %v", seen)
	}
}

func TestProcexit(t *testing.T) {
	d := open(t, Config{Syscalls: processCalls(t)})
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	kill := exec.Command("/bin/sh", "-c", "kill -9 $$")
	if err := kill.Run(); err == nil {
		t.Fatal("the shell survived")
	}
	// A shell that leaves a child behind: the child goes to the nearest subreaper, this process.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	defer unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
	orphan := exec.Command("/bin/sh", "-c", "sleep 1 & exit 0")
	if err := orphan.Run(); err != nil {
		t.Fatal(err)
	}
	want := map[int64]map[string]string{
		int64(kill.Process.Pid):   {"status": "9", "ret": "0", "sig": "9", "core": "0", "reaper_tid": "0"},
		int64(orphan.Process.Pid): {"status": "0", "ret": "0", "sig": "0", "reaper_tid": strconv.Itoa(os.Getpid())},
	}
	until(t, d, func(e *event.Event) bool {
		if w := want[e.TID]; w != nil && e.Code == event.ProcexitV1E {
			expect(t, "end", params(e), w)
			delete(want, e.TID)
		}
		return len(want) == 0
	})
}
