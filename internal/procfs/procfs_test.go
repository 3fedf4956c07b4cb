package procfs

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/event"
	"golang.org/x/sys/unix"
)

// fake is a root directory made of files, and of symbolic links where the content begins with "-> ".
type fake map[string]string

func (f fake) build(t *testing.T) *FS {
	t.Helper()
	root := t.TempDir()
	for path, content := range f {
		full := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			err = os.Symlink(strings.ReplaceAll(target, "$ROOT", root), full)
		} else {
			err = os.WriteFile(full, []byte(content), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return New(root)
}

// add puts one thread into the tree; of a main thread the entry in /proc and the one in task.
func (f fake) add(pid, tid int, files fake) {
	dir := "proc/" + strconv.Itoa(pid) + "/task/" + strconv.Itoa(tid) + "/"
	for name, content := range files {
		f[dir+name] = content
		if pid == tid {
			f["proc/"+strconv.Itoa(pid)+"/"+name] = content
		}
	}
}

func statusOf(pid, tid int, ns string) string {
	return "Name:\tx\nTgid:\t" + strconv.Itoa(pid) + "\nPid:\t" + strconv.Itoa(tid) + "\nPPid:\t1\n" +
		"Uid:\t1000\t1001\t1002\t1003\nGid:\t50\t51\t52\t53\nGroups:\t4 24 \n" + ns +
		"VmSize:\t   3060 kB\nVmRSS:\t   1764 kB\nVmSwap:\t      8 kB\n" +
		"CapInh:\t0000000000000001\nCapPrm:\t00000000a80425fb\nCapEff:\t0000000000000400\n"
}

const nestedNS = "NStgid:\t100\t7\nNSpid:\t100\t7\nNSpgid:\t90\t3\nNSsid:\t80\t1\n"

// statOf is a stat line whose numbers equal their positions, but for session, terminal and start.
func statOf(comm, state string, start int) string {
	return "100 (" + comm + ") " + state + " 4 90 80 34816 8 0 10 11 12 13 14 15 16 17 18 19 20 21 " +
		strconv.Itoa(start) + " 23 24\n"
}

func machine() fake {
	return fake{
		"proc/stat":                         "cpu  1 2\ncpu0 1\ncpu1 1\nintr 5\nbtime 1700000000\n",
		"proc/meminfo":                      "MemTotal:       16384 kB\nMemFree: 1 kB\n",
		"proc/sys/kernel/pid_max":           "4194304\n",
		"proc/sys/kernel/hostname":          "box\n",
		"proc/1/mounts":                     "sys /sys sysfs rw 0 0\ncg /cg cgroup2 rw 0 0\n",
		"proc/1/root/cg/cgroup.controllers": "cpuset cpu io memory pids\n",
		"proc/1/stat":                       statOf("init", "S", 100),
		"proc/1/status":                     "Kthread:\t1\nTgid:\t1\n",
		"etc/passwd":                        "root:x:0:0:root:/root:/bin/sh\nbroken:x\nweb:x:33:34:,,,:/var/www:/usr/sbin/nologin\n",
		"etc/group":                         "root:x:0:\nweb:x:34:a,b\n:x:3:\n",
		"bin/prog":                          "ELF",
		"proc/1/task/1/status":              "",
	}
}

func one(t *testing.T, fs *FS, tid int64) *event.Process {
	t.Helper()
	p, err := fs.Thread(tid)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestThreadMembers(t *testing.T) {
	f := machine()
	f.add(100, 100, fake{
		"status":    statusOf(100, 100, nestedNS),
		"stat":      statOf("a) S 1 2\n(b", "S", 250),
		"comm":      "a) S 1 2\n(b\n",
		"cmdline":   "prog\x00\x00-x y\x00",
		"environ":   "A=1\x00B=2\x00",
		"exe":       "-> $ROOT/bin/prog",
		"cwd":       "-> /work",
		"root":      "-> /jail",
		"loginuid":  "4294967295",
		"limits":    "Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 4096                 files     \n",
		"cgroup":    "3:cpu,cpuacct:/x:y\n1:name=systemd:/s\n0::/a/b\n",
		"uid_map":   "         0          0 4294967295\n",
		"gid_map":   "         0          0 4294967295\n",
		"mountinfo": "31 1 8:1 / / rw - ext4 /dev/sda1 rw\n",
	})
	p := one(t, f.build(t), 100)
	check := func(what string, got, want any) {
		if got != want {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	check("comm", p.Comm, "a) S 1 2\n(b")
	check("exe", p.Exe, "prog")
	check("args", strings.Join(p.Args, "|"), "|-x y")
	check("env", strings.Join(p.Env, "|"), "A=1|B=2")
	check("exepath", strings.HasSuffix(p.ExePath, "/bin/prog"), true)
	check("cwd", p.Cwd, "/work")
	check("root", p.Root, "/jail")
	check("ids", [8]int64{p.TID, p.PID, p.PTID, p.SID, p.PGID, p.VPGID, p.VTID, p.VPID}, [8]int64{100, 100, 1, 80, 90, 3, 7, 7})
	check("users", [4]uint32{p.UID, p.GID, p.LoginUID, p.TTY}, [4]uint32{1001, 51, 1<<32 - 1, 34816})
	check("vm", [3]uint32{p.VMSize, p.VMRSS, p.VMSwap}, [3]uint32{3060, 1764, 8})
	check("faults", [2]uint64{p.PFMinor, p.PFMajor}, [2]uint64{10, 12})
	check("caps", [3]uint64{p.CapInheritable, p.CapPermitted, p.CapEffective}, [3]uint64{1, 0xa80425fb, 0x400})
	check("clone time", p.CloneTime, uint64(1700000002_500000000))
	check("fd limit", p.FDLimit, int64(1024))
	check("exe inode and times", p.ExeIno != 0 && p.ExeMtime != 0 && p.ExeCtime != 0, true)
	check("exe writable", p.ExeWritable, false)
	check("cgroups", strings.Join(p.Cgroups, " "),
		"cpu=/x:y cpuacct=/x:y name=systemd=/s cpuset=/a/b cpu=/a/b blkio=/a/b memory=/a/b pids=/a/b")
}

func TestThreadVariants(t *testing.T) {
	base := func() fake {
		return fake{"status": statusOf(100, 100, ""), "stat": statOf("x", "S", 1), "comm": "x\n", "cmdline": "x\x00"}
	}
	with := func(more fake) fake {
		f := base()
		for k, v := range more {
			f[k] = v
		}
		return f
	}
	tests := []struct {
		name  string
		files fake
		gone  bool
		check func(*event.Process) bool
	}{
		{name: "nothing but a number", files: fake{"comm": "x"}, gone: true},
		{name: "empty status", files: with(fake{"status": ""}), gone: true},
		{name: "empty stat", files: with(fake{"stat": ""}), gone: true},
		{name: "kernel thread by status", files: with(fake{"status": statusOf(100, 100, "Kthread:\t1\n")}), gone: true},
		{name: "kernel thread by flags", files: with(fake{"stat": strings.Replace(statOf("x", "S", 1), " 8 0 ", " 8 2097152 ", 1)}), gone: true},
		{name: "neither command line nor executable", files: with(fake{"cmdline": ""}), gone: true},
		{name: "zombie", files: with(fake{"stat": statOf("x", "Z", 1)}), gone: true},
		{
			name: "executable alone", files: with(fake{"cmdline": "", "exe": "-> /gone (deleted)"}),
			check: func(p *event.Process) bool { return p.Exe == "" && p.ExePath == "/gone" && p.ExeIno == 0 },
		},
		{
			name: "memory file", files: with(fake{"exe": "-> /memfd:x (deleted)"}),
			check: func(p *event.Process) bool { return p.ExePath == "/memfd:x" && p.ExeFromMemfd },
		},
		{
			name: "old kernel without namespaces", files: base(),
			check: func(p *event.Process) bool { return p.VTID == 100 && p.VPID == 100 && p.PGID == 90 && p.VPGID == 90 },
		},
		{
			name: "no limits, no loginuid", files: base(),
			check: func(p *event.Process) bool { return p.FDLimit == -1 && p.LoginUID == 1<<32-1 },
		},
		{
			name: "unlimited files", files: with(fake{"limits": "Max open files            unlimited   unlimited  files\n"}),
			check: func(p *event.Process) bool { return p.FDLimit == -1 },
		},
		{
			name: "long arguments", files: with(fake{"cmdline": "x\x00" + strings.Repeat("a", 10000)}),
			check: func(p *event.Process) bool { return len(p.Args) == 1 && len(p.Args[0]) == maxArgs-2 },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := machine()
			f.add(100, 100, tt.files)
			p, err := f.build(t).Thread(100)
			if tt.gone {
				if !errors.Is(err, ErrNotFound) {
					t.Fatalf("error is %v, want ErrNotFound", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !tt.check(p) {
				t.Errorf("got %+v", p)
			}
		})
	}
}

func TestDescriptors(t *testing.T) {
	f := machine()
	files := fake{
		"status": statusOf(100, 100, nestedNS), "stat": statOf("x", "S", 1), "comm": "x\n", "cmdline": "x\x00",
		"mountinfo": "31 1 259:300 / / rw - ext4 /dev/sda1 rw\n",
		"net/tcp": "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
			"   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 501 1 0 100 0 0 10 0\n" +
			"   1: 0100007F:A1B2 04030201:0050 01 00000000:00000000 00:00000000 00000000   999        0 502 1 0 100 0 0 10 0\n",
		"net/udp6": "   9: 00000000000000000000000001000000:14E9 B80D0120000000000000000001000000:0035 07 00000000:00000000 00:00000000 00000000   107        0 503 2 0 0\n",
		"net/unix": "Num       RefCount Protocol Flags    Type St Inode Path\n" +
			"000000000a0aaa5e: 00000003 00000000 00000000 0001 03  504 /run/a b\n" +
			"000000000a0aaa5f: 00000003 00000000 00000000 0001 03  505\n" +
			"0000000000000060: 00000003 00000000 00000000 0001 03  506 /run/true\n" +
			"0000000000000061: 00000003 00000000 00000000 0001 03  507 @x\n" +
			"0000000000000060: 00000003 00000000 00000000 0001 03  506 /run/forged\n",
		"net/netlink": "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n" +
			"00000000bdf401f8 0   0          00000000 0        0        0     2        0        508       \n",
		"fd/0":     "-> $ROOT/bin/prog",
		"fdinfo/0": "pos:\t0\nflags:\t0102001\nmnt_id:\t31\n",
		"fd/1":     "-> $ROOT/bin",
		"fdinfo/1": "pos:\t0\nflags:\t0200000\nmnt_id:\t99\n",
		"fd/2":     "-> pipe:[77]",
		"fd/x":     "-> pipe:[78]",
		"fd/20":    "-> anon_inode:[io_uring]",
		"fd/21":    "-> anon_inode:bpf-prog",
		"fd/22":    "-> anon_inode:[perf_event]",
		"fd/23":    "-> /gone",
	}
	for i, kind := range []string{"[eventfd]", "[eventpoll]", "inotify", "[signalfd]", "[timerfd]", "[userfaultfd]", "[pidfd]"} {
		files["fd/"+strconv.Itoa(30+i)] = "-> anon_inode:" + kind
	}
	for ino := 501; ino <= 509; ino++ {
		files["fd/"+strconv.Itoa(ino)] = "-> socket:[" + strconv.Itoa(ino) + "]"
	}
	f.add(100, 100, files)
	fs := f.build(t)
	p := one(t, fs, 100)
	got := map[int64]event.Descriptor{}
	for _, d := range p.FDs {
		got[d.FD] = d
	}
	lo := [16]byte{127, 0, 0, 1}
	want := []event.Descriptor{
		{FD: 0, Type: event.FDFileV2, Name: fs.root + "/bin/prog", OpenFlags: 1<<1 | 1<<3 | 1<<11, Dev: 44 | 259<<8 | 1<<20, MountID: 31},
		{FD: 1, Type: event.FDDirectory, Name: fs.root + "/bin", OpenFlags: 1 | 1<<10, MountID: 99},
		{FD: 2, Type: event.FDFifo, Name: "pipe:[77]", Ino: 77},
		{FD: 20, Type: event.FDIOUring},
		{FD: 21, Type: event.FDBPF},
		{FD: 22, Type: event.FDUnsupported},
		{FD: 30, Type: event.FDEvent},
		{FD: 31, Type: event.FDEventpoll},
		{FD: 32, Type: event.FDInotify},
		{FD: 33, Type: event.FDSignal},
		{FD: 34, Type: event.FDTimer},
		{FD: 35, Type: event.FDUserfault},
		{FD: 36, Type: event.FDPidfd},
		{FD: 501, Type: event.FDIPv4Server, L4: event.L4TCP, Ino: 501, DIP: lo, DPort: 3306},
		{FD: 502, Type: event.FDIPv4, L4: event.L4TCP, Ino: 502, SIP: lo, SPort: 0xa1b2, DIP: [16]byte{1, 2, 3, 4}, DPort: 80},
		{
			FD: 503, Type: event.FDIPv6, L4: event.L4UDP, Ino: 503, SIP: [16]byte(net.ParseIP("::1")), SPort: 5353,
			DIP: [16]byte(net.ParseIP("2001:db8::1")), DPort: 53,
		},
		{FD: 504, Type: event.FDUnix, L4: event.L4NA, Ino: 504, UnixSource: 0xa0aaa5e, Name: "/run/a b"},
		{FD: 505, Type: event.FDUnix, L4: event.L4NA, Ino: 505, UnixSource: 0xa0aaa5f},
		{FD: 506, Type: event.FDUnix, L4: event.L4NA, Ino: 506, UnixSource: 0x60},
		{FD: 507, Type: event.FDUnix, L4: event.L4NA, Ino: 507, UnixSource: 0x61, Name: "@x"},
		{FD: 508, Type: event.FDNetlink, L4: event.L4NA, Ino: 508},
		{FD: 509, Type: event.FDUnsupported, Ino: 509, Name: "socket:[509]"},
	}
	if len(got) != len(want) {
		t.Errorf("%d descriptors, want %d", len(got), len(want))
	}
	for _, w := range want {
		g := got[w.FD]
		if w.FD < 2 { // Real files, whose inode and device are the machine's.
			if g.Ino == 0 {
				t.Errorf("descriptor %d has no inode", w.FD)
			}
			g.Ino = 0
			if w.FD == 1 {
				g.Dev = 0
			}
			if runtime.GOARCH != "amd64" {
				g.OpenFlags, w.OpenFlags = 0, 0
			}
		}
		if g != w {
			t.Errorf("descriptor %d:\n got %+v\nwant %+v", w.FD, g, w)
		}
	}
}

// TestManyDescriptors reads this very process with more descriptors than are read of a single one.
func TestManyDescriptors(t *testing.T) {
	if _, err := os.Stat("/proc/self/task"); err != nil {
		t.Skip("needs /proc: ", err)
	}
	for range maxThreadFDs + 10 {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		if err != nil {
			t.Skip("needs more descriptors: ", err)
		}
		defer unix.Close(fd)
	}
	fs := New("")
	if n := len(one(t, fs, int64(os.Getpid())).FDs); n != maxThreadFDs {
		t.Errorf("%d descriptors are read while events wait, want %d", n, maxThreadFDs)
	}
	all := 0
	err := fs.Processes(func(p *event.Process) error {
		if p.TID == int64(os.Getpid()) {
			all = len(p.FDs)
		}
		return nil
	})
	if err != nil || all < maxThreadFDs+10 {
		t.Errorf("%d descriptors are read of all processes, %v; want at least %d", all, err, maxThreadFDs+10)
	}
}

// deadFS returns a directory on a file system whose server never answers.
func deadFS(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	server, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("needs FUSE: ", err)
	}
	t.Cleanup(func() { unix.Close(server) })
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", server)
	if err := unix.Mount("dead", dir, "fuse", unix.MS_NODEV|unix.MS_NOSUID, options); err != nil {
		t.Skip("needs to mount: ", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

// TestDeadFileSystem reads a process that has a directory open and runs a program on a file system that does not answer.
func TestDeadFileSystem(t *testing.T) {
	dead := deadFS(t)
	f := machine()
	f.add(100, 100, fake{
		"status": statusOf(100, 100, ""), "stat": statOf("x", "S", 1), "comm": "x\n", "cmdline": "x\x00", "exe": "-> " + dead, "fd/3": "-> " + dead,
	})
	fs := f.build(t)
	read := make(chan *event.Process, 1)
	go func() {
		p, _ := fs.Thread(100)
		read <- p
	}()
	select {
	case p := <-read:
		if p == nil || len(p.FDs) != 1 || p.FDs[0].Type != event.FDDirectory || p.FDs[0].Name != dead {
			t.Errorf("got %+v", p)
		}
	case <-time.After(time.Minute):
		t.Error("the file system is waited for")
	}
}

func TestProcesses(t *testing.T) {
	f := machine()
	thread := func(pid, tid int, state string) fake {
		return fake{
			"status": statusOf(pid, tid, ""), "stat": statOf("x", state, 1), "comm": "t" + strconv.Itoa(tid) + "\n",
			"cmdline": "x\x00", "exe": "-> /x", "fd/3": "-> pipe:[5]",
		}
	}
	f.add(100, 100, thread(100, 100, "S"))
	f.add(100, 101, thread(100, 101, "S"))
	// The main thread of 200 has ended; 201 runs on.
	leader := thread(200, 200, "Z")
	delete(leader, "exe")
	delete(leader, "fd/3")
	leader["cmdline"] = ""
	f.add(200, 200, leader)
	f.add(200, 201, thread(200, 201, "S"))
	f["proc/300/comm"] = "vanishing"
	var got []string
	err := f.build(t).Processes(func(p *event.Process) error {
		got = append(got, strings.Join([]string{p.Comm, p.Exe, p.ExePath, strconv.Itoa(len(p.FDs)), strconv.Itoa(int(p.Flags))}, " "))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"t100 x /x 1 0", "t101 x /x 0 8193", "t200 x /x 1 0", "t201 x /x 0 8193"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	stop := errors.New("stop")
	if err := f.build(t).Processes(func(*event.Process) error { return stop }); err != stop {
		t.Errorf("error of visit came back as %v", err)
	}
	if err := New(t.TempDir()).Processes(nil); err == nil {
		t.Error("a root without /proc is not an error")
	}
}

func TestAccounts(t *testing.T) {
	f := machine()
	f["proc/100/root/etc/passwd"] = "-> /etc/../etc/other"
	f["proc/100/root/etc/other"] = "app:x:1:2::/app:/bin/app\n"
	f["proc/100/root/etc/group"] = "-> /../../../../../../etc/passwd"
	fs := f.build(t)
	users, err := fs.Users()
	want := []event.User{
		{Name: "root", Home: "/root", Shell: "/bin/sh"},
		{UID: 33, GID: 34, Name: "web", Home: "/var/www", Shell: "/usr/sbin/nologin"},
	}
	if err != nil || !slices.Equal(users, want) {
		t.Errorf("users are %v, %v", users, err)
	}
	groups, err := fs.Groups()
	if err != nil || !slices.Equal(groups, []event.Group{{Name: "root"}, {GID: 34, Name: "web"}}) {
		t.Errorf("groups are %v, %v", groups, err)
	}
	users, err = fs.UsersOf(100)
	if err != nil || len(users) != 1 || users[0].Name != "app" {
		t.Errorf("users of the container are %v, %v", users, err)
	}
	// The link leads back into the container, not to the host's file.
	groups, err = fs.GroupsOf(100)
	if err != nil || len(groups) != 1 || groups[0].Name != "app" {
		t.Errorf("groups of the container are %v, %v", groups, err)
	}
	if _, err := fs.UsersOf(999); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("users of no process: %v", err)
	}
}

// TestInside reads below the root directory of a process that wants us to open what it may not.
func TestInside(t *testing.T) {
	f := machine()
	f["secret"] = statOf("secret", "S", 700)
	inside := func(pid int, init string) {
		f.add(pid, pid, fake{
			"status": statusOf(pid, pid, ""), "stat": statOf("x", "S", 250), "comm": "x\n", "cmdline": "x\x00",
			"ns/pid": strconv.Itoa(pid), "root/proc/1/stat": init,
		})
	}
	inside(100, statOf("init", "S", 200))
	inside(101, "-> $ROOT/secret")
	inside(102, "-> ../../../../../secret")
	inside(103, "-> 2/stat")
	f["proc/103/root/proc/1/2/stat"] = statOf("init", "S", 300)
	fs := f.build(t)
	for pid, want := range map[int64]uint64{100: 1700000002_000000000, 101: 0, 102: 0, 103: 1700000003_000000000} {
		if got := one(t, fs, pid).PidnsInitStart; got != want {
			t.Errorf("the pid namespace of process %d began at %d, want %d", pid, got, want)
		}
	}
	// A socket stands for all that is dangerous to open; opening one fails in its own way.
	etc := fs.proc + "/100/root/etc"
	if err := errors.Join(os.MkdirAll(etc, 0o755), unix.Mknod(etc+"/passwd", unix.S_IFSOCK|0o600, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := fs.UsersOf(100); !errors.Is(err, unix.EINVAL) {
		t.Errorf("users in a file that is none: %v; it must not be opened", err)
	}
}

func TestMachine(t *testing.T) {
	m, err := machine().build(t).Machine()
	want := event.Machine{NumCPUs: 2, MemoryBytes: 16 << 20, MaxPID: 4194304, Hostname: "box", BootTime: 1700000000e9}
	if err != nil || m != want {
		t.Errorf("got %+v, %v; want %+v", m, err, want)
	}
	if _, err := New(t.TempDir()).Machine(); err == nil {
		t.Error("a root without /proc is not an error")
	}
}

func TestMount(t *testing.T) {
	id, m, ok := parseMount([]byte(`52 31 0:300 /a\040b /mnt\134x rw,relatime shared:1 - overlay overlay rw,lowerdir=/l1:/l2,upperdir=/up\040per,workdir=/w` + "\n"))
	want := mount{dev: 44 | 1<<20, root: "/a b", point: `/mnt\x`, overlay: true, upper: "/up per"}
	if !ok || id != 52 || m != want {
		t.Errorf("got %d %+v %v, want %+v", id, m, ok, want)
	}
}

// TestLive compares what is read of this very process with what it knows itself.
func TestLive(t *testing.T) {
	if _, err := os.Stat("/proc/self/task"); err != nil {
		t.Skip("needs /proc: ", err)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	file, err := os.OpenFile(filepath.Join(t.TempDir(), "f"), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	conn, err := net.Dial("tcp4", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	efd, err := unix.Eventfd(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(efd)

	fs := New("/")
	p := one(t, fs, int64(os.Getpid()))
	exe, _ := os.Executable()
	cwd, _ := os.Getwd()
	if p.ExePath != exe || p.Cwd != cwd || p.Exe != os.Args[0] || len(p.Args) != len(os.Args)-1 || int(p.UID) != os.Geteuid() ||
		int(p.PTID) != os.Getppid() || p.CloneTime == 0 || p.VMRSS == 0 || p.FDLimit <= 0 || p.ExeIno == 0 {
		t.Errorf("this process is not %+v", p)
	}
	var inode, server, client, eventfd bool
	port := uint16(listener.Addr().(*net.TCPAddr).Port)
	for _, d := range p.FDs {
		inode = inode || d.Name == file.Name() && d.Ino != 0 && d.Dev != 0 && d.OpenFlags&0b1011 == 0b1011
		server = server || d.Type == event.FDIPv4Server && d.DPort == port
		client = client || d.Type == event.FDIPv4 && d.DPort == port
		eventfd = eventfd || int(d.FD) == efd && d.Type == event.FDEvent
	}
	if !inode || !server || !client || !eventfd {
		t.Errorf("file %v, listener %v, connection %v, eventfd %v in %+v", inode, server, client, eventfd, p.FDs)
	}
	tid := int64(unix.Gettid())
	if th := one(t, fs, tid); th.PID != int64(os.Getpid()) || th.Comm == "" {
		t.Errorf("this thread is not %+v", th)
	}
	if got, err := fs.Cwd(int64(os.Getpid())); got != cwd || err != nil {
		t.Errorf("working directory %q, %v, want %q", got, err, cwd)
	}
	if _, err := fs.Cwd(1<<31 - 1); !errors.Is(err, ErrNotFound) {
		t.Errorf("working directory of no process: %v", err)
	}
	if !fs.Alive(tid) || fs.Alive(0) || fs.Alive(1<<31-1) {
		t.Error("wrong about who is alive")
	}
	n := 0
	if err := fs.Processes(func(*event.Process) error { n++; return nil }); err != nil || n < 2 {
		t.Errorf("%d threads, %v", n, err)
	}
	if _, err := fs.Interfaces(); err != nil {
		t.Error(err)
	}
	if _, err := fs.Machine(); err != nil {
		t.Error(err)
	}
}

func BenchmarkProcesses(b *testing.B) {
	fs := New("")
	threads, fds := 0, 0
	for b.Loop() {
		threads, fds = 0, 0
		_ = fs.Processes(func(p *event.Process) error {
			threads++
			fds += len(p.FDs)
			return nil
		})
	}
	b.ReportMetric(float64(threads), "threads")
	b.ReportMetric(float64(fds), "fds")
}

// BenchmarkManyDescriptors reads as much as is read at once of a process with 10 000 sockets.
func BenchmarkManyDescriptors(b *testing.B) {
	for range 10000 {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if err != nil {
			b.Skip("needs more descriptors: ", err)
		}
		defer unix.Close(fd)
	}
	fs := New("")
	for b.Loop() {
		if _, err := fs.Thread(int64(os.Getpid())); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParsers(f *testing.F) {
	f.Add([]byte(statusOf(1, 1, nestedNS)))
	f.Add([]byte(statOf("x) (", "S", 1)))
	f.Add([]byte("   0: 0100007F:0CEA 00000000:0000 0A 0:0 0:0 0 999 0 501 1"))
	f.Add([]byte("000000000a0aaa5e: 00000003 00000000 00000000 0001 03  504 /run/a b\n"))
	f.Add([]byte(`52 31 0:300 /a\040b /mnt rw - overlay o rw,upperdir=/u`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := parseStatus(b); ok && s.tgid <= 0 {
			t.Errorf("thread group %d", s.tgid)
		}
		parseStat(b)
		parseMount(b)
		bootTime(b)
		fdLimit(b)
		table := map[uint64]event.Descriptor{}
		for _, parse := range []func([]byte) (event.Descriptor, bool){
			func(l []byte) (event.Descriptor, bool) { return parseInet(l, event.L4TCP) }, parseUnix, parseNetlink,
		} {
			readTable(table, &io.LimitedReader{R: strings.NewReader(string(b)), N: 1 << 20}, parse)
		}
		if _, ok := table[0]; ok {
			t.Error("inode 0 is no socket")
		}
	})
}

// TestCgroupRoots sees that paths of a reader with a cgroup namespace of its own become those of the machine.
func TestCgroupRoots(t *testing.T) {
	for _, c := range []struct{ inside, outside, want string }{
		{"0::/\n", "0::/kubepods/pod1/x\n", "/kubepods/pod1/x"},
		{"0::/init\n", "0::/kubepods/pod1/x/init\n", "/kubepods/pod1/x"},
		{"0::/\n", "0::/\n", "/"},
		{"0::/other\n", "0::/kubepods\n", ""}, // moved in between
		{"0::/\n", "", ""},                    // the namespace cannot be entered
	} {
		if got := rootsOf(c.inside, c.outside)[""]; got != c.want {
			t.Errorf("%q inside and %q outside: the root is %q, want %q", c.inside, c.outside, got, c.want)
		}
	}
	for _, c := range []struct{ root, path, want string }{
		{"", "/docker/x", "/docker/x"},
		{"", "/", "/"},
		{"/", "/a", "/a"},
		{"/k/pod1/x", "/", "/k/pod1/x"},
		{"/k/pod1/x", "/init", "/k/pod1/x/init"},
		{"/k/pod1/x", "/../y", "/k/pod1/y"},
		{"/k/pod1/x", "/../../pod2/z", "/k/pod2/z"},
		{"/k/pod1/x", "/../../..", "/"},
		{"/k/pod1/x", "/../../../system.slice", "/system.slice"},
		{"/k", "/..a", "/k/..a"},
		{"", "/../x", "/../x"},
	} {
		if got := absolute(c.root, c.path); got != c.want {
			t.Errorf("%s seen from %q is %q, want %q", c.path, c.root, got, c.want)
		}
	}
}
