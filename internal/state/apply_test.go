package state

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/capture/capturetest"
	"github.com/saker-sec/saker/internal/event"
)

// fakeProc is a /proc with some threads, which counts how often it is asked.
type fakeProc struct {
	threads map[int64]*event.Process
	fds     map[int64]event.Descriptor
	cwds    map[int64]string
	asked   []int64
}

func (p *fakeProc) Thread(tid int64) (*event.Process, error) {
	p.asked = append(p.asked, tid)
	if t := p.threads[tid]; t != nil {
		return t, nil
	}
	return nil, errors.New("no such thread")
}

func (p *fakeProc) Alive(tid int64) bool { return p.threads[tid] != nil }

func (p *fakeProc) Descriptor(_, fd int64) (event.Descriptor, error) {
	if d, ok := p.fds[fd]; ok {
		return d, nil
	}
	return event.Descriptor{}, errors.New("no such descriptor")
}

func (p *fakeProc) Cwd(pid int64) (string, error) {
	if cwd, ok := p.cwds[pid]; ok {
		return cwd, nil
	}
	return "", errors.New("no such process")
}

func TestLookup(t *testing.T) {
	p := &fakeProc{threads: map[int64]*event.Process{
		300: {
			TID: 300, PID: 300, PTID: 100, VTID: 300, VPID: 300, Comm: "late", Exe: "/late", Cwd: "/late",
			FDs: []event.Descriptor{{FD: 5, Type: event.FDFileV2, Name: "/late/file"}},
		},
	}}
	s := runScript(t, Config{Proc: p}, shell+`
300 openat fd=3 dirfd=-100 name=x flags=1
= event name=/late/x
= 300 comm=late parent=100 fds=2
400 getuid
400 getuid
= 400 comm=<NA> exe=<NA> pid=-1 unknown=true cwd=./ main=none parent=none
500 procexit status=0
501 fork res=0 exe=x pid=501 ptid=100 vtid=501 vpid=501 comm=x
502 switch next=1
= 500 gone
= 502 gone`)
	if got := fmt.Sprint(p.asked); got != "[300 400]" {
		t.Errorf("/proc was asked for %s", got)
	}
	if st := s.Stats(); st.MadeUpThreads != 1 || st.ProcLookups != 2 || st.ProcLookupsFailed != 1 {
		t.Errorf("%+v", st)
	}
}

func TestFetchedDescriptors(t *testing.T) {
	p := &fakeProc{threads: map[int64]*event.Process{}, fds: map[int64]event.Descriptor{
		9:  {Type: event.FDDirectory, Name: "/passed/dir"},
		10: {Type: event.FDFileV2, Name: "/passed/file"},
		11: {Type: event.FDUnix, Name: "/passed/socket"},
		12: {Type: event.FDFileV2, Name: "/passed/other"},
	}}
	runScript(t, Config{Proc: p}, shell+`
100 openat fd=4 dirfd=9 name=x flags=1
= event name=/passed/dir/x
100 openat fd=4 dirfd=8 name=x flags=1
= event name=<UNKNOWN>x
100 socket fd=5 domain=1 type=1 proto=0
100 recvmsg res=1 size=1 data=00 msgcontrol=180000000000000001000000010000000a00000063000000 fd=5
= 100/10 name=/passed/file
= 100/99 none
100 recvmsg res=1 size=1 data=00 msgcontrol=ffffffffffffffff01000000010000000a000000 fd=5
100 recvmsg res=1 size=1 data=00 msgcontrol=0000 fd=5
# by a 32-bit process: who sent it (13 bytes, so that the next part is aligned), then two descriptors
100 recvmsg res=1 size=1 data=00 msgcontrol=`+"190000000100000002000000"+"01000000020000000300000004000000"+"1400000001000000010000000b0000000c000000"+` fd=5
= 100/11 name=/passed/socket
= 100/12 name=/passed/other
100 recvmsg res=1 size=1 data=00 msgcontrol=ff0000000100000001000000 fd=5
`)
}

func TestFullTable(t *testing.T) {
	s := New(Config{MaxThreads: 3, SelfPID: 77})
	for tid := range int64(6) {
		s.AddProcess(&event.Process{TID: tid + 1, PID: tid + 1, Comm: "x"})
	}
	s.AddProcess(&event.Process{TID: 77, PID: 77, Comm: "self"})
	if s.NumThreads() != 4 || s.Thread(77) == nil || s.Stats().DropsFullThreadTable != 3 {
		t.Errorf("%d threads, %+v", s.NumThreads(), s.Stats())
	}
	x := &script{t: t, s: s, now: 1e18}
	x.event(fields("50 openat fd=3 dirfd=-100 name=x flags=1"))
	if x.c.Thread != nil {
		t.Error("a full table made up a thread")
	}
	x.event(fields("60 fork res=0 exe=x pid=60 ptid=1 vtid=60 vpid=60 comm=x"))
	if x.c.Thread != nil || s.NumThreads() != 4 {
		t.Error("a full table took a new thread")
	}
	checkInvariants(t, s)
}

func TestPurge(t *testing.T) {
	p := &fakeProc{threads: map[int64]*event.Process{100: {TID: 100}, 1: {TID: 1}}}
	text := shell + "proc tid=200 ptid=1 comm=gone\n100 getuid\n200 getuid\n= 200 comm=gone\n"
	for range 30 {
		text += "@ 100s\n100 getuid\n"
	}
	s := runScript(t, Config{Proc: p}, text+"= 200 gone\n= 1 comm=init\n= 100 comm=sh")
	if s.Stats().Purged != 1 {
		t.Errorf("%d threads purged", s.Stats().Purged)
	}
}

// TestFlood runs 20 000 short processes of one parent, with threads, descriptors and lost exits among them.
func TestFlood(t *testing.T) {
	s := New(Config{MaxThreads: 1000})
	x := &script{t: t, s: s, now: 1e18}
	for _, w := range strings.Split(strings.TrimSpace(shell), "\n") {
		x.proc(fields(w)[1:])
	}
	tid := int64(1000)
	round := func(n int) {
		for range n {
			tid++
			if tid > 30000 {
				tid = 1000 // ids come round again
			}
			x.event(fields(fmt.Sprintf("100 clone res=%d exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh flags=0", tid)))
			x.event(fields(fmt.Sprintf("%d execve res=0 exe=ls args=-l comm=ls pid=%d ptid=100 env=A=%d", tid, tid, tid)))
			x.event(fields(fmt.Sprintf("%d openat fd=4 dirfd=-100 name=f%d flags=1", tid, tid)))
			if tid%100 != 0 {
				x.event(fields(fmt.Sprintf("%d procexit status=0", tid)))
			}
		}
	}
	round(5000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	round(15000)
	runtime.GC()
	runtime.ReadMemStats(&after)
	checkInvariants(t, s)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("15000 processes left %d bytes", grown)
	}
	if n := s.NumThreads(); n < 100 || n > 300 {
		t.Errorf("%d threads are left, about 200 lost their exit", n)
	}
	if c := s.Thread(100); c.Comm != "sh" || c.FDOpenCount() != 2 || s.Thread(tid) == nil {
		t.Errorf("the parent is damaged: %+v", c)
	}
}

// TestNoAllocations applies recorded events over and over.
func TestNoAllocations(t *testing.T) {
	for _, path := range captures(t) {
		snap, list, err := capturetest.Load(path)
		if err != nil || len(list) == 0 {
			continue
		}
		var events []event.Event
		for i := range list {
			var e event.Event
			if err := list[i].Event(&e); err != nil {
				t.Fatal(err)
			}
			// The description of a container is JSON, comes once for each, and may allocate.
			if e.Code != event.ContainerJsonV2E && e.Code != event.AsynceventE {
				events = append(events, e)
			}
		}
		s := New(Config{})
		s.Load(snap)
		apply := func() {
			for i := range events {
				s.Apply(&events[i])
			}
		}
		// A process that only executes fills up its lineage first.
		for range maxLineage + 6 {
			apply()
		}
		if n := testing.AllocsPerRun(3, apply); n > 0 {
			t.Errorf("%s: %v allocations for %d events", path, n, len(events))
		}
		checkInvariants(t, s)
	}
}
