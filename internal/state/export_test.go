package state

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

// full is a snapshot in which every value that a capture holds is set.
func full() *event.Snapshot {
	ip := func(b ...byte) (a [16]byte) { copy(a[:], b); return a }
	v6 := [16]byte{0x20, 1, 0xd, 0xb8, 15: 1}
	return &event.Snapshot{
		Machine: event.Machine{NumCPUs: 4, MemoryBytes: 1 << 33, MaxPID: 4194304, Hostname: "host", BootTime: 5e17, Flags: 1},
		Processes: []event.Process{
			{
				TID: 1, PID: 1, VTID: 1, VPID: 1, SID: 1, VPGID: 1, PGID: 1, Comm: "init", Exe: "/sbin/init", ExePath: "/sbin/init", Cwd: "/", Root: "/",
				Flags: FlagActive | FlagNameChanged,
			},
			{
				TID: 70, PID: 70, PTID: 1, SID: 70, VPGID: 71, PGID: 72, VTID: 7, VPID: 7, Comm: "nginx", Exe: "nginx", ExePath: "/usr/sbin/nginx",
				Args: []string{"-g", "daemon off;"}, Env: []string{"A=1", "B="}, Cwd: "/srv/", Root: "/jail",
				Cgroups: []string{"cpu=/a", "memory=/b"}, FDLimit: 1024, Flags: FlagActive | FlagNameChanged, UID: 33, GID: 34, LoginUID: 1000, TTY: 34816,
				VMSize: 1, VMRSS: 2, VMSwap: 3, PFMajor: 4, PFMinor: 5, PidnsInitStart: 6e17, CapInheritable: 8, CapPermitted: 9,
				CapEffective: 10, ExeWritable: true, ExeUpperLayer: true, ExeLowerLayer: true, ExeFromMemfd: true, ExeIno: 11, ExeCtime: 12, ExeMtime: 13,
				FDs: []event.Descriptor{
					{FD: 0, Type: event.FDFileV2, Name: "/dev/null", Ino: 5, OpenFlags: 3, Dev: 7, MountID: 9},
					{FD: 1, Type: event.FDFifo, Name: "pipe:[7]", Ino: 7},
					{FD: 3, Type: event.FDIPv4Server, SIP: ip(10, 0, 0, 1), SPort: 80, L4: event.L4TCP},
					{FD: 4, Type: event.FDIPv4, SIP: ip(10, 0, 0, 1), SPort: 80, DIP: ip(10, 0, 0, 9), DPort: 4321, L4: event.L4TCP},
					{FD: 5, Type: event.FDIPv4, SIP: ip(10, 0, 0, 1), SPort: 5555, DIP: ip(1, 1, 1, 1), DPort: 53, L4: event.L4UDP},
					{FD: 6, Type: event.FDIPv6Server, SIP: v6, SPort: 443, L4: event.L4TCP},
					{FD: 7, Type: event.FDIPv6, SIP: v6, SPort: 443, DIP: v6, DPort: 4444, L4: event.L4TCP},
					{FD: 8, Type: event.FDUnix, Name: "/run/x.sock", UnixSource: 77, UnixPeer: 78},
					{FD: 9, Type: event.FDDirectory, Name: "/etc"},
					{FD: 20000, Type: event.FDMemfd, Name: "memfd:x"},
				},
			},
			{
				TID: 71, PID: 70, PTID: 1, SID: 70, VPGID: 71, PGID: 72, VTID: 8, VPID: 7, Comm: "worker", Exe: "nginx", ExePath: "/usr/sbin/nginx", Cwd: "/srv/",
				Flags: FlagActive | FlagNameChanged | FlagCloneThread | FlagCloneFiles,
			},
		},
		Users:  []event.User{{UID: 0, Name: "root", Home: "/root", Shell: "/bin/sh"}, {UID: 33, GID: 34, Name: "www"}},
		Groups: []event.Group{{GID: 0, Name: "root"}, {GID: 34, Name: "www"}},
		Interfaces: []event.Interface{
			{Name: "eth0", Addr: ip(10, 0, 0, 1), Mask: ip(255, 0, 0, 0), Broadcast: ip(10, 255, 255, 255), LinkSpeed: 1000},
			{Name: "eth0", IPv6: true, Addr: v6},
		},
	}
}

// TestSnapshot compares what was loaded with what is exported: nothing is lost or zero.
func TestSnapshot(t *testing.T) {
	s := New(Config{})
	want := full()
	s.Load(full())
	got := s.Snapshot()
	names := map[int64]string{
		3: "10.0.0.1:80", 4: "10.0.0.9:4321->10.0.0.1:80", 5: "10.0.0.1:5555->1.1.1.1:53", 6: "2001:db8::1:443", 7: "2001:db8::1:443->2001:db8::1:4444",
	}
	for i := range want.Processes[1].FDs {
		d := &want.Processes[1].FDs[i]
		if name, ok := names[d.FD]; ok {
			d.Name = name
		}
	}
	for i := range want.Processes {
		if i >= len(got.Processes) {
			t.Fatalf("%d processes, want %d", len(got.Processes), len(want.Processes))
		}
		compare(t, fmt.Sprintf("process %d", want.Processes[i].TID), got.Processes[i], want.Processes[i])
	}
	compare(t, "snapshot", *got, *want)
	again := New(Config{})
	again.Load(got)
	compare(t, "loaded again", *again.Snapshot(), *got)
}

// compare compares two structs field by field; lists that are empty are equal to none.
func compare(t *testing.T, what string, got, want any) {
	t.Helper()
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	for i := range g.NumField() {
		name, a, b := g.Type().Field(i).Name, g.Field(i).Interface(), w.Field(i).Interface()
		if g.Field(i).Kind() == reflect.Slice && g.Field(i).Len() == 0 && w.Field(i).Len() == 0 || name == "Processes" {
			continue
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %s is\n%+v, want\n%+v", what, name, a, b)
		}
	}
}

// TestSnapshotOfEvents looks at snapshots between events and right behind one: what the last event ends, threads that nothing
// is known of, a process that lives on without its main thread.
func TestSnapshotOfEvents(t *testing.T) {
	s := runScript(t, Config{}, `
		proc tid=7 pid=7 ptid=1 comm=sh fd.3=/x fd.4=/y
		proc tid=8 pid=7 ptid=1 comm=thread flags=8193
		9 openat fd=3 dirfd=-100 name=/etc/x
		7 close res=0 fd=3
	`)
	find := func(snap *event.Snapshot, tid int64) *event.Process {
		for i := range snap.Processes {
			if snap.Processes[i].TID == tid {
				return &snap.Processes[i]
			}
		}
		return nil
	}
	snap := s.Snapshot()
	if p := find(snap, 7); p == nil || len(p.FDs) != 2 {
		t.Errorf("behind the event: %+v", p)
	}
	if find(snap, 9) != nil {
		t.Error("a thread that nothing is known of is in the snapshot")
	}
	if p := find(s.SnapshotBetween(), 7); p == nil || len(p.FDs) != 1 || p.FDs[0].Name != "/y" {
		t.Errorf("between events: %+v", p)
	}
}

// TestSnapshotDeadLeader exports a process whose main thread has exited before the others.
func TestSnapshotDeadLeader(t *testing.T) {
	s := New(Config{})
	s.Load(full())
	apply := func(tid int64) {
		var enc event.Encoder
		enc.Begin(event.ProcexitV1E, 1e18, tid)
		var e event.Event
		if err := e.Decode(enc.Bytes()); err != nil {
			t.Fatal(err)
		}
		s.Apply(&e)
	}
	apply(70)
	again := New(Config{})
	again.Load(s.SnapshotBetween())
	if m := again.Thread(70); m == nil || !m.Dead() || again.Thread(71).NumThreads() != 1 {
		t.Errorf("the main thread is not dead: %+v", m)
	}
	s = again
	apply(71)
	if s.SnapshotBetween(); s.Thread(70) != nil {
		t.Error("the process does not end with its last thread")
	}
}

func TestAccountEvents(t *testing.T) {
	s := New(Config{})
	s.Load(full())
	s.AddUser("c1", event.User{UID: 5, GID: 6, Name: "app", Home: "/app", Shell: "/bin/false"})
	s.AddGroup("c1", event.Group{GID: 6, Name: "apps"})
	again := New(Config{})
	n := 0
	s.Accounts(1e18, func(e *event.Event) {
		if e.Dump != event.StateOnly || e.Time != 1e18 {
			t.Errorf("flags %d, time %d", e.Dump, e.Time)
		}
		again.Apply(e)
		n++
	})
	for _, container := range []string{"", "c1"} {
		for _, uid := range []uint32{33, 5} {
			a, _ := s.User(uid, container)
			b, _ := again.User(uid, container)
			c, _ := s.Group(uid+1, container)
			d, _ := again.Group(uid+1, container)
			if a != b || c != d {
				t.Errorf("container %q: %+v and %+v, %+v and %+v", container, a, b, c, d)
			}
		}
	}
	if n != 6 {
		t.Errorf("%d events", n)
	}
}

// TestEntered gives the enter events of calls under way, and right behind an event the one that belonged to it.
func TestEntered(t *testing.T) {
	s := runScript(t, Config{}, `
		proc tid=7 pid=7 ptid=1 comm=sh
		proc tid=8 pid=8 ptid=1 comm=sh
		7 >openat dirfd=-100 name=/a
		8 >openat dirfd=-100 name=/b
		7 openat fd=3 dirfd=-100 name=/a
	`)
	for _, c := range []struct {
		between bool
		want    string
	}{{true, "8"}, {false, "8 7"}} {
		var list []string
		s.Entered(c.between, func(e *event.Event) { list = append(list, fmt.Sprint(e.TID)) })
		if got := strings.Join(list, " "); got != c.want {
			t.Errorf("between %v: enter events of %s, want %s", c.between, got, c.want)
		}
	}
}

// BenchmarkSnapshot measures what a snapshot costs with 500 processes of 30 descriptors.
func BenchmarkSnapshot(b *testing.B) {
	snap := full()
	p := snap.Processes[1]
	snap.Processes = snap.Processes[:1]
	p.Env = nil
	for i := range 20 {
		p.Env = append(p.Env, fmt.Sprintf("VARIABLE_%d=%s", i, strings.Repeat("x", 40)))
	}
	p.FDs = nil
	for fd := range int64(30) {
		p.FDs = append(p.FDs, event.Descriptor{FD: fd, Type: event.FDFileV2, Name: fmt.Sprintf("/var/lib/service/data/file-%d", fd), OpenFlags: 1})
	}
	for i := range int64(499) {
		p.TID, p.PID = 100+i, 100+i
		snap.Processes = append(snap.Processes, p)
	}
	s := New(Config{})
	s.Load(snap)
	b.ReportAllocs()
	for b.Loop() {
		s.Snapshot()
	}
}
