package procfs

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/saker-sec/saker/internal/event"
)

const tcpHead = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

// connection is a line of net/tcp.
func connection(ino int) string {
	return fmt.Sprintf("%4d: 0100007F:%04X 04030201:0050 01 00000000:00000000 00:00000000 00000000  1000        0 %d 1 0 100 0 0 10 0\n", ino, ino&0xffff, ino)
}

// owner is a process with sockets.
func owner(pid int, inodes ...int) fake {
	files := fake{
		"status": statusOf(pid, pid, nestedNS), "stat": statOf("x", "S", 1), "comm": "x\n", "cmdline": "x\x00", "ns/net": "",
	}
	for i, ino := range inodes {
		files["fd/"+strconv.Itoa(i)] = "-> socket:[" + strconv.Itoa(ino) + "]"
	}
	return files
}

// known says which descriptors are internet sockets with their addresses.
func known(p *event.Process) (out []bool) {
	for _, d := range p.FDs {
		out = append(out, d.Type == event.FDIPv4)
	}
	return out
}

// TestRecentSockets looks up threads of one network namespace one after the other: its tables are read once in a while.
func TestRecentSockets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := machine()
		files := owner(100, 501, 502)
		files["net/tcp"] = tcpHead + connection(501)
		f.add(100, 100, files)
		fs := f.build(t)
		expect := func(when string, second bool) {
			t.Helper()
			if got := known(one(t, fs, 100)); !slices.Equal(got, []bool{true, second}) {
				t.Errorf("%s: known are %v, want the second to be %v", when, got, second)
			}
		}
		expect("at first", false)
		tcp := filepath.Join(fs.proc, "100/net/tcp")
		if err := os.WriteFile(tcp, []byte(tcpHead+connection(501)+connection(502)), 0o600); err != nil {
			t.Fatal(err)
		}
		time.Sleep(keptFor - time.Millisecond)
		expect("soon after", false)
		time.Sleep(time.Millisecond)
		expect("later", true)

		if err := os.WriteFile(tcp, []byte(tcpHead+connection(501)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(fs.proc, "100/ns/net")); err != nil {
			t.Fatal(err)
		}
		expect("in another namespace", false)
	})
}

// TestRecentSocketsOfMany sees that what took long to read is kept for longer, and that nothing is kept for ever.
func TestRecentSocketsOfMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recentSockets
		table := map[uint64]event.Descriptor{}
		began := time.Now()
		time.Sleep(200 * time.Millisecond)
		r.put(1, table, began)
		r.put(2, table, time.Now())
		time.Sleep(keptFor)
		if r.get(1) == nil || r.get(2) != nil {
			t.Error("the time of a table does not depend on what reading it takes")
		}
		time.Sleep(3 * time.Second)
		for ns := range uint64(2 * maxKept) {
			r.put(1000+ns, table, time.Now())
		}
		if r.get(1) != nil || len(r.of) != maxKept {
			t.Errorf("%d tables are kept", len(r.of))
		}
	})
}

// TestManySockets looks up one process on a machine with more sockets than are read for it.
func TestManySockets(t *testing.T) {
	var tcp strings.Builder
	tcp.WriteString(tcpHead)
	last := 0
	for ino := 1000000; tcp.Len() < maxThreadTable; ino++ {
		tcp.WriteString(connection(ino))
		last = ino
	}
	tcp.WriteString(connection(last + 1))
	f := machine()
	files := owner(100, 1000000, last-1, last, last+1, last/10, last/100)
	files["net/tcp"] = tcp.String()
	files["net/udp"] = tcpHead + connection(7)
	f.add(100, 100, files)
	f.add(200, 200, owner(200, 7))
	fs := f.build(t)
	if got := known(one(t, fs, 100)); !slices.Equal(got, []bool{true, true, false, false, false, false}) {
		t.Errorf("looked up: known are %v", got)
	}
	err := fs.Processes(func(p *event.Process) error {
		if p.PID != 100 {
			return nil
		}
		if got := known(p); !slices.Equal(got, []bool{true, true, true, true, false, false}) {
			t.Errorf("at the start: known are %v", got)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// BenchmarkThreadWithSocket looks up a process with a socket on this machine, where the sockets of others count: the first time, and
// soon after another one.
func BenchmarkThreadWithSocket(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	fs := New("")
	for name, next := range map[string]func() *FS{"first": func() *FS { return New("") }, "next": func() *FS { return fs }} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := next().Thread(int64(os.Getpid())); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
