package state

import "testing"

func TestExec(t *testing.T) {
	for name, text := range map[string]string{
		"attributes": `
100 execve res=0 exe=ls args=-l,/tmp tid=100 pid=100 ptid=1 comm=ls env=X=1,Y=2 tty=5 loginuid=7 flags=1 exe_ino=44 exe_ino_ctime=99 exe_ino_mtime=98 uid=3 gid=4 pgid=100 vpgid=100 trusted_exepath="/bin/ls (deleted)" cap_inheritable=1 cap_permitted=2 cap_effective=3 fdlimit=77 vm_size=1 vm_rss=2 vm_swap=3 pgft_maj=4 pgft_min=5
= event tid=100
= 100 comm=ls exe=ls args=-l,/tmp env=X=1,Y=2 exepath=/bin/ls uid=3 gid=4 login=7 pgid=100 caps=1:2:3 limit=77 vm=1:2:3 faults=4:5 writable=true ino=44 lineage=ls<sh<init`,
		"failed": `
100 execve res=-2 exe=ls comm=ls pid=100 ptid=1
= 100 comm=sh exe=sh`,
		"close on exec": `
100 openat fd=4 dirfd=-100 name=/a flags=0x1001
100 openat fd=5 dirfd=-100 name=/b flags=1
100 epoll_create1 res=6 flags=1
100 memfd_create fd=7 name=m flags=1
100 execve res=0 exe=ls comm=ls pid=100 ptid=1
= 100/4 none
= 100/5 name=/b
= 100/6 none
= 100/7 none
= 100/3 name=/etc/x`,
		"close on exec leaves the parent's descriptors": `
100 openat fd=4 dirfd=-100 name=/a flags=0x1001
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh
101 execve res=0 exe=ls comm=ls pid=101 ptid=100
= 101/4 none
= 100/4 name=/a`,
		"the other threads end": `
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh flags=0x2001
100 clone res=102 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh flags=0x2001
= 100 threads=3
100 execve res=0 exe=ls comm=ls pid=100 ptid=1
= 101 gone
= 102 gone
= 100 threads=1`,
		"from a thread after the main thread exited": `
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh flags=0x2001
100 procexit status=0
100 getuid
= 100 dead=true threads=1 others=1
100 execve res=0 exe=ls comm=ls pid=100 ptid=1
= 100 dead=false threads=1 comm=ls
= 101 gone`,
		"nothing known before": `
300 execve res=0 exe=ls args=-l comm=ls pid=300 ptid=100
= 300 comm=ls ptid=100 parent=100 vpid=300 unknown=false
= 300 lineage=ls<sh<init`,
		"path from the enter event of old captures": `
100 >execve filename=../bin/ls
100 execve res=0 exe=ls comm=ls pid=100 ptid=1
= 100 exepath=/bin/ls`,
		"path from execveat's descriptor": `
100 >execveat dirfd=3 pathname=<NA> flags=1
100 execve res=0 exe=x comm=x pid=100 ptid=1
= 100 exepath=/etc/x`,
		"path relative to execveat's directory": `
100 openat fd=4 dirfd=-100 name=/opt flags=0x401
100 >execveat dirfd=4 pathname=bin/tool flags=0
100 execve res=0 exe=x comm=x pid=100 ptid=1
= 100 exepath=/opt/bin/tool`,
		"container": `
100 execve res=0 exe=x comm=x pid=100 ptid=1 cgroups=cpu=/docker/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
= 100 container=0123456789ab`,
	} {
		t.Run(name, func(t *testing.T) { runScript(t, Config{}, shell+text) })
	}
}
