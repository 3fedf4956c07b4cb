package state

import (
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

func TestTransfer(t *testing.T) {
	for name, text := range map[string]string{
		"udp client": `
100 socket fd=4 domain=2 type=2 proto=0
100 sendto res=5 data=00 fd=4 size=5 tuple=10.0.0.1:999->8.8.8.8:53
= event name=10.0.0.1:999->8.8.8.8:53 role=client changed=true conn=yes
100 recvfrom res=5 data=00 tuple=8.8.8.8:53->10.0.0.1:999 fd=4 size=5
= event name=10.0.0.1:999->8.8.8.8:53 changed=false
100 sendto res=5 data=00 fd=4 size=5 tuple=10.0.0.1:999->9.9.9.9:53
= event name=10.0.0.1:999->9.9.9.9:53 changed=true`,
		"udp server": `
100 socket fd=4 domain=2 type=2 proto=0
100 bind res=0 addr=10.0.0.1:53 fd=4
100 recvfrom res=5 data=00 tuple=8.8.8.8:999->10.0.0.1:53 fd=4 size=5
= event name=8.8.8.8:999->10.0.0.1:53 role=server to=10.0.0.1:53`,
		"a socket that nothing is known of": `
100 sendto res=5 data=00 fd=9 size=5 tuple=10.0.0.1:999->8.8.8.8:53
= event fd=9 type=ipv4 name=10.0.0.1:999->8.8.8.8:53 l4=3
100 sendto res=-9 data=00 fd=10 size=5 tuple=10.0.0.1:999->8.8.8.8:53
= event fd=10 name=none`,
		"tcp keeps its tuple": `
100 accept fd=5 tuple=1.2.3.4:1000->10.0.0.1:80
100 sendto res=5 data=00 fd=5 size=5 tuple=9.9.9.9:1->8.8.8.8:2
= event name=1.2.3.4:1000->10.0.0.1:80 changed=false`,
		"unix": `
100 socket fd=4 domain=1 type=2 proto=0
100 sendmsg res=5 data=00 fd=4 size=5 tuple=1:2:/dev/log
= event name="1->2 /dev/log" unix=1:2`,
		"read and write": `
100 accept fd=5 tuple=1.2.3.4:1000->10.0.0.1:80
100 read res=5 data=00 fd=5 size=5
= event fd=5 name=1.2.3.4:1000->10.0.0.1:80
100 write res=5 data=00 fd=3 size=5
= event fd=3 name=/etc/x conn=none`,
		"a socket shared with a child is its own": `
100 socket fd=4 domain=2 type=2 proto=0
100 clone res=101 exe=sh pid=100 ptid=1 vtid=100 vpid=100 comm=sh
101 sendto res=5 data=00 fd=4 size=5 tuple=10.0.0.1:999->8.8.8.8:53
= 101/4 name=10.0.0.1:999->8.8.8.8:53
= 100/4 name=""`,
	} {
		t.Run(name, func(t *testing.T) { runScript(t, Config{}, shell+text) })
	}
}

// TestGuessIsBounded has a process with many descriptors send through one socket after the other: what it costs must not grow with them.
func TestGuessIsBounded(t *testing.T) {
	s := New(Config{})
	s.AddProcess(&event.Process{TID: 7, PID: 7, PTID: 1, VTID: 7, VPID: 7, Comm: "x", Cwd: "/"})
	me := s.Thread(7)
	f := s.table(me)
	for fd := range int64(2 * maxGuess) {
		s.putFD(f, fd, &FD{Type: event.FDFifo})
	}
	d := &FD{Type: event.FDIPv4, Tuple: Tuple{SPort: 1000, DPort: 53, L4: event.L4UDP}}
	for fd, want := range map[int64]FDFlags{maxGuess - 1: FDRoleServer, maxGuess: FDRoleClient} {
		s.putFD(f, fd, &FD{Type: event.FDIPv4Server, Tuple: Tuple{DPort: 53}})
		if role := s.guessRole(me, d, false); role != want {
			t.Errorf("a process bound to the port by descriptor %d has role %d, want %d", fd, role, want)
		}
		s.putFD(f, fd, &FD{Type: event.FDFifo})
	}
}
