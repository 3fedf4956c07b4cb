package state

import (
	"fmt"
	"strings"
	"testing"
)

func TestParentLoop(t *testing.T) {
	s := runScript(t, Config{}, `
proc tid=10 ptid=11 comm=a
proc tid=11 ptid=12 comm=b
proc tid=12 ptid=10 comm=c
10 getuid`)
	n := 0
	if s.Thread(10).EachAncestor(func(*Thread) bool { n++; return n < 1000 }) || n > 10 {
		t.Errorf("the loop is not noticed, %d ancestors", n)
	}
	if a := s.Thread(10).Ancestor(5); a == nil {
		t.Error("an ancestor on a loop is unknown")
	}
	if a := s.Thread(10).Ancestor(1 << 40); a != nil {
		t.Errorf("thread %d is an ancestor after a walk without end", a.TID)
	}
	if l := s.Thread(10).SessionLeader(); l != nil {
		t.Errorf("session leader %d of no session", l.TID)
	}
}

// TestParentLoops walks up from threads whose ancestry leads into loops, at once or late, as when ids are used again and events were lost.
func TestParentLoops(t *testing.T) {
	for tail := range 6 {
		for loop := 1; loop < 7; loop++ {
			var text strings.Builder
			for i := range tail + loop {
				up := i + 1
				if up == tail+loop {
					up = tail
				}
				fmt.Fprintf(&text, "proc tid=%d ptid=%d comm=x\n", 10+i, 10+up)
			}
			s := runScript(t, Config{}, text.String()+"10 getuid")
			for i := range tail + loop { // the links are set, not taken from events: those are not known to make loops
				up := i + 1
				if up == tail+loop {
					up = tail
				}
				s.Thread(int64(10 + i)).PTID = int64(10 + up)
			}
			n := 0
			ended := s.Thread(10).EachAncestor(func(*Thread) bool { n++; return n < 1000 })
			if ended || n > 2*(tail+loop) {
				t.Errorf("%d threads lead to a loop of %d: %d ancestors, ended: %v", tail, loop, n, ended)
			}
			_, _, _ = s.Thread(10).SessionLeader(), s.Thread(10).GroupLeader(), s.Thread(10).VGroupLeader()
			if r := s.reaperOf(s.Thread(10)); r != nil && r.TID == 10 {
				t.Error("a thread is its own reaper")
			}
		}
	}
}

func TestThreadQueriesDoNotAllocate(t *testing.T) {
	s := runScript(t, Config{}, shell+`
101 clone res=0 exe=sh pid=101 ptid=100 vtid=5 vpid=5 comm=sh flags=0x20000000`)
	th := s.Thread(101)
	fds := 0
	if n := testing.AllocsPerRun(100, func() {
		_, _, _ = th.SessionLeader(), th.GroupLeader(), th.VGroupLeader()
		_, _, _ = th.Ancestor(3), th.Cwd(), th.Env()
		th.FDs().Each(func(int64, *FD) bool { fds++; return true })
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestUnknownThread(t *testing.T) {
	s := runScript(t, Config{}, "7 openat fd=3 dirfd=-100 name=x flags=1\n= 7/3 name=./x\n= 7 cwd=./ fds=0 threads=0 others=0 limit=0 env=\"\" session=none container=\"\"")
	if !s.Thread(7).Invalid() || s.Thread(7).InPidNS() || s.Thread(8) != nil {
		t.Error("a thread that nothing is known of passes for a known one")
	}
}
