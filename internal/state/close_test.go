package state

import "testing"

func TestClose(t *testing.T) {
	for name, text := range map[string]string{
		"gone at the next event": `
100 close res=0 fd=3
= event fd=3 name=/etc/x
= 100/3 name=/etc/x
100 getuid
= 100/3 none`,
		"failed": `
100 close res=-9 fd=3
100 getuid
= 100/3 name=/etc/x`,
		"reopened at once": `
100 close res=0 fd=3
100 openat fd=3 dirfd=-100 name=new flags=1
100 getuid
= 100/3 name=/home/new`,
		"range": `
100 openat fd=70 dirfd=-100 name=a flags=1
100 openat fd=20000 dirfd=-100 name=b flags=1
100 close_range res=0 first=3 last=100 flags=0
= 100/0 name=/dev/null
= 100/3 none
= 100/70 none
= 100/20000 name=/home/b
100 close_range res=0 first=3 last=4294967295 flags=0
= 100 fds=1`,
		"range that closes on execve": `
100 openat fd=20000 dirfd=-100 name=b flags=1
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh
101 close_range res=0 first=3 last=4294967295 flags=4
= 101/3 flags=0x1000
= 101/20000 flags=0x1001
= 100/3 flags=0x0
101 execve res=0 exe=ls comm=ls pid=101 ptid=100
= 101 fds=1
= 100 fds=3`,
		"range of a table of its own": `
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh flags=1
101 close_range res=0 first=3 last=3 flags=2
= 101/3 none
= 100/3 name=/etc/x`,
	} {
		t.Run(name, func(t *testing.T) { runScript(t, Config{}, shell+text) })
	}
}
