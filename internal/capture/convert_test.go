package capture

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

// parse builds an event from its type's name and its parameters: a number has a width (3:8 is 3 in eight bytes), "-" is
// empty, anything else is text.
func parse(t *testing.T, line string) []byte {
	t.Helper()
	w := strings.Fields(line)
	var c event.Encoder
	code := -1
	for i := range event.Types() {
		if event.Types()[i].PPME == "PPME_"+w[0] {
			code = i
		}
	}
	if code < 0 {
		t.Fatalf("unknown type in %q", line)
	}
	c.Begin(event.Code(code), 5, 42)
	for _, p := range w[1:] {
		var v uint64
		var width int
		switch n, _ := fmt.Sscanf(p, "%d:%d", &v, &width); {
		case n == 2:
			switch width {
			case 8:
				c.Uint64(v)
			case 4:
				c.Uint32(uint32(v))
			case 2:
				c.Uint16(uint16(v))
			default:
				c.Uint8(uint8(v))
			}
		case p == "-":
			c.Empty()
		default:
			c.Text(p)
		}
	}
	return bytes.Clone(c.Bytes())
}

// show is the opposite of parse.
func show(e *event.Event) string {
	var b strings.Builder
	b.WriteString(strings.TrimPrefix(e.Type().PPME, "PPME_"))
	for i := range e.NumParams() {
		p := e.Param(i)
		v, ok := e.Uint(i)
		text, _ := e.Text(i)
		switch {
		case len(p) == 0:
			b.WriteString(" -")
		case p[len(p)-1] == 0 && p[0] > ' ' && (!ok || len(text) == len(p)-1):
			b.WriteString(" " + text)
		case ok:
			fmt.Fprintf(&b, " %d:%d", v, len(p))
		default:
			fmt.Fprintf(&b, " %q", p)
		}
	}
	return b.String()
}

// TestConversions reads series of old events of one thread.
func TestConversions(t *testing.T) {
	cases := []struct {
		name string
		in   []string
		want []string
	}{
		{
			"exit takes from enter",
			[]string{"SYSCALL_READ_E 7:8 4096:4", "SYSCALL_READ_X 10:8 data"},
			[]string{"SYSCALL_READ_X 10:8 data 7:8 4096:4"},
		},
		{
			"an enter event is taken once",
			[]string{"SYSCALL_CLOSE_E 7:8", "SYSCALL_CLOSE_X 1:8", "SYSCALL_CLOSE_X 2:8"},
			[]string{"SYSCALL_CLOSE_X 1:8 7:8", "SYSCALL_CLOSE_X 2:8 0:8"},
		},
		{
			"an enter event of another call is not taken",
			[]string{"SYSCALL_READ_E 7:8 4096:4", "SYSCALL_CLOSE_X 1:8", "SYSCALL_READ_X 10:8 data"},
			[]string{"SYSCALL_CLOSE_X 1:8 0:8", "SYSCALL_READ_X 10:8 data 0:8 0:4"},
		},
		{
			"empty rather than default where the rule says so",
			[]string{"SYSCALL_UNLINK_X 1:8"},
			[]string{"SYSCALL_UNLINK_2_X 1:8 -"},
		},
		{
			"users and groups default to all ones, unless empty",
			[]string{"SYSCALL_SETUID_X 1:8", "SYSCALL_SETUID_E 5:4", "SYSCALL_SETUID_X 1:8"},
			[]string{"SYSCALL_SETUID_X 1:8 -", "SYSCALL_SETUID_X 1:8 5:4"},
		},
		{
			"another type, the enter event's parameter at its end",
			[]string{"SYSCALL_BRK_1_E 9:4", "SYSCALL_BRK_1_X 8:8"},
			[]string{"SYSCALL_BRK_4_X 8:8 - - - 9:4"},
		},
		{
			"chain of types",
			[]string{"SYSCALL_MKDIR_E /d 5:4", "SYSCALL_MKDIR_X 1:8", "SOCKET_ACCEPT4_E 3:4", "SOCKET_ACCEPT4_X 4:8 - 9:1"},
			[]string{"SYSCALL_MKDIR_2_X 1:8 /d 5:4", "SOCKET_ACCEPT4_6_X 4:8 - 9:1 0:4 0:4 3:4"},
		},
		{
			"current enter events pass",
			[]string{"SYSCALL_OPEN_E /tmp/f 1:4 2:4", "SYSCALL_OPEN_X 3:8 /tmp/f 1:4 2:4"},
			[]string{"SYSCALL_OPEN_E /tmp/f 1:4 2:4", "SYSCALL_OPEN_X 3:8 /tmp/f 1:4 2:4 - -"},
		},
		{
			"old enter events grow before they pass",
			[]string{"SYSCALL_OPEN_E", "SOCKET_CONNECT_E 3:8"},
			[]string{"SYSCALL_OPEN_E - - -", "SOCKET_CONNECT_E 3:8 -"},
		},
		{
			"connect without address",
			[]string{"SOCKET_CONNECT_E 3:8", "SOCKET_CONNECT_X 0:8 -"},
			[]string{"SOCKET_CONNECT_E 3:8 -", "SOCKET_CONNECT_X 0:8 - 3:8 -"},
		},
		{
			"execve's enter event passes and is kept",
			[]string{"SYSCALL_EXECVE_19_E /bin/ls"},
			[]string{"SYSCALL_EXECVE_19_E /bin/ls"},
		},
		{
			"container events become JSON",
			[]string{"CONTAINER_E c0ffee 0:4 na\"me img"},
			[]string{`CONTAINER_JSON_2_E {"id":"c0ffee","type":0,"name":"na\"me","image":"img"}`},
		},
		{
			"container event without its parameters",
			[]string{"CONTAINER_E - - - -"},
			[]string{"CONTAINER_JSON_2_E -"},
		},
		{
			"unused types and old enter events are dropped",
			[]string{"PROCEXIT_X", "SOCKET_GETSOCKNAME_E", "SYSCALL_CLONE_11_E", "SYSCALL_CLOSE_X 1:8 2:8"},
			[]string{"SYSCALL_CLOSE_X 1:8 2:8"},
		},
		{
			"more parameters than are known pass",
			[]string{"SYSCALL_CLOSE_X 1:8 2:8 3:8"},
			[]string{"SYSCALL_CLOSE_X 1:8 2:8 3:8"},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var blocks [][]byte
			for _, line := range c.in {
				raw := parse(t, line)
				large := strings.Contains(line, "JSON_2")
				blocks = append(blocks, appendRecord(nil, raw, 0, 0, large))
			}
			var got []string
			var e event.Event
			for _, raw := range drain(t, join(blocks...)) {
				if err := e.Decode(raw); err != nil {
					t.Fatal(err)
				}
				if e.TID != 42 || e.Time != 5 {
					t.Errorf("tid %d time %d", e.TID, e.Time)
				}
				got = append(got, show(&e))
			}
			if g, w := strings.Join(got, "\n"), strings.Join(c.want, "\n"); g != w {
				t.Errorf("got\n%s\nwant\n%s", g, w)
			}
		})
	}
}

// TestUnconvertible counts old events with a number of parameters that no version had.
func TestUnconvertible(t *testing.T) {
	r, err := NewReader(bytes.NewReader(join(appendRecord(nil, parse(t, "SYSCALL_OPENAT_X 1:8 2:8"), 0, 0, false))))
	if err != nil {
		t.Fatal(err)
	}
	var e event.Event
	if err := r.Next(&e); err == nil || r.Skipped() != (Skipped{Unconvertible: 1}) {
		t.Errorf("%v, skipped %+v", err, r.Skipped())
	}
}

// TestConversionTable checks that every rule ends in a current event with all its parameters.
func TestConversionTable(t *testing.T) {
	n := 0
	for code := range event.Code(event.NumCodes) {
		for _, c := range conversions[conversionStart[code]:conversionStart[code+1]] {
			n++
			typ := &event.Types()[c.to]
			if c.pass && typ.Status != event.StatusCurrent && !typ.Enter {
				t.Errorf("%s with %d parameters ends as %s", event.Types()[code].PPME, c.params, typ.PPME)
			}
			if c.build && len(c.sources) != len(typ.Params) {
				t.Errorf("%s with %d parameters: %d sources, %s has %d", event.Types()[code].PPME, c.params, len(c.sources),
					typ.PPME, len(typ.Params))
			}
		}
	}
	if n != len(conversions) {
		t.Errorf("%d conversions are found, the table has %d", n, len(conversions))
	}
}

// TestEnterTable puts and takes the enter events of many threads.
func TestEnterTable(t *testing.T) {
	var table enterTable
	if table.take(1, 2) != nil {
		t.Error("an empty table gives an event")
	}
	const threads = 1000
	for round := range 3 {
		for tid := range int64(threads) {
			table.put(tid-1, event.Code(round), fmt.Appendf(nil, "%d/%d", tid, round))
		}
		for tid := range int64(threads) {
			if got, want := string(table.take(tid-1, event.Code(round))), fmt.Sprintf("%d/%d", tid, round); got != want {
				t.Fatalf("%q, want %q", got, want)
			}
			if table.take(tid-1, event.Code(round)) != nil {
				t.Fatal("an event is taken twice")
			}
		}
	}
	for tid := range int64(100_000) {
		table.put(tid<<20, 1, []byte("x"))
		if table.take(tid<<20, 1) == nil {
			t.Fatal("an event is lost")
		}
	}
	if len(table.slots) > 8*threads {
		t.Errorf("%d slots for at most %d threads at a time", len(table.slots), threads)
	}
}

// oldCalls is a capture of n calls as old versions recorded them, each of two events, by a few threads in turn.
func oldCalls(tb testing.TB, n int) []byte {
	tb.Helper()
	pairs := [][2]event.Code{
		{event.SyscallReadE, event.SyscallReadX}, {event.SyscallCloseE, event.SyscallCloseX}, {event.SyscallFstatE, event.SyscallFstatX},
	}
	var blocks []byte
	var c event.Encoder
	for i := range n {
		p := pairs[i%len(pairs)]
		c.Begin(p[0], uint64(i), int64(i%7))
		c.Uint64(3)
		if p[0] == event.SyscallReadE {
			c.Uint32(4096)
		}
		blocks = appendRecord(blocks, c.Bytes(), 0, 0, false)
		c.Begin(p[1], uint64(i), int64(i%7))
		c.Uint64(0)
		if p[0] == event.SyscallReadE {
			c.Text("some data")
		}
		blocks = appendRecord(blocks, c.Bytes(), 0, 0, false)
	}
	return join(blocks)
}

// TestNextAllocatesNothing holds for events that need conversion, too.
func TestNextAllocatesNothing(t *testing.T) {
	r, err := NewReader(bytes.NewReader(oldCalls(t, 20_000)))
	if err != nil {
		t.Fatal(err)
	}
	var e event.Event
	n := testing.AllocsPerRun(10_000, func() {
		if err := r.Next(&e); err != nil || e.NumParams() != len(e.Type().Params) {
			t.Fatalf("%v: %d parameters", err, e.NumParams())
		}
	})
	if n != 0 {
		t.Errorf("%v allocations per event", n)
	}
}

// BenchmarkConvert reads old events from memory. One operation is a call: two events on disk, one delivered.
func BenchmarkConvert(b *testing.B) {
	const calls = 300_000
	data := oldCalls(b, calls)
	b.ReportAllocs()
	b.ResetTimer()
	for done := 0; done < b.N; done += calls {
		if n, err := count(data); err != nil || n != calls {
			b.Fatalf("%d events: %v", n, err)
		}
	}
}

func count(data []byte) (int, error) {
	r, err := NewReader(bytes.NewReader(data))
	if err != nil {
		return 0, err
	}
	var e event.Event
	for n := 0; ; n++ {
		if err := r.Next(&e); err == io.EOF {
			return n, nil
		} else if err != nil {
			return n, err
		}
	}
}
