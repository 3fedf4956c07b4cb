//go:build linux

package live

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
)

// The environment variables by which a test tells the processes it starts what they are.
const (
	envNext = "SAKER_NEXT" // the mark that the act will bear, in a process that is not to bear it itself
	envCase = "SAKER_CASE" // the mark by which alerts are told apart
	envAct  = "SAKER_ACT"  // what the process does: enter, play or role
	envPlan = "SAKER_PLAN" // JSON: the plan
)

// The last provocation of a run: when its alert has come, everything before it has been judged.
const (
	sentinelCase = "sentinel"
	sentinelRule = "Program run from memory"
)

// skipStatus is the exit status of an act that this machine cannot do; the reason is on standard error.
const skipStatus = 77

// surroundings says in what kind of process, namespaces and control groups an act is done.
type surroundings struct {
	Container bool   // in control groups named like those of a Docker container, and in a process namespace
	HostPID   bool   // without a process namespace, though in a container
	Init      bool   // as process 1 of the process namespace
	Terminal  bool   // with a controlling terminal
	Network   bool   // in a network namespace whose loopback device has the addresses of loopbackAddresses
	Overlay   bool   // with an overlay file system at <dir>/merged
	UID       uint32 // as this user
	DropCaps  string // "admin": without CAP_SYS_ADMIN; "all": without any capability
	Private   bool   // in a mount namespace of its own

	Cover []string // directories that lie under an empty tmpfs of the act's own
	Files []string // empty files made before the act begins (and before it is marked)
}

// loopbackAddresses are the addresses that acts with a network namespace connect to: documentation networks (RFC 5737),
// the clouds' metadata service and the usual address of a cluster's API server.
var loopbackAddresses = [...][4]byte{{192, 0, 2, 1}, {203, 0, 113, 1}, {169, 254, 169, 254}, {10, 96, 0, 1}}

// plan is what the first process of an act is told.
type plan struct {
	Rule string // the key of the provocation
	Miss bool
	Dir  string
	In   surroundings

	Role string // of a process that an act starts: see roles
	Arg  string
}

func caseName(key string, miss bool) string {
	if miss {
		return "miss:" + strings.ReplaceAll(key, " ", "_")
	}
	return "do:" + strings.ReplaceAll(key, " ", "_")
}

// containerID is the id of the container that a case pretends to run in.
func containerID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// play runs a provocation, or its near miss, in a process of its own and waits for its end. It reports whether it was done.
func (b *bench) play(t *testing.T, p *provocation, miss bool) (done bool) {
	t.Helper()
	in, act := p.in, p.do
	if miss {
		act = p.miss
		if p.missIn != nil {
			in = *p.missIn
		}
	}
	if act == nil {
		return false
	}
	name := caseName(p.key(), miss)
	dir := filepath.Join(b.dir, hex.EncodeToString([]byte(containerID(name)[:4])))
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	os.Chmod(dir, 0o777)
	if in.Container {
		defer restoreControllers(t)()
		groups, err := makeContainerGroups(containerID(name))
		if err != nil {
			t.Fatalf("%s: making the control groups of a container: %v", name, err)
		}
		defer removeGroups(t, groups)
	}
	cmd := b.command(name, plan{Rule: p.key(), Miss: miss, Dir: dir, In: in})
	if in.Terminal {
		terminal, err := openTerminal()
		if err != nil {
			t.Fatalf("%s: opening a terminal: %v", name, err)
		}
		defer terminal.Close()
		cmd.Stdin = terminal
		cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty, cmd.SysProcAttr.Ctty = true, true, 0
	}
	return runAct(t, name, cmd)
}

// command returns the command that starts an act's first process.
func (b *bench) command(name string, p plan) *exec.Cmd {
	text, err := json.Marshal(p)
	if err != nil {
		panic("writing a plan: " + err.Error())
	}
	cmd := exec.Command(b.actor)
	cmd.Dir = p.Dir
	cmd.Env = []string{
		envNext + "=" + name, envAct + "=enter", envPlan + "=" + string(text), "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + p.Dir,
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: cloneFlags(p.In)}
	return cmd
}

func cloneFlags(in surroundings) uintptr {
	var flags uintptr
	if in.Init || in.Container && !in.HostPID {
		flags |= syscall.CLONE_NEWPID
	}
	if in.Network {
		flags |= syscall.CLONE_NEWNET
	}
	if in.Overlay || in.Private || len(in.Cover) > 0 {
		flags |= syscall.CLONE_NEWNS
	}
	return flags
}

// runAct runs the command of an act and reports whether it was done: one that this machine cannot do is logged, one that
// fails fails the test.
func runAct(t *testing.T, name string, cmd *exec.Cmd) (done bool) {
	t.Helper()
	var messages strings.Builder
	cmd.Stderr = &messages
	err := cmd.Run()
	var status *exec.ExitError
	if errors.As(err, &status) && status.ExitCode() == skipStatus {
		t.Logf("%s: not done on this machine: %s", name, strings.TrimSpace(messages.String()))
		return false
	}
	if err != nil {
		t.Errorf("%s: the act failed: %v\n%s", name, err, messages.String())
	}
	return err == nil
}

// sentinel plays the last provocation.
func (b *bench) sentinel(t *testing.T) {
	t.Helper()
	runAct(t, sentinelCase, b.command(sentinelCase, plan{Rule: sentinelRule, Dir: b.dir}))
}

// hierarchies returns where the control group hierarchies are mounted.
func hierarchies() ([]string, error) {
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer mounts.Close()
	var roots []string
	lines := bufio.NewScanner(mounts)
	for lines.Scan() {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		if strings.HasPrefix(after, "cgroup ") || strings.HasPrefix(after, "cgroup2 ") {
			roots = append(roots, strings.Fields(before)[4])
		}
	}
	return roots, lines.Err()
}

// makeContainerGroups makes a control group named like a Docker container's in every hierarchy that takes one.
func makeContainerGroups(id string) ([]string, error) {
	roots, err := hierarchies()
	if err != nil {
		return nil, err
	}
	var groups []string
	for _, root := range roots {
		if strings.Contains(root, "cpuset") { // a new group there takes no process before it has processors
			continue
		}
		group := filepath.Join(root, "docker", id)
		if err := os.MkdirAll(group, 0o755); err == nil {
			groups = append(groups, group)
			// In the unified hierarchy a process is in a group for a controller only where the groups above pass it on, as
			// they do for real containers. The older hierarchies have no such file.
			for _, above := range []string{root, filepath.Dir(group)} {
				for _, controller := range []string{"+cpu", "+memory", "+pids"} {
					os.WriteFile(filepath.Join(above, "cgroup.subtree_control"), []byte(controller), 0)
				}
			}
		}
	}
	if len(groups) == 0 {
		return nil, errors.New("no control group hierarchy takes a group")
	}
	return groups, nil
}

// moveGroups moves the process to a group of every hierarchy that has it; "" is the root.
func (s *scene) moveGroups(group string) {
	roots, err := hierarchies()
	s.check(err, "finding the control groups")
	for _, root := range roots {
		// The process is 0 here: it may be process 1 of a namespace of its own.
		err := os.WriteFile(filepath.Join(root, group, "cgroup.procs"), []byte("0"), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			s.check(err, "moving to a control group")
		}
	}
}

// restoreControllers returns a function that takes back which controllers the roots of the hierarchies pass on.
func restoreControllers(t *testing.T) func() {
	t.Helper()
	roots, err := hierarchies()
	if err != nil {
		t.Fatalf("finding the control groups: %v", err)
	}
	passedOn := func(root string) []string {
		text, _ := os.ReadFile(filepath.Join(root, "cgroup.subtree_control")) // the older hierarchies have no such file
		return strings.Fields(string(text))
	}
	before := map[string][]string{}
	for _, root := range roots {
		before[root] = passedOn(root)
	}
	return func() {
		for _, root := range roots {
			for _, controller := range passedOn(root) {
				if !slices.Contains(before[root], controller) {
					os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("-"+controller), 0)
				}
			}
		}
	}
}

// removeGroups removes the groups, and the directory docker above them where it is empty then.
func removeGroups(t *testing.T, groups []string) {
	for _, group := range groups {
		if err := os.Remove(group); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Logf("removing a control group: %v", err)
		}
		os.Remove(filepath.Dir(group)) // stays where other containers are below it
	}
}

// openTerminal makes a pseudo terminal and returns its lower side; the upper side stays open with it.
func openTerminal() (*os.File, error) {
	upper, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.IoctlSetPointerInt(upper, unix.TIOCSPTLCK, 0); err != nil {
		return nil, err
	}
	number, err := unix.IoctlGetInt(upper, unix.TIOCGPTN)
	if err != nil {
		return nil, err
	}
	return os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
}

// perform is the main function of a process that a test, or an act, started. It returns the exit status.
func perform(act string) int {
	runtime.LockOSThread()
	var p plan
	if err := json.Unmarshal([]byte(os.Getenv(envPlan)), &p); err != nil {
		fmt.Fprintln(os.Stderr, "reading the plan:", err)
		return 1
	}
	s := &scene{dir: p.Dir, plan: p}
	switch act {
	case "enter":
		s.enter()
	case "play":
		s.play()
	case "role":
		roles()[p.Role](s, p.Arg)
	default:
		fmt.Fprintf(os.Stderr, "unknown act %q\n", act)
		return 1
	}
	return 0
}

// scene is where an act is done, seen from inside its process.
type scene struct {
	dir  string
	plan plan
	env  []string // added to the environment of the programs that the act runs
}

// check ends the process with a message when err is not nil.
func (s *scene) check(err error, doing string) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", doing, err)
		os.Exit(1)
	}
}

// cannot ends the process: this machine cannot do the act.
func (s *scene) cannot(why string, err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", why, err)
	os.Exit(skipStatus)
}

// enter makes the surroundings and becomes the process that does the act. It bears no mark: what it does is not judged.
func (s *scene) enter() {
	in := s.plan.In
	if cloneFlags(in)&syscall.CLONE_NEWNS != 0 {
		s.check(unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), "making the mounts private")
	}
	for _, dir := range in.Cover {
		s.check(unix.Mount("saker-live", dir, "tmpfs", 0, "mode=1777"), "covering "+dir)
	}
	if in.Overlay {
		s.overlay()
	}
	for _, file := range in.Files {
		s.check(os.MkdirAll(filepath.Dir(file), 0o755), "making a directory for "+file)
		s.check(os.WriteFile(file, nil, 0o644), "making a file")
	}
	if in.Network {
		s.loopback()
	}
	if s.plan.Rule != quietCase { // ordinary work is done where the test itself is
		s.joinGroups(in.Container)
	}
	s.dropCaps(in.DropCaps)
	if in.UID != 0 {
		s.check(syscall.Setgroups(nil), "dropping groups")
		s.check(syscall.Setresgid(int(in.UID), int(in.UID), int(in.UID)), "changing the group")
		s.check(syscall.Setresuid(int(in.UID), int(in.UID), int(in.UID)), "changing the user")
	}
	env := []string{
		envCase + "=" + os.Getenv(envNext), envAct + "=play", envPlan + "=" + os.Getenv(envPlan), "PATH=" + os.Getenv("PATH"), "HOME=" + s.dir,
	}
	self := filepath.Join(filepath.Dir(s.dir), "actor")
	if os.Getenv(envNext) == sentinelCase {
		self = filepath.Join(s.dir, "actor")
	}
	if in.Container && !in.Init && !in.HostPID { // not as process 1
		cmd := &exec.Cmd{Path: self, Args: []string{self}, Env: env, Dir: s.dir, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
		var status *exec.ExitError
		if err := cmd.Run(); errors.As(err, &status) {
			os.Exit(status.ExitCode())
		} else {
			s.check(err, "starting the act")
		}
		return
	}
	s.check(syscall.Exec(self, []string{self}, env), "starting the act")
}

// play does the act that the plan names.
func (s *scene) play() {
	if s.plan.Rule == sentinelRule && os.Getenv(envCase) == sentinelCase {
		s.runFromMemory()
		return
	}
	if s.plan.Rule == quietCase {
		env := []string{envCase + "=" + quietCase, "PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LANG=C.UTF-8"}
		s.check(syscall.Exec("/bin/sh", []string{"sh", s.path("work.sh")}, env), "starting the ordinary work")
	}
	for _, p := range slices.Concat(provocations(), evasions(), upstreamProvocations()) {
		switch {
		case p.key() != s.plan.Rule:
			continue
		case s.plan.Miss:
			p.miss(s)
		default:
			p.do(s)
		}
		return
	}
	s.check(errors.New(s.plan.Rule), "no such act")
}

// overlay mounts an overlay file system whose lower layer holds the program lower.
func (s *scene) overlay() {
	scratch := filepath.Join(s.dir, "layers")
	s.check(os.Mkdir(scratch, 0o755), "making the layers")
	s.check(unix.Mount("saker-live", scratch, "tmpfs", 0, ""), "mounting a tmpfs for the layers")
	for _, name := range []string{"lower", "upper", "work"} {
		s.check(os.Mkdir(filepath.Join(scratch, name), 0o755), "making a layer")
	}
	merged := filepath.Join(s.dir, "merged")
	s.check(os.Mkdir(merged, 0o755), "making the mount point")
	s.check(copyFile("/proc/self/exe", filepath.Join(scratch, "lower", "lower"), 0o755), "filling the lower layer")
	layers := fmt.Sprintf("lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", scratch, scratch, scratch)
	if err := unix.Mount("overlay", merged, "overlay", 0, layers); err != nil {
		s.cannot("mounting an overlay file system", err)
	}
}

// loopback brings the loopback device up and gives it the addresses that acts connect to.
func (s *scene) loopback() {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	s.check(err, "making a socket to configure the loopback device")
	defer unix.Close(fd)
	up, err := unix.NewIfreq("lo")
	s.check(err, "naming the loopback device")
	up.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	s.check(unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, up), "bringing the loopback device up")
	for i, address := range loopbackAddresses {
		alias, err := unix.NewIfreq(fmt.Sprintf("lo:%d", i+1))
		s.check(err, "naming an address of the loopback device")
		s.check(alias.SetInet4Addr(address[:]), "setting an address")
		s.check(unix.IoctlIfreq(fd, unix.SIOCSIFADDR, alias), "adding an address to the loopback device")
	}
}

// joinGroups moves the process into the control groups that the test made for it, or into the roots of the hierarchies:
// the test itself may run in groups that are read as a container's.
func (s *scene) joinGroups(container bool) {
	groups, err := hierarchies()
	if container {
		groups, err = makeContainerGroups(containerID(caseName(s.plan.Rule, s.plan.Miss)))
	}
	s.check(err, "finding the control groups")
	joined := 0
	for _, group := range groups {
		if os.WriteFile(filepath.Join(group, "cgroup.procs"), []byte("0"), 0) == nil {
			joined++
		}
	}
	if joined == 0 {
		s.check(errors.New("no group takes the process"), "joining the control groups")
	}
}

// dropCaps takes capabilities out of the bounding set: the program executed next does not have them.
func (s *scene) dropCaps(which string) {
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if which == "all" || which == "admin" && c == unix.CAP_SYS_ADMIN {
			unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0) // fails for capabilities that the kernel does not know
		}
	}
}

// path returns the path of a file in the scene's directory.
func (s *scene) path(name string) string { return filepath.Join(s.dir, name) }

// create writes a file, making the directories above it.
func (s *scene) create(path string) {
	s.check(os.MkdirAll(filepath.Dir(path), 0o777), "making the directory of "+path)
	s.check(os.WriteFile(path, []byte("saker\n"), 0o644), "writing "+path)
}

// read opens a file and reads its first bytes.
func (s *scene) read(path string) {
	f, err := os.Open(path)
	s.check(err, "opening "+path)
	io.ReadFull(f, make([]byte, 16))
	f.Close()
}

// tryOpen opens a file with the flags, whether or not that succeeds, and does nothing with it.
func (s *scene) tryOpen(path string, flags int) {
	if fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0o644); err == nil {
		unix.Close(fd)
	}
}

// run runs a program of the system.
func (s *scene) run(argv ...string) {
	cmd := exec.Command(argv[0], argv[1:]...)
	if errors.Is(cmd.Err, exec.ErrNotFound) {
		s.cannot("running "+argv[0], cmd.Err)
	}
	cmd.Env = append(append([]string{envCase + "=" + os.Getenv(envCase)}, s.env...), "PATH="+os.Getenv("PATH"), "HOME="+s.dir)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var status *exec.ExitError
	if err != nil && !errors.As(err, &status) {
		s.check(err, "running "+argv[0])
	}
}

// runAs runs this program under the name in the scene's directory, with the arguments, in a role.
func (s *scene) runAs(name, role, arg string, argv ...string) {
	s.runFrom(s.path(name), role, arg, argv...)
}

// runFrom runs this program as the file, with the arguments, in a role.
func (s *scene) runFrom(path, role, arg string, argv ...string) {
	s.check(os.MkdirAll(filepath.Dir(path), 0o777), "making the directory of "+path)
	if os.Link(filepath.Join(filepath.Dir(s.dir), "actor"), path) != nil { // another file system
		s.check(copyFile("/proc/self/exe", path, 0o755), "copying this program to "+path)
	}
	s.start(path, append([]string{path}, argv...), role, arg)
}

// start executes the program, which is a copy of this one, with the argument vector, in a role.
func (s *scene) start(path string, argv []string, role, arg string) {
	text, err := json.Marshal(plan{Rule: s.plan.Rule, Miss: s.plan.Miss, Dir: s.dir, Role: role, Arg: arg})
	s.check(err, "writing a plan")
	cmd := &exec.Cmd{Path: path, Args: argv, Stderr: os.Stderr, Dir: s.dir}
	cmd.Env = append(append([]string{envCase + "=" + os.Getenv(envCase)}, s.env...), envAct+"=role", envPlan+"="+string(text), "PATH="+os.Getenv("PATH"))
	s.check(cmd.Run(), "running "+path)
}

// runFromMemory executes a program that exists only in memory.
func (s *scene) runFromMemory() {
	program, err := os.ReadFile("/usr/bin/true")
	s.check(err, "reading a program")
	fd, err := unix.MemfdCreate("saker-live", 0)
	s.check(err, "making a file in memory")
	_, err = unix.Write(fd, program)
	s.check(err, "filling the file in memory")
	cmd := exec.Command(fmt.Sprintf("/proc/self/fd/%d", fd))
	cmd.Env = []string{envCase + "=" + os.Getenv(envCase)}
	s.check(cmd.Run(), "running the file in memory")
}

// syscall makes a system call whose outcome does not matter.
func (s *scene) syscall(number uintptr, args ...uintptr) uintptr {
	var a [6]uintptr
	copy(a[:], args)
	r, _, _ := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5])
	return r
}

// traceMe lets the parent trace this thread, and ends. Any signal would stop the thread before that, for good as nobody lets it go on, and Go's
// runtime sends one to a thread that has to wait for its CPU: they are blocked.
func (s *scene) traceMe() {
	runtime.LockOSThread()
	var all unix.Sigset_t
	for i := range all.Val {
		all.Val[i] = ^all.Val[i]
	}
	s.check(unix.PthreadSigmask(unix.SIG_SETMASK, &all, nil), "blocking signals")
	unix.RawSyscall(unix.SYS_PTRACE, unix.PTRACE_TRACEME, 0, 0)
	unix.RawSyscall(unix.SYS_EXIT_GROUP, 0, 0, 0)
}

// sleeper starts a process that waits and returns it; the caller kills it.
func (s *scene) sleeper() *exec.Cmd {
	cmd := exec.Command("sleep", "60")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	s.check(cmd.Start(), "starting a process to act on")
	return cmd
}

// pidText returns the id of a process that was started.
func pidText(cmd *exec.Cmd) string { return strconv.Itoa(cmd.Process.Pid) }

// pointer returns the address of a value for a system call.
func pointer[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// copyFile copies a file.
func copyFile(from, to string, mode fs.FileMode) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
