package state

import "testing"

// TestCloneParent has runc start the first process of a container: a sibling that inherits from its caller.
func TestCloneParent(t *testing.T) {
	const runc = `
proc tid=1 ptid=0 comm=init exe=/sbin/init
proc tid=90 ptid=1 comm=shim exe=shim exepath=/bin/shim cwd=/shim env=S=1 fd.0=/dev/null fd.9=/shim/secret
proc tid=100 ptid=90 comm=runc exe=runc exepath=/bin/runc cwd=/bundle env=R=1 fd.3=/bundle/rootfs sid=100
proc tid=80 ptid=90 comm=other exe=other exepath=/bin/other
`
	const like = "exepath=/bin/runc cwd=/bundle/ env=R=1 fds=1 sid=100 parent=90 lineage=runc<shim<init"
	for name, text := range map[string]string{
		"caller first": `
100 clone res=101 exe=runc pid=100 ptid=90 vtid=100 vpid=100 comm=runc flags=0x100
101 clone res=0 exe=runc:[2:INIT] pid=101 ptid=90 vtid=1 vpid=1 comm=runc:[2:INIT] flags=0x20000100
= event tid=101
= 101 ` + like + `
= 101/3 name=/bundle/rootfs
101 close res=0 fd=3
101 getuid
= 101/3 none
= 100/3 name=/bundle/rootfs`,
		"child first": `
101 clone res=0 exe=runc:[2:INIT] pid=101 ptid=90 vtid=1 vpid=1 comm=runc:[2:INIT] flags=0x20000100
= 101 exepath=/bin/shim
100 clone res=101 exe=runc pid=100 ptid=90 vtid=100 vpid=100 comm=runc flags=0x100
= event tid=100
= 101 ` + like + `
= 101/3 name=/bundle/rootfs
= 90/9 name=/shim/secret`,
		"child first, in a pid namespace": `
101 clone res=0 exe=runc pid=101 ptid=90 vtid=7 vpid=7 comm=x flags=0x20000100
= 101 exepath=/bin/shim
102 clone res=0 exe=runc pid=102 ptid=100 vtid=3 vpid=3 comm=runc flags=0x20000000
= 102 exepath=/bin/runc
103 clone res=0 exe=other pid=103 ptid=100 vtid=8 vpid=8 comm=y flags=0x20000100
102 clone res=8 exe=runc pid=102 ptid=100 vtid=3 vpid=3 comm=runc flags=0x20000100
= 103 exe=other exepath=/bin/runc parent=100
= 101 exepath=/bin/shim`,
		"only the child": `
101 clone res=0 exe=runc pid=101 ptid=90 vtid=1 vpid=1 comm=runc flags=0x20000100
= 101 ` + like,
		"a child that has done something since": `
101 clone res=0 exe=x pid=101 ptid=90 vtid=101 vpid=101 comm=x flags=0x100
@ 1ms
101 openat fd=4 dirfd=-100 name=y flags=1
100 clone res=101 exe=x pid=100 ptid=90 vtid=100 vpid=100 comm=runc flags=0x100
= 101/4 name=/shim/y
= 101 exepath=/bin/shim`,
		"a caller that is gone": `
100 clone res=101 exe=runc pid=100 ptid=90 vtid=100 vpid=100 comm=runc flags=0x100
100 procexit status=0
101 clone res=0 exe=runc pid=101 ptid=90 vtid=101 vpid=101 comm=runc flags=0x100
= 101 exepath=/bin/shim parent=90`,
		"a caller that a thread of the parent made": `
90 clone res=91 exe=shim pid=90 ptid=1 vtid=90 vpid=90 comm=shim flags=0x2001
91 clone res=110 exe=shim pid=90 ptid=1 vtid=91 vpid=90 comm=shim
110 execve res=0 exe=runc comm=runc trusted_exepath=/bin/runc pid=110 ptid=90
= 110 ptid=91 exepath=/bin/runc
110 clone res=111 exe=runc pid=110 ptid=90 vtid=110 vpid=110 comm=runc flags=0x100
111 clone res=0 exe=runc:[2:INIT] pid=111 ptid=90 vtid=1 vpid=1 comm=runc:[2:INIT] flags=0x20000100
= 111 exepath=/bin/runc parent=90
112 clone res=0 exe=x pid=112 ptid=90 vtid=112 vpid=112 comm=x flags=0x100
= 112 exepath=/bin/shim
110 clone res=112 exe=runc pid=110 ptid=90 vtid=110 vpid=110 comm=runc flags=0x100
= 112 exepath=/bin/runc`,
		"a thread": `
100 clone res=101 exe=runc pid=100 ptid=90 vtid=100 vpid=100 comm=runc flags=0x2100
101 clone res=0 exe=runc pid=100 ptid=90 vtid=101 vpid=100 comm=runc flags=0x2100
= 101 pid=100 cwd=/bundle/ main=100`,
		"an old note of another child with the id": `
100 clone res=101 exe=runc pid=100 ptid=90 vtid=100 vpid=100 comm=runc flags=0x100
@ 3s
101 clone res=0 exe=z pid=101 ptid=90 vtid=101 vpid=101 comm=z flags=0x100
= 101 exepath=/bin/shim`,
	} {
		t.Run(name, func(t *testing.T) { runScript(t, Config{FollowAll: true}, runc+text) })
	}
	t.Run("as Falco has it", func(t *testing.T) {
		runScript(t, Config{}, runc+`
100 clone res=101 exe=runc pid=100 ptid=90 vtid=100 vpid=100 comm=runc flags=0x100
101 clone res=0 exe=runc pid=101 ptid=90 vtid=1 vpid=1 comm=runc flags=0x20000100
= 101 exepath=/bin/shim cwd=/shim/`)
	})
}
