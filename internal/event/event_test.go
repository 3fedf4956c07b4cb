package event

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
)

// openat encodes one successful openat of /etc/shadow.
func openat(c *Encoder) []byte {
	c.Begin(SyscallOpenatV2X, 1_700_000_000_000_000_000, 42)
	c.Int64(3)
	c.Int64(-100)
	c.Text("/etc/shadow")
	c.Uint32(1)
	c.Uint32(0)
	c.Uint32(0x801)
	c.Uint64(99)
	return c.Bytes()
}

func TestDecode(t *testing.T) {
	var c Encoder
	var e Event
	if err := e.Decode(openat(&c)); err != nil {
		t.Fatal(err)
	}
	if e.Code != SyscallOpenatV2X || e.TID != 42 || e.Time != 1_700_000_000_000_000_000 || e.NumParams() != 7 {
		t.Fatalf("header: %+v", e)
	}
	if got, ok := e.Result(); got != 3 || !ok {
		t.Errorf("Result() = %d, %v", got, ok)
	}
	if got, _ := e.Int(1); got != -100 {
		t.Errorf("dirfd = %d", got)
	}
	if got, ok := e.Text(2); got != "/etc/shadow" || !ok {
		t.Errorf("name = %q, %v", got, ok)
	}
	if got, _ := e.Uint(5); got != 0x801 {
		t.Errorf("dev = %#x", got)
	}
	if p := e.Param(7); p != nil {
		t.Errorf("parameter that is not there = %v", p)
	}
	if got, ok := e.Text(7); got != "" || ok {
		t.Errorf("text that is not there = %q, %v", got, ok)
	}
}

func TestDecodeNumbers(t *testing.T) {
	var c Encoder
	var e Event
	c.Begin(SyscallExecveV19X, 1, 1)
	c.Uint8(0xff)
	c.Uint16(0xfffe)
	c.Uint32(0xfffffffd)
	c.Uint64(0xfffffffffffffffc)
	c.Empty()
	c.Raw([]byte{1, 2, 3})
	if err := e.Decode(c.Bytes()); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int64{-1, -2, -3, -4} {
		if got, ok := e.Int(i); got != want || !ok {
			t.Errorf("Int(%d) = %d, %v, want %d", i, got, ok, want)
		}
	}
	if got, ok := e.Uint(0); got != 0xff || !ok {
		t.Errorf("Uint(0) = %#x, %v", got, ok)
	}
	for i := 4; i < 7; i++ {
		if _, ok := e.Int(i); ok {
			t.Errorf("Int(%d) of an odd or empty parameter is a number", i)
		}
	}
}

func TestDecodeRefusesDamage(t *testing.T) {
	var c Encoder
	good := bytes.Clone(openat(&c))
	cases := map[string]func(b []byte) []byte{
		"empty":            func([]byte) []byte { return nil },
		"short header":     func(b []byte) []byte { return b[:HeaderSize-1] },
		"cut":              func(b []byte) []byte { return b[:len(b)-1] },
		"longer":           func(b []byte) []byte { return append(b, 0) },
		"unknown type":     func(b []byte) []byte { binary.LittleEndian.PutUint16(b[20:], uint16(NumCodes)); return b },
		"many parameters":  func(b []byte) []byte { binary.LittleEndian.PutUint32(b[22:], 33); return b },
		"lengths missing":  func(b []byte) []byte { binary.LittleEndian.PutUint32(b[22:], 32); return b },
		"length too large": func(b []byte) []byte { b[HeaderSize]++; return b },
		"length too small": func(b []byte) []byte { b[HeaderSize]--; return b },
	}
	for name, damage := range cases {
		t.Run(name, func(t *testing.T) {
			e := Event{n: 3}
			err := e.Decode(damage(bytes.Clone(good)))
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error is %v, want ErrMalformed", err)
			}
			if e.NumParams() != 0 || e.Param(0) != nil {
				t.Error("a refused event has parameters")
			}
		})
	}
}

func TestLargePayload(t *testing.T) {
	var c Encoder
	var e Event
	data := strings.Repeat("x", 100_000)
	c.Begin(PlugineventE, 1, -1)
	c.Uint32(2)
	c.Text(data)
	if err := e.Decode(c.Bytes()); err != nil {
		t.Fatal(err)
	}
	if got, _ := e.Text(1); got != data {
		t.Errorf("payload of %d bytes, want %d", len(got), len(data))
	}
	c.Begin(SyscallOpenatV2X, 1, 1)
	c.Text(data)
	if c.Bytes() != nil {
		t.Error("a parameter longer than its length field was encoded")
	}
}

func TestDecodeAllocatesNothing(t *testing.T) {
	var c Encoder
	raw := openat(&c)
	var e Event
	if n := testing.AllocsPerRun(1000, func() {
		if err := e.Decode(raw); err != nil {
			t.Fatal(err)
		}
		for i := range e.NumParams() {
			e.Param(i)
			e.Int(i)
			e.Text(i)
		}
	}); n != 0 {
		t.Errorf("decoding allocates %v times", n)
	}
}

func FuzzDecode(f *testing.F) {
	var c Encoder
	f.Add(bytes.Clone(openat(&c)))
	c.Begin(PlugineventE, 1, -1)
	c.Uint32(2)
	c.Text("payload")
	f.Add(bytes.Clone(c.Bytes()))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var e Event
		if err := e.Decode(raw); err != nil {
			if !errors.Is(err, ErrMalformed) || e.NumParams() != 0 {
				t.Fatalf("error %v with %d parameters", err, e.NumParams())
			}
			return
		}
		total := 0
		for i := range e.NumParams() {
			total += len(e.Param(i))
			e.Int(i)
			e.Uint(i)
			e.Text(i)
		}
		e.Result()
		width := 2
		if e.Type().Flags&FlagLargePayload != 0 {
			width = 4
		}
		if HeaderSize+width*e.NumParams()+total != len(raw) {
			t.Fatalf("parameters of %d bytes do not fill an event of %d", total, len(raw))
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	var c Encoder
	raw := openat(&c)
	var e Event
	b.ReportAllocs()
	for b.Loop() {
		if err := e.Decode(raw); err != nil {
			b.Fatal(err)
		}
	}
}
