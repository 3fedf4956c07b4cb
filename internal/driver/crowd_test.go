package driver

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/saker-sec/saker/internal/event"
)

// The crowd of TestCrowd: so many threads for each CPU, so many calls of each.
const (
	crowdThreads = 8
	crowdCalls   = 4000
)

// member is a thread of the crowd. It opens files that are not there, whose names tell the thread and the number of the call.
type member struct {
	tid   int64
	id    int
	ready chan bool
	done  chan bool
}

// name is the name that a member opens at its call i. Neighbours differ in every byte, so that a mixture of two is neither.
func (m *member) name(i int) string {
	return fmt.Sprintf("/crowd/%d/%d/%s", m.id, i, strings.Repeat(string(rune('a'+m.id%26)), 1+(i*7)%199))
}

// run makes the calls from a thread of its own. Half of the members wake up now and then above all others, with a real-time priority, so
// that they take the CPU from whatever the kernel lets itself be taken from.
func (m *member) run(begin chan bool) {
	runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
	m.tid = int64(unix.Gettid())
	names := make([][]byte, crowdCalls)
	for i := range names {
		names[i] = append([]byte(m.name(i)), 0)
	}
	urgent := m.id%2 == 1
	if urgent {
		// struct sched_param is its priority alone; a machine that refuses has a calmer crowd.
		priority := int32(1)
		unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, 0, 1 /* SCHED_FIFO */, uintptr(unsafe.Pointer(&priority)))
	}
	m.ready <- true
	<-begin
	nap := unix.NsecToTimespec(50_000)
	for i := range names {
		at := unix.AT_FDCWD
		unix.RawSyscall(unix.SYS_OPENAT, uintptr(at), uintptr(unsafe.Pointer(&names[i][0])), unix.O_RDONLY)
		unix.RawSyscall(unix.SYS_GETPPID, 0, 0, 0)
		if urgent && i%8 == 0 {
			unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&nap)), 0, 0)
		}
	}
	m.done <- true
}

// TestCrowd lets many more threads than CPUs open files, and take the CPU from each other in the middle: every call must arrive exactly
// once, in its thread's order, with its own name. On a kernel that does not preempt the programs it is also tried with the copies of one that does.
func TestCrowd(t *testing.T) {
	t.Run("as it is", func(t *testing.T) { crowd(t, Config{}) })
	t.Run("with copies", func(t *testing.T) { crowd(t, Config{copies: maxCopies}) })
}

func crowd(t *testing.T, cfg Config) {
	cfg.Syscalls, cfg.BufferSize = scs(t, "openat"), 64<<20
	d := open(t, cfg)
	members := make([]*member, crowdThreads*runtime.NumCPU())
	begin, ready, done := make(chan bool), make(chan bool), make(chan bool, len(members))
	for i := range members {
		members[i] = &member{id: i, ready: ready, done: done}
		go members[i].run(begin)
	}
	byTID := map[int64]*member{}
	for range members {
		<-ready
	}
	for _, m := range members {
		byTID[m.tid] = m
	}
	close(begin)
	for range members {
		<-done
	}
	still(t, d)
	next := make([]int, len(members))
	lost, twice, wrong := 0, 0, 0
	var e event.Event
	for d.Next(&e) == nil {
		m := byTID[e.TID]
		name, ok := e.Text(2)
		if m == nil || !strings.HasPrefix(name, "/crowd/") {
			continue
		}
		var id, i int
		if _, err := fmt.Sscanf(name, "/crowd/%d/%d/", &id, &i); err != nil || id != m.id || name != m.name(i) || !ok {
			wrong++
			continue
		}
		switch {
		case i < next[id]:
			twice++
		case i > next[id]:
			lost += i - next[id]
		}
		next[id] = i + 1
	}
	for _, n := range next {
		lost += crowdCalls - n
	}
	s := d.Stats()
	t.Logf("%d calls: %d lost, %d twice or out of order, %d mixed up; counted as lost: %d of %d", crowdCalls*len(members), lost, twice, wrong, s.Lost(), s.Events)
	if lost+twice+wrong != 0 {
		t.Error("each must come exactly once")
	}
}

// TestCrowdOfProcesses starts many short processes at once: each program that is run and each process that ends must arrive once.
func TestCrowdOfProcesses(t *testing.T) {
	t.Run("as it is", func(t *testing.T) { crowdOfProcesses(t, Config{}) })
	t.Run("with copies", func(t *testing.T) { crowdOfProcesses(t, Config{copies: maxCopies}) })
}

func crowdOfProcesses(t *testing.T, cfg Config) {
	each := 30
	if testing.Short() { // in an emulated machine a process takes half a second
		each = 3
	}
	cfg.Syscalls, cfg.BufferSize = scs(t, "execve", "sched_process_exit"), 64<<20
	d := open(t, cfg)
	type seen struct{ execs, exits int }
	var mu sync.Mutex
	children := map[int64]*seen{}
	var wg sync.WaitGroup
	starters := 4 * runtime.NumCPU()
	for i := range starters {
		wg.Go(func() {
			for j := range each {
				c := exec.Command("/bin/true", fmt.Sprintf("crowd-%d-%d", i, j))
				if err := c.Run(); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				children[int64(c.Process.Pid)] = &seen{}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	still(t, d)
	names := map[string]int{}
	var e event.Event
	for d.Next(&e) == nil {
		c := children[e.TID]
		if c == nil {
			continue
		}
		switch e.Code {
		case event.ProcexitV1E:
			c.exits++
		case event.SyscallExecveV19X:
			c.execs++
			names[params(&e)["args"]]++
		}
	}
	for pid, c := range children {
		if c.execs != 1 || c.exits != 1 {
			t.Errorf("process %d: it ran a program %d times and ended %d times, want once each", pid, c.execs, c.exits)
		}
	}
	if len(names) != starters*each {
		t.Errorf("%d different arguments came, want %d", len(names), starters*each)
	}
	s := d.Stats()
	t.Logf("%d processes; counted as lost: %d of %d", len(children), s.Lost(), s.Events)
}

// TestCopiesFor reads what kernels say of how they preempt.
func TestCopiesFor(t *testing.T) {
	for text, want := range map[string]int{
		"full (lazy) \n": 2, "(full) lazy \n": maxCopies, "none (voluntary) full\n": 2, "(none) voluntary full\n": 2, "": maxCopies,
	} {
		file := filepath.Join(t.TempDir(), "preempt")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got := copiesFor(file); got != want {
			t.Errorf("%q: %d copies, want %d", text, got, want)
		}
	}
	if got := copiesFor(filepath.Join(t.TempDir(), "nowhere")); got != maxCopies {
		t.Errorf("without a word: %d copies, want %d", got, maxCopies)
	}
}
