package state

import (
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

// FuzzApply applies arbitrary events of the types that change the state. Three bytes choose type, thread and shape; then
// each parameter takes one byte: missing, a small number or text, or what else its type can hold.
func FuzzApply(f *testing.F) {
	var codes []event.Code
	ops := operations()
	for code := range ops {
		if ops[code].handle != nil {
			codes = append(codes, event.Code(code))
		}
	}
	for i := range codes {
		f.Add([]byte{byte(i), 3, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 200, 100, 50, byte(i), 4, 1, 9, 8, 7, 6, 5, 4, 3, 2, 1})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p := &fakeProc{threads: map[int64]*event.Process{3: {TID: 3, PID: 2, PTID: 1}, 2: {TID: 2, PID: 2, PTID: 3}}}
		s := New(Config{FollowAll: true, MaxThreads: 12, MaxProcessFDs: 20, Proc: p})
		now := uint64(1e18)
		for len(data) >= 3 {
			code, tid, shape := codes[int(data[0])%len(codes)], int64(data[1]%10), data[2]
			data = data[3:]
			now += uint64(shape) * 1e8
			var enc event.Encoder
			enc.Begin(code, now, tid)
			for _, param := range event.Types()[code].Params {
				if len(data) == 0 || shape == 255 {
					break
				}
				fuzzParam(&enc, param, data[0])
				data = data[1:]
			}
			var e event.Event
			if err := e.Decode(enc.Bytes()); err != nil {
				t.Fatal(err)
			}
			c := s.Apply(&e)
			if c.Thread != nil && s.Thread(c.Thread.TID) != c.Thread {
				t.Fatalf("%s: the event's thread %d is not in the table", e.Type().PPME, c.Thread.TID)
			}
			if c.Thread != nil {
				_, _, _ = c.Thread.SessionLeader(), c.Thread.Ancestor(3), c.Thread.NumNotLeader()
			}
		}
		checkInvariants(t, s)
	})
}

// fuzzParam encodes a parameter that the byte b chooses.
func fuzzParam(enc *event.Encoder, p event.Param, b byte) {
	texts := []string{"", "/etc/passwd", "../x", "<NA>", "(NULL)", "cpu=/docker/x", "a"}
	tuples := []string{"\x02aaaabbccccdd", "\x0aaaaaaaaaaaaaaaaabbccccccccccccccccdd", "\x01aaaaaaaabbbbbbbb/x\x00", "\x02aaaabb", "\x01/run\x00", "\x07"}
	switch {
	case b < 20:
		enc.Empty()
	case b >= 250:
		enc.Raw([]byte{b, 1, 2}) // a width that nothing has
	case p.Type == event.TypeCharbuf || p.Type == event.TypeFspath || p.Type == event.TypeFsrelpath || p.Type == event.TypeBytebuf:
		enc.Text(texts[int(b)%len(texts)])
	case p.Type == event.TypeSockaddr || p.Type == event.TypeSocktuple:
		enc.Raw([]byte(tuples[int(b)%len(tuples)]))
	case p.Type == event.TypeDyn:
		enc.Raw([]byte{1, b, 0, 0, 0, 0, 0, 0, b})
	default:
		v := int64(b%12) - 1
		if b > 230 {
			v = int64(b) << 24
		} else if p.Type == event.TypeFlags32 && b > 60 {
			v = int64(b) << (b % 24) // flags of clone and its like
		}
		switch p.Type {
		case event.TypeInt8, event.TypeUint8, event.TypeFlags8, event.TypeEnumflags8, event.TypeSigtype:
			enc.Uint8(uint8(v))
		case event.TypeInt16, event.TypeUint16, event.TypeFlags16, event.TypeEnumflags16:
			enc.Uint16(uint16(v))
		case event.TypeInt32, event.TypeUint32, event.TypeFlags32, event.TypeEnumflags32, event.TypeUid, event.TypeGid, event.TypeMode:
			enc.Uint32(uint32(v))
		default:
			enc.Int64(v)
		}
	}
}
