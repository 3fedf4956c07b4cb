package field_test

import (
	"testing"

	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/state"
)

// TestArguments renders parameters of every kind.
func TestArguments(t *testing.T) {
	play(t, []scene{
		{"flags name their bits once", []call{{event.SyscallOpenatV2X, bashTID, []any{8, -100, "f", 0x1003, 0o640, 0x12, 5}}}, map[string]string{
			"evt.args":      `"fd=8(<f>/srv/f) dirfd=-100(AT_FDCWD) name=f(/srv/f) flags=4099(O_RDWR|O_CLOEXEC) mode=0640 dev=12 ino=5"`,
			"evt.arg.flags": `"O_RDWR|O_CLOEXEC"`, "evt.arg.mode": `"0640"`, "evt.arg.dirfd": `"AT_FDCWD"`, "evt.arg.name": `"/srv/f"`,
			"evt.arg[0]": `"<f>/srv/f"`, "evt.arg[7]": `null`, "evt.arg.res": `null`, "evt.rawarg.flags": `"1003"`, "evt.rawarg.name": `"f"`,
			"evt.info": `"fd=8(<f>/srv/f) dirfd=-100(AT_FDCWD) name=f(/srv/f) flags=4099(O_RDWR|O_CLOEXEC) mode=0640 dev=12 ino=5"`,
		}},
		{"a path relative to a descriptor", []call{{event.SyscallOpenatV2X, bashTID, []any{-2, 6, "../x", 0, 0, 0, 0}}}, map[string]string{
			"evt.arg.name": `"/var/x"`, "evt.arg.fd": `"ENOENT"`, "evt.arg.flags": `"O_NONE"`, "evt.abspath": `"/var/x"`,
			"evt.res": `"ENOENT"`, "evt.rawres": `-2`, "evt.failed": `true`, "fd.name": `"/var/x"`, "fd.nameraw": `"../x"`, "fd.typechar": `"f"`,
		}},
		{"empty parameters", []call{{event.SyscallOpenatV2X, bashTID, []any{-13, -100, nil, nil, nil}}}, map[string]string{
			"evt.args": `"fd=-13(EACCES) dirfd=-100(AT_FDCWD) name=<NA> flags=<NA> mode=<NA>"`, "evt.rawarg.flags": `null`,
			"evt.rawarg.name": `"<NA>"`,
		}},
		{"addresses", []call{{event.SocketBindX, bashTID, []any{0, sockaddr("[2001:db8::1]:53"), 9}}}, map[string]string{
			"evt.arg.addr": `"2001:db8::1:53"`, "evt.arg.res": `"0"`,
		}},
		{
			"a mapped connection",
			[]call{{event.SocketSendtoX, bashTID, []any{3, []byte("a\nb"), 4, 3, tuple("[::ffff:10.0.0.5]:4000", "[::ffff:192.0.2.1]:80")}}},
			map[string]string{
				"evt.arg.tuple": `"10.0.0.5:4000->192.0.2.1:80"`, "evt.arg.data": `"a.b"`, "evt.buffer": `"a.b"`, "evt.buflen": `3`,
				"evt.buflen.net.out": `3`, "evt.buflen.file": `null`, "evt.io_dir": `"write"`, "evt.category": `"net"`, "evt.is_io_write": `true`,
				"evt.arg.fd": `"<4t>10.0.0.5:4000->192.0.2.1:80"`, "evt.count.error.net": `0`, "evt.count.error.file": `null`,
			},
		},
		{
			"a Unix connection",
			[]call{{event.SocketConnectX, bashTID, []any{-111, append([]byte{1, 0xab, 0, 0, 0, 0, 0, 0, 0, 0xcd, 0, 0, 0, 0, 0, 0, 0}, "/run/x\x00"...), 7, nil}}},
			map[string]string{"evt.arg.tuple": `"ab->cd /run/x"`, "evt.res": `"ECONNREFUSED"`, "evt.arg.addr": `"<NA>"`},
		},
		{"modes", []call{{event.SyscallFchmodX, bashTID, []any{0, 3, 0o4755}}}, map[string]string{
			"evt.arg.mode": `"S_IXOTH|S_IROTH|S_IXGRP|S_IRGRP|S_IXUSR|S_IWUSR|S_IRUSR|S_ISUID"`, "fs.path.name": `"/etc/passwd"`,
		}},
		{"enumerations may have several names", []call{{event.SocketSocketX, bashTID, []any{9, 1, 2, 0, 0}}}, map[string]string{
			"evt.arg.domain": `"AF_LOCAL|AF_UNIX"`,
		}},
		{"times", []call{{event.SyscallNanosleepX, bashTID, []any{0, 1_500_000_000}}}, map[string]string{
			"evt.args": `"res=0 interval=1500000000(1.5s)"`, "evt.is_wait": `true`,
		}},
		{"signals and processes", []call{{event.SyscallKillX, bashTID, []any{0, 10, 15}}}, map[string]string{
			"evt.args": `"res=0 pid=10(sshd) sig=15(SIGTERM)"`, "evt.rawarg.sig": `15`,
		}},
		{"accounts", []call{{event.SyscallSetresuidX, bashTID, []any{0, 1000, -1, 5}}}, map[string]string{
			"evt.args": `"res=0 ruid=1000(ann) euid=-1(<NONE>) suid=5(<NA>)"`,
		}},
		{
			"a parameter of several types",
			[]call{{event.SocketGetsockoptX, bashTID, []any{0, 4, 1, 4, []byte{1, 0x91, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, 4}}},
			map[string]string{"evt.arg.val": `"ECONNREFUSED"`, "evt.arg.optname": `"SO_ERROR"`},
		},
		{
			"descriptors of a poll",
			[]call{{event.SyscallPollX, bashTID, []any{1, []byte{3, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0x11, 0, 4, 0, 0, 0, 0, 0, 0, 0, 4, 0, 99, 0, 0, 0, 0, 0, 0, 0, 1, 0}, 5}}},
			map[string]string{
				"evt.arg.fds": `"3:f11 4:44 99:?1"`, "fdlist.nums": `"3,4,99"`, "fdlist.names": `"/etc/passwd,10.0.0.5:4000->192.0.2.1:80,<NA>"`,
				"fdlist.cips": `"10.0.0.5"`, "fdlist.sips": `"192.0.2.1"`, "fdlist.cports": `"4000"`, "fdlist.sports": `"80"`,
			},
		},
		{
			"a poll of descriptor -1", // Falco 0.44.1 prints it without a sign
			[]call{{event.SyscallPollX, bashTID, []any{0, []byte{1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0}, 5}}},
			map[string]string{"evt.arg.fds": `"18446744073709551615:?0"`, "fdlist.nums": `"-1"`},
		},
		{"a generic event by its number", []call{{event.GenericX, bashTID, []any{0, 221}}}, map[string]string{
			"evt.args": `""`, "evt.arg[0]": `"unknown"`, "evt.rawres": `null`, "evt.dir": `"<"`,
		}},
	})
}

// FuzzArguments renders damaged parameters: nothing may fail but the decoding of the event.
func FuzzArguments(f *testing.F) {
	f.Add(uint16(event.SocketConnectX), uint16(1), []byte{2, 1, 2, 3})
	f.Add(uint16(event.SocketGetsockoptX), uint16(4), []byte{1})
	f.Add(uint16(event.SyscallPollX), uint16(1), []byte{255, 255, 1})
	f.Add(uint16(event.SyscallOpenatV2X), uint16(2), []byte("../../x\x00"))
	xs := everyExtractor(f, field.NewCatalogue())
	s := state.New(state.Config{})
	s.Load(machine())
	f.Fuzz(func(t *testing.T, code, position uint16, data []byte) {
		code %= uint16(event.NumCodes)
		params := event.Types()[code].Params
		if len(data) > 60000 {
			return
		}
		var enc event.Encoder
		enc.Begin(event.Code(code), start, bashTID)
		for i := range params {
			if i == int(position)%len(params) {
				enc.Raw(data)
			} else {
				enc.Raw(make([]byte, widthOf(params[i].Type)))
			}
		}
		var e event.Event
		if err := e.Decode(enc.Bytes()); err != nil {
			t.Fatal(err)
		}
		c := &state.Ctx{Event: &e, State: s, Thread: s.Thread(bashTID), FDNum: 3, FirstTime: start}
		if c.Thread == nil {
			t.Fatal("the thread of the test is gone")
		}
		c.FD = c.Thread.FDs().Get(3)
		for _, x := range xs {
			printed(x, c)
		}
	})
}
