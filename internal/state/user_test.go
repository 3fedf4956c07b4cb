package state

import (
	"fmt"
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

func TestAccounts(t *testing.T) {
	s := runScript(t, Config{}, shell+`
-1 useradded uid=7 gid=8 name=bob home=/home/bob shell=/bin/sh container_id=""
-1 useradded uid=7 gid=8 name=inner home=/ shell=/bin/ash container_id=abc
-1 groupadded gid=9 name=staff container_id=""
-1 useradded uid=10 gid=8 name=+nis home=/ shell=/ container_id=""
-1 useradded uid=11 gid=8 name=old home=/ shell=/ container_id=""
-1 userdeleted uid=11 gid=8 name=old home=/ shell=/ container_id=""
= event tid=none`)
	for _, x := range []struct {
		uid       uint32
		container string
		want      string
	}{
		{7, "", "bob /home/bob /bin/sh true"},
		{7, "abc", "inner / /bin/ash true"},
		{7, "xyz", "   false"},
		{0, "", "root /root <NA> true"},
		{0, "abc", "   false"},
		{10, "", "   false"},
		{11, "", "   false"},
	} {
		u, ok := s.User(x.uid, x.container)
		if got := fmt.Sprint(u.Name, " ", u.Home, " ", u.Shell, " ", ok); got != x.want {
			t.Errorf("user %d of %q: %q, want %q", x.uid, x.container, got, x.want)
		}
	}
	if g, ok := s.Group(9, ""); !ok || g.Name != "staff" {
		t.Errorf("group 9: %+v %v", g, ok)
	}
	s.ForgetContainer("abc")
	if _, ok := s.User(7, "abc"); ok {
		t.Error("a container that is gone still has users")
	}
}

func TestAccountBounds(t *testing.T) {
	s := New(Config{})
	for i := range maxContainers + 10 {
		s.AddUser(fmt.Sprint("c", i), event.User{UID: 1})
	}
	for i := range uint32(maxAccounts + 5) {
		s.AddGroup("", event.Group{GID: i})
	}
	if got := s.Stats().ContainersShed; got != 16 {
		t.Errorf("%d users and groups shed, want 11 and 5", got)
	}
}

// TestAllAccounts fills the lists of several containers, forgets one, and fills another.
func TestAllAccounts(t *testing.T) {
	s := New(Config{})
	fill := func(container string) (kept int) {
		before := s.Stats().ContainersShed
		for i := range uint32(maxAccounts) {
			s.AddUser(container, event.User{UID: i})
			s.AddUser(container, event.User{UID: i, Name: "again"})
		}
		return maxAccounts - int(s.Stats().ContainersShed-before)/2
	}
	var kept []int
	for i := range 6 {
		kept = append(kept, fill(fmt.Sprint("c", i)))
	}
	s.ForgetContainer("c1")
	kept = append(kept, fill("c6"))
	if got := fmt.Sprint(kept); got != "[65536 65536 65536 65536 0 0 65536]" {
		t.Errorf("of 65536 users of each container are kept %s", got)
	}
	if s.accounts.n != maxAllAccounts {
		t.Errorf("%d accounts counted, %d kept", s.accounts.n, maxAllAccounts)
	}
}

func TestNeedAccounts(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	var told []string
	cfg := Config{NeedAccounts: func(id string, pid int64) { told = append(told, fmt.Sprint(id, " ", pid)) }}
	runScript(t, cfg, shell+`
101 clone res=0 exe=sh pid=101 ptid=100 vtid=1 vpid=1 comm=sh flags=0x20000000 cgroups=cpu=/docker/`+id+`
102 clone res=0 exe=sh pid=102 ptid=101 vtid=2 vpid=2 comm=sh flags=0x20000000 cgroups=cpu=/docker/`+id+`
-1 useradded uid=7 gid=8 name=inner home=/ shell=/bin/ash container_id=0123456789ab
= 102 container=0123456789ab cgroups=cpu=/docker/`+id+`
101 procexit status=0
102 procexit status=0
103 clone res=0 exe=sh pid=103 ptid=100 vtid=1 vpid=1 comm=sh flags=0x20000000 cgroups=cpu=/docker/`+id+`
100 setuid res=0 uid=1234
100 setuid res=0 uid=1235
@ 11s
103 setuid res=0 uid=5
100 setuid res=0 uid=1234
100 setuid res=0 uid=0`)
	if got := fmt.Sprint(told); got != "[0123456789ab 101 0123456789ab 103  100 0123456789ab 103  100]" {
		t.Errorf("containers told: %s", got)
	}
}
