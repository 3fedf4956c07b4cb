package driver

import (
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/saker-sec/saker/internal/event"
)

func TestSignalDeliver(t *testing.T) {
	d := open(t, Config{Syscalls: scs(t, "signal_deliver")})
	got := make(chan os.Signal, 1)
	signal.Notify(got, unix.SIGTERM)
	defer signal.Stop(got)
	me := strconv.Itoa(unix.Getpid())
	unix.Kill(unix.Getpid(), unix.SIGTERM)
	<-got
	until(t, d, func(e *event.Event) bool {
		p := params(e)
		if p["spid"] != me || p["sig"] != "15" {
			return false
		}
		if p["dpid"] != strconv.FormatInt(e.TID, 10) {
			t.Errorf("delivered to %s, event of %d", p["dpid"], e.TID)
		}
		return true
	})
}

func TestSchedSwitch(t *testing.T) {
	d := open(t, Config{Syscalls: scs(t, "sched_switch")})
	until(t, d, func(e *event.Event) bool {
		got := params(e)
		return e.Code == event.SchedswitchV6E && got["next"] != "0" && got["vm_size"] != "0" && got["pgft_min"] != "0"
	})
}

func TestPageFault(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("the tracepoint is amd64's")
	}
	d := open(t, Config{Syscalls: scs(t, "page_fault_user")})
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	mem, err := unix.Mmap(-1, 0, 1<<16, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	mem[5000] = 1
	addr := strconv.FormatUint(uint64(ptr(&mem[5000])), 10)
	until(t, d, func(e *event.Event) bool {
		got := params(e)
		if got["addr"] != addr {
			return false
		}
		expect(t, "fault", got, map[string]string{"error": strconv.Itoa(0x2 | 0x4 | 0x10)})
		return true
	})
}
