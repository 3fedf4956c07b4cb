package state

import "testing"

const shell = `
proc tid=1 ptid=0 comm=init exe=/sbin/init
proc tid=100 ptid=1 comm=sh exe=sh exepath=/bin/sh cwd=/home env=A=1,B=2 fd.0=/dev/null fd.3=/etc/x sid=100 pgid=100
`

func TestClone(t *testing.T) {
	for name, text := range map[string]string{
		"caller first": `
100 clone res=101 exe=sh tid=100 pid=100 ptid=1 vtid=100 vpid=100 comm=sh flags=0 uid=5 gid=6
= event tid=100
= 101 pid=101 ptid=100 comm=sh exepath=/bin/sh cwd=/home/ env=A=1,B=2 uid=5 gid=6 sid=100 pgid=100 fds=2 lineage=sh<init
101 clone res=0 exe=sh tid=101 pid=101 ptid=100 vtid=101 vpid=101 comm=sh flags=0 uid=5 gid=6
= event tid=101
= 101 ptid=100 fds=2`,
		"child first": `
101 clone res=0 exe=sh tid=101 pid=101 ptid=100 vtid=101 vpid=101 comm=sh flags=0
= event tid=101
100 clone res=101 exe=sh tid=100 pid=100 ptid=1 vtid=100 vpid=100 comm=sh flags=0
= 101 ptid=100 cwd=/home/ parent=100 grandparent=1`,
		"container: only the child's event counts, as the caller knows the child's inner id": `
100 clone res=7 exe=sh pid=100 ptid=1 vtid=3 vpid=3 comm=sh flags=0x20000000
= 7 gone
101 clone res=0 exe=sh tid=101 pid=101 ptid=100 vtid=7 vpid=7 comm=sh flags=0x20000000 pidns_init_start_ts=12
= 101 vtid=7 vpid=7 ptid=100`,
		"vfork: only the child's event counts": `
100 vfork res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh flags=0
= 101 gone
100 clone res=102 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh flags=0x8000000
= 102 gone
101 vfork res=0 exe=sh pid=101 ptid=100 vtid=101 vpid=101 comm=sh flags=0
= 101 ptid=100`,
		"thread": `
100 clone3 res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh flags=0xa003
= 101 pid=100 ptid=1 cwd=/home/ fds=2 threads=2 others=1 main=100
101 openat fd=4 dirfd=-100 name=y flags=1
= 100/4 name=/home/y
101 chdir res=0 path=/tmp
= 100 cwd=/tmp/`,
		"descriptors of a fork are its own": `
100 fork res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh
101 openat fd=4 dirfd=-100 name=y flags=1
101 dup2 res=0 oldfd=4 newfd=0
= 101/0 name=/home/y
= 100/0 name=/dev/null
= 100/4 none
100 close res=0 fd=3
100 getuid
= 100/3 none
= 101/3 name=/etc/x`,
		"CLONE_FILES and CLONE_FS share until execve": `
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh flags=3
101 openat fd=4 dirfd=-100 name=y flags=0x1001
101 chdir res=0 path=/tmp
= 100/4 name=/home/y
= 100 cwd=/tmp/
101 execve res=0 exe=ls pid=101 ptid=100 comm=ls
= 101/4 none
= 100/4 name=/home/y`,
		"unshare": `
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh flags=3
101 unshare res=0 flags=3
101 openat fd=4 dirfd=-100 name=y flags=1
101 chdir res=0 path=/tmp
= 100/4 none
= 100 cwd=/home/`,
		"a reused id replaces the old thread": `
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh
101 execve res=0 exe=old pid=101 ptid=100 comm=old
@ 10s
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh
= 101 comm=sh
@ 10s
101 clone res=0 exe=sh2 pid=101 ptid=100 vtid=101 vpid=101 comm=sh2
= 101 comm=sh2 exe=sh2 exepath=/bin/sh env=A=1,B=2`,
		"a child that is gone already does not come back": `
101 clone res=0 exe=sh pid=101 ptid=100 vtid=101 vpid=101 comm=sh
101 procexit status=0
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh
= 101 gone
@ 3s
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh
= 101 comm=sh`,
		"a thread that is gone already does not come back": `
101 clone res=0 exe=sh tid=101 pid=100 ptid=1 vtid=101 vpid=100 comm=sh flags=0x2001
101 procexit status=0
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh flags=0x2001
= 101 gone
= 100 threads=1`,
		"unknown caller": `
200 clone res=201 exe=/bin/x args=a,b pid=200 ptid=1 vtid=200 vpid=200 comm=x uid=9
= 200 comm=x exe=/bin/x ptid=1 unknown=false args=a,b
= 201 ptid=200 uid=9 args=a,b
= event tid=200`,
		"unknown leader of a thread": `
201 clone res=0 exe=x pid=200 ptid=1 vtid=201 vpid=200 comm=x flags=0x2000
= 200 pid=200 ptid=1 comm=x threads=2
= 201 main=200`,
		"failed": `
100 clone res=-11 exe=sh pid=100 ptid=1
= event tid=100
= 100 threads=1`,
		"a process that overwrote its arguments": `
100 clone res=101 exe="sshd: root" args=x pid=100 ptid=1 vtid=100 vpid=100 comm=sh
= 101 exe="sshd: root" args=x exepath=/bin/sh env=A=1,B=2
= 100 exe=sh args=""`,
	} {
		t.Run(name, func(t *testing.T) { runScript(t, Config{}, shell+text) })
	}
}

// TestCloneOfFound applies the caller's event of a clone after the child was found in /proc, as at the start: what was found is newer.
func TestCloneOfFound(t *testing.T) {
	const text = shell + `
proc tid=101 ptid=100 comm=ls exe=ls exepath=/bin/ls age=900
proc tid=102 ptid=100 comm=old exe=old exepath=/bin/old age=60000
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh
100 clone res=102 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh
`
	runScript(t, Config{Proc: &fakeProc{}}, text+`
= 101 comm=ls exepath=/bin/ls
= 102 comm=sh exepath=/bin/sh`)
	runScript(t, Config{}, text+`
= 101 comm=sh
= 102 comm=sh`)
}
