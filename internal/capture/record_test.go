package capture

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

// first turns an encoded event into one of version 1, which does not say the number of its parameters.
func first(raw []byte) []byte {
	b := append(bytes.Clone(raw[:headerSize1]), raw[event.HeaderSize:]...)
	binary.LittleEndian.PutUint32(b[16:], uint32(len(b)))
	return b
}

// TestRecordKinds reads the same event from every kind of event block.
func TestRecordKinds(t *testing.T) {
	raw := encoded(t, event.SyscallReadX, 8, 13, 8, 4)
	large := encoded(t, event.AsynceventE, 4, 10, 70_000)
	cpu, flags := uint16(3), uint32(event.StateOnly)
	cases := []struct {
		name  string
		block []byte
		want  []byte
		dump  event.DumpFlags
	}{
		{"v1", block(blockEvent1, cpu, first(raw)), raw, 0},
		{"v1, alias", block(blockEvent1Alias, cpu, first(raw)), raw, 0},
		{"v1 with flags", block(blockEvent1Flags, cpu, flags, first(raw)), raw, event.StateOnly},
		{"v2", block(blockEvent2, cpu, raw), raw, 0},
		{"v2 with flags", block(blockEvent2Flags, cpu, flags, raw), raw, event.StateOnly},
		{"large", block(blockEvent2Large, cpu, large), large, 0},
		{"large with flags", block(blockEvent2LargeFlag, cpu, flags, large), large, event.StateOnly},
		{"v1 notification that says three bytes too many", notification(t, cpu), encoded(t, event.NotificationE, 3, 4), 0},
	}
	for _, c := range cases {
		r, err := NewReader(bytes.NewReader(join(c.block)))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var e event.Event
		if err := r.Next(&e); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !bytes.Equal(e.Raw(), c.want) || e.CPU != 3 || e.Dump != c.dump || e.Num != 1 {
			t.Errorf("%s: number %d, cpu %d, flags %d, %x\nwant %x", c.name, e.Num, e.CPU, e.Dump, e.Raw(), c.want)
		}
	}
}

func notification(t *testing.T, cpu uint16) []byte {
	b := first(encoded(t, event.NotificationE, 3, 4))
	binary.LittleEndian.PutUint32(b[16:], uint32(len(b)+3))
	return block(blockEvent1, cpu, b)
}

// TestUnknownTypes skips events of types that are newer than the schema, without a number.
func TestUnknownTypes(t *testing.T) {
	newer := encoded(t, event.SyscallCloseX, 8, 8)
	binary.LittleEndian.PutUint16(newer[20:], uint16(event.NumCodes))
	raw := encoded(t, event.SyscallCloseX, 8, 8)
	r, err := NewReader(bytes.NewReader(join(block(blockEvent2, uint16(0), newer), block(blockEvent2, uint16(0), raw))))
	if err != nil {
		t.Fatal(err)
	}
	var e event.Event
	if err := r.Next(&e); err != nil || e.Num != 1 || e.Code != event.SyscallCloseX {
		t.Errorf("%v: number %d, code %d", err, e.Num, e.Code)
	}
	if r.Skipped() != (Skipped{Unknown: 1}) {
		t.Errorf("skipped %+v", r.Skipped())
	}
}

// TestCountParams finds the number of parameters from the length alone.
func TestCountParams(t *testing.T) {
	for n := range event.MaxParams + 1 {
		sizes := make([]int, n)
		for i := range sizes {
			sizes[i] = i % 3
		}
		raw := first(encoded(t, event.SyscallReadX, sizes...))
		if got := countParams(raw); got != n {
			t.Errorf("%d parameters counted, want %d", got, n)
		}
		if got := countParams(raw[:len(raw)-1]); n > 0 && got >= n {
			t.Errorf("%d parameters counted in an event that is cut, of %d", got, n)
		}
	}
}
