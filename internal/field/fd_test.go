package field_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/state"
)

// using is a read from a descriptor of bash.
func using(fd int) call { return call{event.SyscallReadX, bashTID, []any{5, []byte("hello"), fd, 5}} }

func TestDescriptor(t *testing.T) {
	play(t, []scene{
		{"a file", []call{using(3)}, map[string]string{
			"fd.num": `3`, "fd.type": `"file"`, "fd.typechar": `"f"`, "fd.name": `"/etc/passwd"`, "fd.directory": `"/etc"`, "fd.filename": `"passwd"`,
			"fd.ino": `77`, "fd.dev": `"800012"`, "fd.dev.major": `0`, "fd.dev.minor": `2066`, "fd.uid": `"203"`, "fd.containername": `":/etc/passwd"`,
			"fd.containerdirectory": `":/etc"`, "fd.cip": `null`, "fd.sockfamily": `null`, "fd.is_server": `false`, "fd.l4proto": `"<NA>"`,
			"fd.connected": `false`, "fd.name_changed": `false`, "evt.category": `"file"`, "evt.buflen.file.in": `5`, "evt.buflen": `5`,
		}},
		{"a directory", []call{using(6)}, map[string]string{"fd.type": `"directory"`, "fd.directory": `"/var/lib"`, "fd.filename": `null`}},
		{"a connection of a client", []call{using(4)}, map[string]string{
			"fd.type": `"ipv4"`, "fd.cip": `"10.0.0.5"`, "fd.sip": `"192.0.2.1"`, "fd.cport": `4000`, "fd.sport": `80`, "fd.lip": `"10.0.0.5"`,
			"fd.rip": `"192.0.2.1"`, "fd.lport": `4000`, "fd.rport": `80`, "fd.l4proto": `"tcp"`, "fd.sockfamily": `"ip"`, "fd.is_server": `false`,
			"fd.cproto": `"4000"`, "fd.rproto": `"80"`, "fd.directory": `null`, "fd.sip.name": `null`,
		}},
		{"a listening socket", []call{using(5)}, map[string]string{
			"fd.cip": `null`, "fd.sip": `"0.0.0.0"`, "fd.sport": `8080`, "fd.lip": `null`, "fd.is_server": `true`, "fd.sproto": `""`, "fd.lproto": `null`,
		}},
		{"a Unix socket", []call{using(7)}, map[string]string{"fd.type": `"unix"`, "fd.sockfamily": `"unix"`, "fd.name": `"/run/log"`, "evt.category": `"ipc"`}},
		{"an unknown descriptor", []call{using(55)}, map[string]string{
			"fd.num": `55`, "fd.type": `null`, "fd.typechar": `"o"`, "fd.name": `""`, "fd.directory": `"/"`, "evt.category": `"unknown"`, "evt.buflen": `null`,
		}},
		{"all types of the process", []call{using(3)}, map[string]string{
			"fd.types": `["directory", "file", "ipv4", "unix"]`, "fd.types[4]": `["ipv4"]`, "fd.types[99]": `null`,
		}},
		{"a call without descriptor", []call{{event.SyscallKillX, bashTID, []any{0, 10, 15}}}, map[string]string{
			"fd.num": `null`, "fd.name": `null`, "fd.types": `null`, "fd.uid": `null`, "fd.typechar": `null`,
		}},
		{"a connection of a server", []call{{event.SocketAccept4V6X, bashTID, []any{9, tuple("192.0.2.7:5000", "10.0.0.5:8080"), 0, 0, 0, 0}}}, map[string]string{
			"fd.name": `"192.0.2.7:5000->10.0.0.5:8080"`, "fd.cip": `"192.0.2.7"`, "fd.lip": `"10.0.0.5"`, "fd.rport": `5000`, "fd.is_server": `true`,
		}},
		{"slashes in a raw name", []call{{event.SyscallOpenatV2X, bashTID, []any{9, -100, "//a///b", 1, 0, 0, 0}}}, map[string]string{
			"fd.nameraw": `"/a/b"`, "fd.name": `"/a/b"`,
		}},
	})
}

// TestEnds looks at the fields of conditions that stand for both ends of a connection.
func TestEnds(t *testing.T) {
	cat := field.NewCatalogue()
	s := state.New(state.Config{})
	s.Load(machine())
	cases := []struct {
		fd    int
		field string
		want  []string // nil for no value
	}{
		{4, "fd.ip", []string{`"10.0.0.5"`, `"192.0.2.1"`}},
		{4, "fd.port", []string{`4000`, `80`}},
		{4, "fd.proto", []string{`4000`, `80`}},
		{5, "fd.ip", []string{`"0.0.0.0"`}},
		{5, "fd.port", []string{`8080`}},
		{3, "fd.ip", []string{}},
		{3, "fd.net", []string{}},
		{99, "fd.ip", nil},
	}
	for _, tc := range cases {
		var e event.Event
		if err := e.Decode(encode(t, using(tc.fd), start)); err != nil {
			t.Fatal(err)
		}
		got := candidates(t, cat, s.Apply(&e), tc.field, "")
		if (got == nil) != (tc.want == nil) || len(got) != len(tc.want) {
			t.Errorf("%s of %d: %v, want %v", tc.field, tc.fd, got, tc.want)
			continue
		}
		for i := range got {
			if got[i] != tc.want[i] {
				t.Errorf("%s of %d: %v, want %v", tc.field, tc.fd, got, tc.want)
			}
		}
	}
}

// resolver knows the addresses of some hosts.
func resolver(known map[string][]netip.Addr) func([]string) [][]netip.Addr {
	return func(hosts []string) (addrs [][]netip.Addr) {
		for _, host := range hosts {
			addrs = append(addrs, known[host])
		}
		return addrs
	}
}

// TestHostNames resolves the names that a condition mentions.
func TestHostNames(t *testing.T) {
	cat := field.NewCatalogue()
	cat.LookupHosts = resolver(map[string][]netip.Addr{
		"example.org":     {netip.MustParseAddr("192.0.2.1")},
		"www.example.org": {netip.MustParseAddr("192.0.2.1")},
	})
	s := state.New(state.Config{})
	s.Load(machine())
	var e event.Event
	if err := e.Decode(encode(t, using(4), start)); err != nil {
		t.Fatal(err)
	}
	c := s.Apply(&e)
	if got := candidates(t, cat, c, "fd.sip.name", ""); len(got) != 1 || got[0] != `"192.0.2.1"` {
		t.Errorf("before names are resolved: %v", got)
	}
	cat.Resolve([]string{"example.org", "www.example.org", "nowhere.example"})
	if got := candidates(t, cat, c, "fd.sip.name", ""); len(got) != 2 || got[0] != `"example.org"` || got[1] != `"www.example.org"` {
		t.Errorf("server: %v", got)
	}
	if got := candidates(t, cat, c, "fd.cip.name", ""); len(got) != 1 || got[0] != `"10.0.0.5"` {
		t.Errorf("client: %v", got)
	}
	if got := printed(bindOutput(t, cat, "fd.rip.name"), c); got != `"example.org"` {
		t.Errorf("output: %s", got)
	}
	cat.LookupHosts = resolver(map[string][]netip.Addr{"example.org": {netip.MustParseAddr("192.0.2.9")}})
	cat.Resolve([]string{"example.org"}) // it has moved
	if got := candidates(t, cat, c, "fd.sip.name", ""); len(got) != 1 || got[0] != `"www.example.org"` {
		t.Errorf("server, after a host moved: %v", got)
	}
	cat.Of("syscall").Forget([]string{"www.example.org"})
	if got := candidates(t, cat, c, "fd.sip.name", ""); len(got) != 1 || got[0] != `"192.0.2.1"` {
		t.Errorf("server, after a host was forgotten: %v", got)
	}
}

// TestParts holds what fields say of being a part of another one against events of all kinds of descriptors and names.
func TestParts(t *testing.T) {
	calls := []call{
		using(0), using(3), using(4), using(5), using(6), using(7), using(55),
		{event.SyscallCloseX, bashTID, []any{0, 3}},
		{event.SyscallDupX, bashTID, []any{11, 6}},
		{event.SyscallKillX, bashTID, []any{0, 10, 15}},
		{event.SyscallFchdirX, bashTID, []any{0, 6}},
		{event.SyscallOpenByHandleAtX, bashTID, []any{-2, 6, 0, "/mnt/x"}},
		{event.SyscallOpenByHandleAtX, bashTID, []any{-2, 6, 0, nil}},
		{event.SocketConnectX, bashTID, []any{-111, tuple("10.0.0.5:4001", "192.0.2.9:81"), 4, nil}},
		{event.SocketConnectX, bashTID, []any{-111, nil, 56, nil}},
		{event.SyscallMemfdCreateX, bashTID, []any{12, "a/b", 0}},
	}
	long := "/" + strings.Repeat("long/", 1000) + "end"
	for _, name := range []any{"/", "//", "/a", "a", "", ".", "..", "/a/b/", "//a//b", "a/b", "/a/\xff", "/a (deleted)", "<NA>", long, nil} {
		for _, result := range []int{9, -2, -13} {
			calls = append(calls,
				call{event.SyscallOpenX, bashTID, []any{result, name, 1, 0, 0, 0}},
				call{event.SyscallCreatX, bashTID, []any{result, name, 0, 0, 0, 0}},
				call{event.SyscallOpenatV2X, bashTID, []any{result, 6, name, 1, 0, 0, 0}},
				call{event.SyscallOpenat2X, bashTID, []any{result, -100, name, 1, 0, 0, 0, 0}},
				using(9))
		}
	}
	s := state.New(state.Config{})
	s.Load(machine())
	catalogue := field.NewCatalogue()
	parts, wholes := map[string]*field.Extractor{}, map[string]*field.Extractor{}
	for _, class := range catalogue.Classes() {
		for i := range class.Fields {
			f := &class.Fields[i]
			if f.Flags&field.ArgRequired != 0 {
				continue
			}
			if x, err := catalogue.BindField(f, "", true); err == nil && x.Part != nil {
				parts[f.Name], wholes[f.Name] = x, bindOutput(t, catalogue, x.Part.Of)
			}
		}
	}
	if len(parts) < 2 {
		t.Fatalf("only %d parts", len(parts))
	}
	for i, k := range calls {
		var e event.Event
		if err := e.Decode(encode(t, k, start+uint64(i)*1000)); err != nil {
			t.Fatalf("call %d: %v", i, err)
		}
		c := s.Apply(&e)
		for name, x := range parts {
			part, ok := x.Text(c)
			if !ok || part == x.Part.Except {
				_, whole := wholes[name].Text(c)
				if ok && !whole {
					t.Errorf("call %d %v: %s is %q, %s has no value", i, k.params, name, part, x.Part.Of)
				}
				continue
			}
			whole, ok := wholes[name].Text(c)
			is := strings.HasPrefix
			if x.Part.End {
				is = strings.HasSuffix
			}
			if !ok || !is(whole, part) {
				t.Errorf("call %d %v: %s is %.40q, which is no part of %s, %.40q (%v)", i, k.params, name, part, x.Part.Of, whole, ok)
			}
		}
	}
}
