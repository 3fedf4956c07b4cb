package state

import "testing"

func TestSession(t *testing.T) {
	const text = shell + `
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh
101 clone res=102 exe=sh pid=101 ptid=100 vtid=101 vpid=101 comm=sh
= 102 session=100 sid=100
101 setsid res=101
= 101 session=101
= 102 session=100
101 setsid res=-1
= 101 sid=101
`
	runScript(t, Config{}, text+`
101 setpgid res=0 pid=102 pgid=0
= 102 pgid=100
101 prctl res=0 option=15 arg2_str=evil arg2_int=0
= 101 comm=sh`)
	runScript(t, Config{FollowAll: true}, text+`
101 setpgid res=0 pid=102 pgid=0
= 102 pgid=102 vpgid=102
101 setpgid res=0 pid=0 pgid=102
= 101 pgid=102
101 prctl res=0 option=15 arg2_str=kworker/0:1-events arg2_int=0
= 101 comm=kworker/0:1-eve exe=sh`)
}

func TestSessionInNamespace(t *testing.T) {
	// In a pid namespace the ids are inner ones: the leader is the oldest ancestor with the same session.
	runScript(t, Config{}, shell+`
101 clone res=0 exe=sh pid=101 ptid=100 vtid=1 vpid=1 comm=sh flags=0x20000000
101 setsid res=1
102 clone res=0 exe=sh pid=102 ptid=101 vtid=2 vpid=2 comm=sh flags=0x20000000
103 clone res=0 exe=sh pid=103 ptid=102 vtid=3 vpid=3 comm=sh flags=0x20000000
= 103 sid=1 session=101`)
}
