package state

import "testing"

func TestDup(t *testing.T) {
	for name, text := range map[string]string{
		"dup": `
100 dup res=4 oldfd=3
= event fd=4 name=/etc/x changed=false
= 100/3 name=/etc/x`,
		"dup2 replaces": `
100 dup2 res=0 oldfd=3 newfd=0
= event fd=0 name=/etc/x
= 100 fds=2`,
		"dup3 closes on execve": `
100 dup3 res=4 oldfd=3 newfd=4 flags=0x1000
= event flags=0x1000
100 execve res=0 exe=x comm=x pid=100 ptid=1
= 100/4 none`,
		"dup clears close on execve": `
100 openat fd=4 dirfd=-100 name=a flags=0x1002
100 dup res=5 oldfd=4
= event flags=0x2`,
		"fcntl": `
100 fcntl res=10 fd=3 cmd=1 arg=10
= event fd=10 name=/etc/x flags=0x0
100 fcntl res=11 fd=3 cmd=26 arg=10
= event fd=11 flags=0x1000
100 fcntl res=0 fd=3 cmd=3 arg=1
= event fd=3 flags=0x1000
100 fcntl res=0 fd=3 cmd=3 arg=0
= event fd=3 flags=0x0
100 fcntl res=0 fd=3 cmd=4 arg=1
= event fd=3 flags=0x0`,
		"failed and unknown": `
100 dup2 res=-9 oldfd=3 newfd=4
= event fd=3
100 dup2 res=4 oldfd=55 newfd=4
= event fd=55 name=none
= 100/4 none`,
	} {
		t.Run(name, func(t *testing.T) { runScript(t, Config{}, shell+text) })
	}
}

// TestDupUnknown copies a descriptor that nothing is known of over one that has a name.
func TestDupUnknown(t *testing.T) {
	const text = shell + `
100 dup2 res=3 oldfd=55 newfd=3
100 fcntl res=0 fd=55 cmd=1 arg=0
`
	runScript(t, Config{FollowAll: true}, text+`
= 100/3 none
= 100/0 none`)
	runScript(t, Config{}, text+`
= 100/3 name=/etc/x
= 100/0 name=/dev/null`)
}
