package field_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/state"
)

// The tests of this package replay a few events against a small machine and look at fields:
//
//	systemd(1) ── sshd(10) ── bash(20), with a thread 21; user 1000 is "ann"
//
// bash has /etc/passwd open as 3, a connection to 192.0.2.1:80 as 4, and a socket listening on port 8080 as 5.

const (
	bashTID   = 20
	threadTID = 21
	start     = 1_700_000_000_000_000_000 // ns since the epoch
)

func machine() *event.Snapshot {
	proc := func(tid, pid, ptid int64, comm, exe string, args ...string) event.Process {
		return event.Process{
			TID: tid, PID: pid, PTID: ptid, SID: 20, VPGID: tid, PGID: tid, VTID: tid, VPID: pid, Comm: comm, Exe: exe,
			ExePath: "/usr/bin/" + comm, Args: args, Env: []string{"HOME=/home/" + comm, "LANG= C "}, Cwd: "/srv", Root: "/",
			Cgroups: []string{"cpuset=/a", "memory=/b"}, FDLimit: 1024, LoginUID: 1<<32 - 1, CapEffective: 1<<0 | 1<<21,
		}
	}
	systemd, sshd := proc(1, 1, 0, "systemd", "/sbin/init"), proc(10, 10, 1, "sshd", "sshd:", "-D")
	bash, thread := proc(20, 20, 10, "bash", "-bash", "-c", "a b"), proc(threadTID, 20, 10, "bash", "-bash", "-c", "a b")
	bash.UID, bash.GID, bash.LoginUID = 1000, 1000, 1000
	thread.UID = 1000
	thread.Flags = state.FlagCloneThread | state.FlagCloneFiles
	bash.FDs = []event.Descriptor{
		{FD: 0, Type: event.FDFileV2, Name: "/dev/pts/1", OpenFlags: 3},
		{FD: 3, Type: event.FDFileV2, Name: "/etc/passwd", Ino: 77, Dev: 0x800012, OpenFlags: 1},
		{FD: 4, Type: event.FDIPv4, Name: "10.0.0.5:4000->192.0.2.1:80", L4: event.L4TCP, SIP: ip("10.0.0.5"), DIP: ip("192.0.2.1"), SPort: 4000, DPort: 80},
		{FD: 5, Type: event.FDIPv4Server, Name: "0.0.0.0:8080", L4: event.L4TCP, DIP: ip("0.0.0.0"), SIP: ip("0.0.0.0"), SPort: 8080, DPort: 8080},
		{FD: 6, Type: event.FDDirectory, Name: "/var/lib"},
		{FD: 7, Type: event.FDUnix, Name: "/run/log"},
	}
	return &event.Snapshot{
		Machine:    event.Machine{NumCPUs: 2, Hostname: "box"},
		Processes:  []event.Process{systemd, sshd, bash, thread},
		Users:      []event.User{{UID: 1000, GID: 1000, Name: "ann", Home: "/home/ann", Shell: "/bin/zsh"}},
		Groups:     []event.Group{{GID: 1000, Name: "staff"}},
		Interfaces: []event.Interface{{Name: "eth0", Addr: ip("10.0.0.5"), Mask: ip("255.255.255.0")}},
	}
}

func ip(s string) (a [16]byte) {
	copy(a[:], netip.MustParseAddr(s).AsSlice())
	return a
}

// tuple encodes the two ends of a connection as SOCKTUPLE parameters hold them.
func tuple(from, to string) []byte {
	f, t := netip.MustParseAddrPort(from), netip.MustParseAddrPort(to)
	b := []byte{2}
	if f.Addr().Is6() {
		b[0] = 10
	}
	b = append(b, f.Addr().AsSlice()...)
	b = binary.LittleEndian.AppendUint16(b, f.Port())
	b = append(b, t.Addr().AsSlice()...)
	return binary.LittleEndian.AppendUint16(b, t.Port())
}

// sockaddr encodes an address as SOCKADDR parameters hold it.
func sockaddr(s string) []byte { t := tuple(s, s); return t[:1+(len(t)-1)/2] }

// A call is an event to replay: its type and its parameters, encoded as their types ask for. nil is an empty parameter.
type call struct {
	code   event.Code
	tid    int64
	params []any
}

func encode(t testing.TB, k call, time uint64) []byte {
	t.Helper()
	var enc event.Encoder
	enc.Begin(k.code, time, k.tid)
	types := event.Types()[k.code].Params
	for i, p := range k.params {
		switch v := p.(type) {
		case nil:
			enc.Empty()
		case string:
			enc.Text(v)
		case []byte:
			enc.Raw(v)
		case int:
			width := 8
			if i < len(types) {
				width = widthOf(types[i].Type)
			}
			enc.Raw(binary.LittleEndian.AppendUint64(nil, uint64(v))[:width])
		default:
			t.Fatalf("parameter %d has type %T", i, p)
		}
	}
	return append([]byte(nil), enc.Bytes()...)
}

func widthOf(t event.ParamType) int {
	switch t {
	case event.TypeInt8, event.TypeUint8, event.TypeFlags8, event.TypeEnumflags8, event.TypeSigtype:
		return 1
	case event.TypeInt16, event.TypeUint16, event.TypeFlags16, event.TypeEnumflags16, event.TypeSyscallid:
		return 2
	case event.TypeInt32, event.TypeUint32, event.TypeFlags32, event.TypeEnumflags32, event.TypeUid, event.TypeGid, event.TypeMode,
		event.TypeSigset:
		return 4
	}
	return 8
}

// A scene replays calls and then expects values of fields of the last one: as JSON prints them, null for none. A name may
// end in its argument.
type scene struct {
	name  string
	calls []call
	want  map[string]string
}

func (sc *scene) run(t *testing.T, cat *field.Catalogue) {
	t.Helper()
	s := state.New(state.Config{})
	s.Load(machine())
	var e event.Event
	var c *state.Ctx
	xs := map[string]*field.Extractor{}
	for text := range sc.want {
		xs[text] = bindOutput(t, cat, text)
	}
	got := map[string]string{}
	for i, k := range sc.calls {
		if err := e.Decode(encode(t, k, start+uint64(i)*1000)); err != nil {
			t.Fatalf("%s: call %d: %v", sc.name, i, err)
		}
		e.Num, e.CPU = uint64(i+1), 1
		c = s.Apply(&e)
		for text, x := range xs {
			got[text] = printed(x, c) // fields that remember see every event
		}
	}
	for text, want := range sc.want {
		if got[text] != want {
			t.Errorf("%s: %s is %s, want %s", sc.name, text, got[text], want)
		}
	}
}

func play(t *testing.T, scenes []scene) {
	t.Helper()
	cat := field.NewCatalogue()
	for i := range scenes {
		scenes[i].run(t, cat)
	}
}
