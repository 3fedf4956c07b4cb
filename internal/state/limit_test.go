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
