package state

import "testing"

func TestExit(t *testing.T) {
	const family = shell + `
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh
101 clone res=102 exe=sh pid=101 ptid=100 vtid=101 vpid=101 comm=sh
`
	for name, text := range map[string]string{
		"gone at the next event": `
102 procexit status=0
= event tid=102
= 102 dead=true
100 getuid
= 102 gone`,
		"children go to init": `
101 procexit status=0
100 getuid
= 102 ptid=1 parent=1`,
		"children go to the reaper that the kernel names": `
101 procexit status=0 reaper_tid=100
100 getuid
= 102 ptid=100 parent=100`,
		"children go to the closest subreaper": `
100 prctl res=0 option=36 arg2_int=1
101 procexit status=0 reaper_tid=0
100 getuid
= 102 ptid=100`,
		"no longer a subreaper": `
100 prctl res=0 option=36 arg2_int=1
100 prctl res=0 option=36 arg2_int=0
101 procexit status=0
100 getuid
= 102 ptid=1`,
		"children go to another thread of the process": `
101 clone res=103 exe=sh pid=101 ptid=100 vtid=101 vpid=101 comm=sh flags=0x2001
101 procexit status=0
100 getuid
= 102 ptid=103
= 101 dead=true
= 103 threads=1
103 procexit status=0
100 getuid
= 101 gone
= 103 gone
= 102 ptid=1`,
		"a process without its main thread goes on": `
101 clone res=103 exe=sh pid=101 ptid=100 vtid=101 vpid=101 comm=sh flags=0x2001
101 procexit status=0
103 chdir res=0 path=/tmp
103 openat fd=7 dirfd=-100 name=y flags=1
= 103 threads=1 others=1 main=101 cwd=/tmp/ fds=3 parent=100 grandparent=1
= 103/7 name=/tmp/y
103 clone res=104 exe=sh pid=101 ptid=100 vtid=103 vpid=101 comm=sh
= 104 ptid=103 cwd=/tmp/ fds=3
105 clone res=0 exe=sh pid=105 ptid=101 vtid=105 vpid=105 comm=sh
= 105 cwd=/tmp/ fds=3 parent=101 grandparent=100
101 execve res=0 exe=ls comm=ls pid=101 ptid=100
= 101 dead=false comm=ls threads=1 others=0
= 103 gone
= 105 parent=101`,
		"a thread exits": `
101 clone res=103 exe=sh pid=101 ptid=100 vtid=101 vpid=101 comm=sh flags=0x2001
103 procexit status=0
100 getuid
= 103 gone
= 101 threads=1 fds=2
= 102 ptid=101`,
		"nobody to take the children": `
1 procexit status=0
100 procexit status=0
101 procexit status=0
102 getuid
= 102 ptid=0`,
		"lineage survives": `
101 execve res=0 exe=make comm=make pid=101 ptid=100
101 clone res=104 exe=make pid=101 ptid=100 vtid=101 vpid=101 comm=make
104 execve res=0 exe=cc comm=cc pid=104 ptid=101
101 procexit status=0
100 procexit status=0
104 getuid
= 104 lineage=cc<make<sh<init ptid=1`,
		"exit of an unknown thread": `
999 procexit status=0
= event tid=none
100 getuid
= 999 gone`,
	} {
		t.Run(name, func(t *testing.T) { runScript(t, Config{}, family+text) })
	}
}

func TestExitedSet(t *testing.T) {
	var x exitedSet
	x.init()
	for i := range int64(8000) {
		x.add(i, 1, 1e12)
	}
	found := 0
	for i := range int64(8000) {
		if x.has(i, 1, 1e12+1e9) {
			found++
		}
		if x.has(i, 2, 1e12) || x.has(i, 1, 1e12+2e9) || x.has(i, 1, 1e12-1) {
			t.Fatalf("child %d is found for another parent or at another time", i)
		}
	}
	if found < 6500 {
		t.Errorf("%d of 8000 exits are remembered", found)
	}
}
