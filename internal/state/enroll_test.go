package state

import (
	"fmt"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

func TestLateParent(t *testing.T) {
	// A scan may list children before their parents and threads before their main thread.
	runScript(t, Config{}, `
proc tid=12 pid=11 ptid=10 comm=thread flags=0x2001
proc tid=11 ptid=10 comm=child fd.3=/x
proc tid=10 ptid=1 comm=parent
proc tid=1 ptid=0 comm=init
10 getuid
= 11 parent=10 threads=2
= 12 main=11 fds=1
= 10 parent=1`)
}

func TestInitialLineage(t *testing.T) {
	s := runScript(t, Config{}, `
proc tid=12 ptid=11 comm=worker exe=nginx args=-g
proc tid=13 pid=12 ptid=11 comm=pool exe=nginx args=-g flags=0x2001
proc tid=11 ptid=10 comm=nginx exe=nginx args=-g
proc tid=10 ptid=1 comm=sh exe=sh
proc tid=1 ptid=0 comm=init exe=init
proc tid=20 ptid=21 comm=a exe=a
proc tid=21 ptid=20 comm=b exe=b
10 getuid
= 12 lineage=worker<sh<init
= 11 lineage=nginx<sh<init
12 execve res=0 exe=x comm=x pid=12 ptid=11
= 12 lineage=x<worker<sh<init`)
	if s.Thread(20).Image.Parent == s.Thread(21).Image && s.Thread(21).Image.Parent == s.Thread(20).Image {
		t.Error("images are each other's parent")
	}
}

func TestLoadSockets(t *testing.T) {
	ip := func(a, b, c, d byte) [16]byte { return [16]byte{a, b, c, d} }
	s := New(Config{})
	s.Load(&event.Snapshot{
		Interfaces: []event.Interface{{Name: "lo", Addr: ip(127, 0, 0, 1), Mask: ip(255, 0, 0, 0)}, {Name: "eth0", Addr: ip(10, 0, 0, 1), Mask: ip(255, 255, 255, 0)}},
		Processes: []event.Process{{TID: 5, PID: 5, FDs: []event.Descriptor{
			{FD: 3, Type: event.FDIPv4Server, DIP: ip(0, 0, 0, 0), DPort: 80, L4: event.L4TCP},
			{FD: 4, Type: event.FDIPv4, SIP: ip(10, 0, 0, 1), SPort: 80, DIP: ip(9, 9, 9, 9), DPort: 1234, L4: event.L4TCP},
			{FD: 5, Type: event.FDIPv4, SIP: ip(10, 0, 0, 1), SPort: 999, DIP: ip(9, 9, 9, 9), DPort: 443, L4: event.L4TCP},
			{FD: 6, Type: event.FDUnix, Name: "/run/x", UnixSource: 1},
			{FD: 7, Type: event.FDUnix, UnixSource: 2},
			{FD: 8, Type: event.FDIPv4, SPort: 53, DIP: ip(10, 0, 0, 9), DPort: 54, L4: event.L4UDP},
			{FD: 9, Type: event.FDType(99), Name: "new"},
		}}},
	})
	want := "3 0.0.0.0:80 none\n4 9.9.9.9:1234->10.0.0.1:80 server\n5 10.0.0.1:999->9.9.9.9:443 client\n6 /run/x server\n7  client\n" +
		"8 10.0.0.1:53->10.0.0.9:54 client\n9 new none\n"
	var got strings.Builder
	s.Thread(5).FDs().Each(func(fd int64, d *FD) bool {
		role, _ := fdText(d, "role")
		fmt.Fprintln(&got, fd, d.Name, role)
		return true
	})
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
	a, b := ip(10, 0, 0, 1), ip(10, 0, 0, 7)
	if !s.IsLocal(&a, false) || s.IsLocal(&b, false) || !s.IsLocalNet(&b) {
		t.Error("local addresses are not told from others")
	}
}
