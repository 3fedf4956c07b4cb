package driver

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// spec returns the embedded programs of this architecture.
func spec(t *testing.T) *ebpf.CollectionSpec {
	t.Helper()
	s, err := loadPrograms()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestLayouts compares what the C and the Go side think of the memory they share, through the BTF of the objects.
func TestLayouts(t *testing.T) {
	s := spec(t)
	var c *btf.Struct
	if err := s.Types.TypeByName("counters", &c); err != nil {
		t.Fatal(err)
	}
	var g cpuCounters
	offsets := map[string]uintptr{
		"events": unsafe.Offsetof(g.events), "drops": unsafe.Offsetof(g.drops), "scratch": unsafe.Offsetof(g.scratch),
		"truncated_path": unsafe.Offsetof(g.truncatedPath), "truncated_args": unsafe.Offsetof(g.truncatedArgs),
		"no_handler": unsafe.Offsetof(g.noHandler),
	}
	for _, m := range c.Members {
		if want, ok := offsets[m.Name]; ok && uintptr(m.Offset.Bytes()) != want {
			t.Errorf("counters.%s is at %d in C, %d in Go", m.Name, m.Offset.Bytes(), want)
		} else if !ok && m.Name != "pad" {
			t.Errorf("counters.%s is unknown in Go", m.Name)
		}
	}
	if uintptr(c.Size) != unsafe.Sizeof(g) {
		t.Errorf("counters have %d bytes in C, %d in Go", c.Size, unsafe.Sizeof(g))
	}
	var p *btf.Struct
	if err := s.Types.TypeByName("prefix", &p); err != nil {
		t.Fatal(err)
	}
	if p.Size != prefixSize || p.Members[0].Offset != 0 || p.Members[1].Offset.Bytes() != 2 {
		t.Errorf("prefix %+v does not have %d bytes with the CPU at 0 and the flags at 2", p, prefixSize)
	}
	for name, size := range map[string]uint32{programsVarInterest: 512, programsVarScSocketcall: 64, programsVarBootEpoch: 8, programsVarSleeping: 4} {
		if v := s.Variables[name]; v.Size() != size || v.SectionName != ".bss" {
			t.Errorf("variable %s has %d bytes in %s, want %d in .bss", name, v.Size(), v.SectionName, size)
		}
	}
}

// TestDropNames compares the categories of lost events with the C side's.
func TestDropNames(t *testing.T) {
	var e *btf.Enum
	if err := spec(t).Types.TypeByName("drop", &e); err != nil {
		t.Fatal(err)
	}
	if len(e.Values) != NumDrops+1 {
		t.Fatalf("%d categories in C, %d in Go", len(e.Values)-1, NumDrops)
	}
	for _, v := range e.Values[:NumDrops] {
		name := strings.ToLower(strings.TrimPrefix(v.Name, "DROP_"))
		if got := Drop(v.Value).String(); !strings.HasPrefix(got, name) {
			t.Errorf("category %d is %s in C, %s in Go", v.Value, v.Name, got)
		}
	}
}
