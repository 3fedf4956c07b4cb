package state

import "testing"

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
	if l := s.Thread(10).SessionLeader(); l != nil {
		t.Errorf("session leader %d of no session", l.TID)
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
