package state

import "testing"

func TestCredentials(t *testing.T) {
	for name, text := range map[string]string{
		"users": `
100 setuid res=0 uid=5
= 100 uid=5
100 setreuid res=0 ruid=1 euid=6
= 100 uid=6
100 setresuid res=0 ruid=1 euid=7 suid=2
= 100 uid=7
100 setuid res=-1 uid=0
= 100 uid=7
100 setresuid res=0 ruid=1 euid=4294967295 suid=2
= 100 uid=7`,
		"groups": `
100 setgid res=0 gid=5
= 100 gid=5
100 setregid res=0 rgid=1 egid=6
= 100 gid=6
100 setresgid res=0 rgid=1 egid=7 sgid=2
= 100 gid=7`,
		"capabilities": `
100 capset res=0 cap_inheritable=1 cap_permitted=2 cap_effective=3
= 100 caps=1:2:3
100 capset res=-1 cap_inheritable=9 cap_permitted=9 cap_effective=9
= 100 caps=1:2:3
100 unshare res=0 flags=0x100000
= 100 caps=1:2:3
100 setsid res=-1
= 100 caps=1ffffffffff:1ffffffffff:1ffffffffff`,
		"entering a user namespace": `
100 setns res=0 fd=3 nstype=0x100000
100 setsid res=-1
= 100 caps=1ffffffffff:1ffffffffff:1ffffffffff`,
	} {
		t.Run(name, func(t *testing.T) { runScript(t, Config{FollowAll: true}, shell+text) })
	}
	for _, enter := range []string{"unshare res=0 flags=0x100000", "setns res=0 fd=3 nstype=0x100000"} {
		runScript(t, Config{}, shell+"\n100 "+enter+"\n= 100 caps=1ffffffffff:1ffffffffff:1ffffffffff")
	}
}
