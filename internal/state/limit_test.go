package state

import "testing"

func TestLimits(t *testing.T) {
	runScript(t, Config{}, shell+`
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh flags=0x2001
101 setrlimit res=0 cur=50 max=60 resource=7
= 100 limit=50
= 101 limit=50
101 setrlimit res=0 cur=51 max=60 resource=6
= 100 limit=50
1 prlimit res=0 newcur=70 newmax=70 oldcur=0 oldmax=0 pid=100 resource=7
= 100 limit=70
100 prlimit res=0 newcur=71 newmax=71 oldcur=0 oldmax=0 pid=0 resource=7
= 100 limit=71
100 prlimit res=0 newcur=-1 newmax=-1 oldcur=0 oldmax=0 pid=0 resource=7
= 100 limit=71`)
}

// TestLimitsLive is about what a replay has as Falco has it: calls that only ask, and numbers of another pid namespace.
func TestLimitsLive(t *testing.T) {
	const text = shell + `
101 clone res=0 exe=sh pid=101 ptid=100 vtid=1 vpid=1 comm=sh flags=0x20000000
100 prlimit res=0 newcur=70 newmax=70 oldcur=50 oldmax=60 pid=0 resource=7
100 prlimit res=0 newcur=0 newmax=0 oldcur=70 oldmax=70 pid=0 resource=7
101 prlimit res=0 newcur=20 newmax=20 oldcur=50 oldmax=60 pid=100 resource=7
101 prlimit res=0 newcur=20 newmax=20 oldcur=50 oldmax=60 pid=999 resource=7
101 prlimit res=0 newcur=30 newmax=30 oldcur=50 oldmax=60 pid=1 resource=7
`
	runScript(t, Config{FollowAll: true}, text+`
= 100 limit=70
= 101 limit=30
= 999 gone`)
	runScript(t, Config{}, text+`
= 100 limit=20
= 1 limit=30
= 999 unknown=true`)
}
