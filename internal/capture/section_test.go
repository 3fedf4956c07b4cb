package capture

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

// body builds the body of a block from numbers and strings: integers in their width, strings with their length before them,
// byte slices as they are.
func body(parts ...any) []byte {
	var b []byte
	for _, p := range parts {
		switch v := p.(type) {
		case string:
			b = append(binary.LittleEndian.AppendUint16(b, uint16(len(v))), v...)
		case []byte:
			b = append(b, v...)
		default:
			b, _ = binary.Append(b, binary.LittleEndian, v)
		}
	}
	return b
}

// block builds a block.
func block(kind blockType, parts ...any) []byte {
	return endBlock(append(beginBlock(nil, kind), body(parts...)...), 0)
}

// join builds a capture from blocks, with a section header before them.
func join(blocks ...[]byte) []byte {
	return append(appendSection(nil), bytes.Join(blocks, nil)...)
}

// entry puts the length of an entry before it, counting itself.
func entry(parts ...any) []byte {
	b := body(parts...)
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(b)+4)), b...)
}

// open reads what precedes the first event.
func open(t *testing.T, data []byte) *event.Snapshot {
	t.Helper()
	r, err := NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return r.Snapshot()
}

// processFields returns an entry's fields of the given version, without the length of version 9.
func processFields(version int) []byte {
	since := func(v int, parts ...any) []byte {
		if version < v {
			return nil
		}
		return body(parts...)
	}
	return body(int64(11), int64(12), int64(13), since(6, int64(14)), since(8, int64(15)), "comm", "exe",
		since(7, "/exe"), "a\x00\x00b\x00", "/cwd/", int64(1024), uint32(1), uint32(2), uint32(3),
		since(2, uint32(4), uint32(5), uint32(6), uint64(7), uint64(8)), since(3, "A=1\x00B=2"),
		since(4, int64(16), int64(17), "cpu=/\x00"), since(5, "/root"))
}

// wantProcess is what processFields describes.
func wantProcess(version int) event.Process {
	p := event.Process{
		TID: 11, PID: 12, PTID: 13, SID: 14, VPGID: 15, PGID: -1, VTID: 16, VPID: 17, Comm: "comm", Exe: "exe",
		ExePath: "/exe", Args: []string{"a", "", "b"}, Env: []string{"A=1", "B=2"}, Cwd: "/cwd/", Root: "/root",
		Cgroups: []string{"cpu=/"}, FDLimit: 1024, Flags: 1, UID: 2, GID: 3, LoginUID: 1<<32 - 1,
		VMSize: 4, VMRSS: 5, VMSwap: 6, PFMajor: 7, PFMinor: 8,
	}
	if version < 8 {
		p.VPGID = -1
	}
	if version < 7 {
		p.ExePath = ""
	}
	if version < 6 {
		p.SID = -1
	}
	if version < 5 {
		p.Root = ""
	}
	if version < 4 {
		p.VTID, p.VPID, p.Cgroups = -1, -1, nil
	}
	if version < 3 {
		p.Env = nil
	}
	if version < 2 {
		p.VMSize, p.VMRSS, p.VMSwap, p.PFMajor, p.PFMinor = 0, 0, 0, 0, 0
	}
	return p
}

// TestProcessVersions reads two entries of each version of the process list, under each of its names.
func TestProcessVersions(t *testing.T) {
	kinds := map[blockType]int{
		blockProcesses1: 1, blockProcesses2: 2, blockProcesses3: 3, blockProcesses4: 4, blockProcesses5: 5, blockProcesses6: 6,
		blockProcesses7: 7, blockProcesses8: 8, blockProcesses1Alias: 1, blockProcesses2Alias: 2, blockProcesses3Alias: 3,
	}
	for kind, version := range kinds {
		got := open(t, join(block(kind, processFields(version), processFields(version)))).Processes
		want := []event.Process{wantProcess(version), wantProcess(version)}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("block %#x: %+v\nwant %+v", uint32(kind), got, want)
		}
	}
}

// TestProcessTail reads entries of version 9 with more and more of their optional fields.
func TestProcessTail(t *testing.T) {
	login := []any{uint32(5), uint8(1), uint64(6), uint64(7), uint64(8)}
	full := append(append([]any{uint64(9), uint32(10)}, login...), uint8(1), uint64(11), uint64(12), uint64(13), uint8(1), uint8(1),
		int64(14))
	short := wantProcess(9)
	old := short
	old.LoginUID, old.ExeWritable, old.CapInheritable, old.CapPermitted, old.CapEffective = 5, true, 6, 7, 8
	middle := old
	middle.PidnsInitStart, middle.TTY, middle.ExeUpperLayer = 9, 10, true
	whole := middle
	whole.ExeIno, whole.ExeCtime, whole.ExeMtime = 11, 12, 13
	whole.ExeFromMemfd, whole.ExeLowerLayer, whole.PGID = true, true, 14
	cases := []struct {
		name string
		tail []byte
		want event.Process
	}{
		{"nothing", nil, short},
		{"before libs 0.10: no start of the pid namespace and no tty", body(login...), old},
		{"up to the upper layer", body(full[:8]...), middle},
		{"everything", body(full...), whole},
		{"more than is known", body(append(full, uint64(99), uint8(1))...), whole},
	}
	for _, c := range cases {
		e := entry(processFields(9), c.tail)
		got := open(t, join(block(blockProcesses9, e, e))).Processes
		if want := []event.Process{c.want, c.want}; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v\nwant %+v", c.name, got, want)
		}
	}
}

// TestDescriptors reads both versions of the descriptor list, with kinds of descriptors that are not known.
func TestDescriptors(t *testing.T) {
	ip4 := []any{int64(3), uint64(7), uint8(3), []byte{1, 2, 3, 4}, []byte{5, 6, 7, 8}, uint16(80), uint16(81), uint8(2)}
	file := []any{int64(4), uint64(8), uint8(16), uint32(1), "/f"}
	legacy := []any{int64(5), uint64(9), uint8(1), "/old"}
	want := []event.Descriptor{
		{FD: 3, Ino: 7, Type: event.FDIPv4, SIP: [16]byte{1, 2, 3, 4}, DIP: [16]byte{5, 6, 7, 8}, SPort: 80, DPort: 81, L4: event.L4TCP},
		{FD: 4, Ino: 8, Type: event.FDFileV2, OpenFlags: 1, Name: "/f"},
		{FD: 5, Ino: 9, Type: event.FDFile, Name: "/old"},
	}
	procs := block(blockProcesses1, processFields(1))
	for _, kind := range []blockType{blockDescriptors1, blockDescriptors1Alias} {
		got := open(t, join(procs, block(kind, int64(11), body(ip4...), body(file...), body(legacy...)))).Processes[0].FDs
		if !reflect.DeepEqual(got, want) {
			t.Errorf("block %#x: %+v\nwant %+v", uint32(kind), got, want)
		}
	}
	want[1].Dev = 77
	unknown := entry(int64(6), uint64(0), uint8(99), uint64(1), uint64(2))
	other := block(blockDescriptors2, int64(999), entry(legacy...))
	got := open(t, join(procs, other, block(blockDescriptors2, int64(11), entry(ip4...), unknown,
		entry(append(file, uint32(77))...), entry(append(legacy, uint64(1))...)))).Processes[0].FDs
	if !reflect.DeepEqual(got, want) {
		t.Errorf("version 2: %+v\nwant %+v", got, want)
	}
	if err := readError(join(procs, block(blockDescriptors1, int64(11), body(int64(6), uint64(0), uint8(99))))); !errors.Is(err, ErrCorrupt) {
		t.Errorf("unknown kind in version 1: %v", err)
	}
}

// TestAccounts reads both versions of the account list.
func TestAccounts(t *testing.T) {
	user := []any{uint8(0), uint32(1), uint32(2), "name", "/home", "/shell"}
	group := []any{uint8(1), uint32(3), "wheel"}
	for _, b := range [][]byte{
		block(blockAccounts1, body(user...), body(group...)),
		block(blockAccounts1Alias, body(user...), body(group...)),
		block(blockAccounts2, entry(user...), entry(uint8(9), uint64(1)), entry(append(group, uint32(1))...)),
	} {
		s := open(t, join(b))
		if want := []event.User{{UID: 1, GID: 2, Name: "name", Home: "/home", Shell: "/shell"}}; !reflect.DeepEqual(s.Users, want) {
			t.Errorf("users %+v, want %+v", s.Users, want)
		}
		if want := []event.Group{{GID: 3, Name: "wheel"}}; !reflect.DeepEqual(s.Groups, want) {
			t.Errorf("groups %+v, want %+v", s.Groups, want)
		}
	}
}

// TestInterfaces reads the four kinds of entries in both versions of the interface list. The length of an entry does not
// count itself.
func TestInterfaces(t *testing.T) {
	addrs := func(size int) []byte {
		return bytes.Join([][]byte{{9}, make([]byte, size-1), {8}, make([]byte, size-1), {7}, make([]byte, size-1)}, nil)
	}
	entries := [][]byte{
		body(uint16(1), uint16(4), addrs(4), uint64(5), []byte("eth0")),
		body(uint16(2), uint16(4), addrs(16), uint64(5), []byte("eth1")),
		body(uint16(3), uint16(4), addrs(4), []byte("eth2")),
		body(uint16(4), uint16(4), addrs(16), []byte("eth3")),
	}
	a, m, b := [16]byte{9}, [16]byte{8}, [16]byte{7}
	want := []event.Interface{
		{Name: "eth0", Addr: a, Mask: m, Broadcast: b, LinkSpeed: 5},
		{Name: "eth1", IPv6: true, Addr: a, Mask: m, Broadcast: b, LinkSpeed: 5},
		{Name: "eth2", Addr: a, Mask: m, Broadcast: b},
		{Name: "eth3", IPv6: true, Addr: a, Mask: m, Broadcast: b},
	}
	v2 := body(uint32(8), uint16(77), uint16(0), uint32(0)) // an unknown kind
	for _, e := range entries {
		v2 = append(v2, body(uint32(len(e)+2), e, []byte{0, 0})...)
	}
	for _, blk := range [][]byte{
		block(blockInterfaces1, bytes.Join(entries, nil)),
		block(blockInterfaces1Alias, bytes.Join(entries, nil)),
		block(blockInterfaces2, v2),
	} {
		if got := open(t, join(blk)).Interfaces; !reflect.DeepEqual(got, want) {
			t.Errorf("%+v\nwant %+v", got, want)
		}
	}
}

// TestMachine reads the machine block under both names.
func TestMachine(t *testing.T) {
	host := append([]byte("web-1"), make([]byte, hostSize-5)...)
	want := event.Machine{NumCPUs: 4, MemoryBytes: 1 << 33, MaxPID: 4 << 20, Hostname: "web-1", BootTime: 99, Flags: 3}
	for _, kind := range []blockType{blockMachine, blockMachineAlias} {
		got := open(t, join(block(kind, uint32(4), uint64(1<<33), uint64(4<<20), host, uint64(99), uint64(3), uint64(0), uint64(0)))).Machine
		if got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// TestSectionOptions reads a section header with options behind its fields, as pcapng has them, and unknown blocks before and
// between events.
func TestSectionOptions(t *testing.T) {
	header := block(blockSection, uint32(sectionMagic), uint16(1), uint16(0), uint64(1<<64-1), uint16(1), "comment", uint16(0), uint16(0))
	ev := appendRecord(nil, encoded(t, event.SyscallCloseX, 8, 8), 0, 0, false)
	unknown := block(0x7777, []byte("from the future"))
	data := bytes.Join([][]byte{header, unknown, ev, unknown, ev}, nil)
	if n := len(drain(t, data)); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
}

// TestConcatenated reads two captures in one file: the second has its own snapshot, and the numbers go on.
func TestConcatenated(t *testing.T) {
	enter := appendRecord(nil, encoded(t, event.SyscallCloseE, 8), 0, 0, false)
	exit := appendRecord(nil, encoded(t, event.SyscallCloseX, 8), 0, 0, false)
	first := join(block(blockProcesses1, processFields(1)), exit, enter)
	second := join(block(blockAccounts2, entry(uint8(1), uint32(3), "wheel")), exit)
	r, err := NewReader(bytes.NewReader(append(first, second...)))
	if err != nil {
		t.Fatal(err)
	}
	var e event.Event
	if err := r.Next(&e); err != nil || e.Num != 1 || len(r.Snapshot().Processes) != 1 {
		t.Fatalf("first event: %v, number %d, %d processes", err, e.Num, len(r.Snapshot().Processes))
	}
	if err := r.Next(&e); !errors.Is(err, ErrSection) {
		t.Fatalf("at the second section: %v", err)
	}
	if s := r.Snapshot(); len(s.Processes) != 0 || len(s.Groups) != 1 {
		t.Errorf("second snapshot: %+v", s)
	}
	if err := r.Next(&e); err != nil || e.Num != 2 {
		t.Fatalf("second event: %v, number %d", err, e.Num)
	}
	if v, _ := e.Uint(1); v != 0 {
		t.Errorf("the descriptor of close is %#x: the enter event of the first section was used", v)
	}
	if err := r.Next(&e); err != io.EOF {
		t.Error(err)
	}
	empty := append(join(), join()...)
	if err := readError(empty); err != nil {
		t.Errorf("two sections without events: %v", err)
	}
}
