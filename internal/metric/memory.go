package metric

import "runtime/metrics"

// Memory is the memory of the Go runtime in the classes that jemalloc reports, in bytes.
type Memory struct {
	Allocated uint64 // live objects, and dead ones not collected yet
	Active    uint64 // spans in use by the heap
	Metadata  uint64 // the runtime's own
	Resident  uint64 // mapped and not given back to the kernel
	Mapped    uint64 // all
	Retained  uint64 // mapped and given back
}

// ReadMemory reads the memory of this process. It does not stop the program (runtime/metrics).
func ReadMemory() Memory {
	const class = "/memory/classes/"
	samples := []metrics.Sample{
		{Name: class + "heap/objects:bytes"},
		{Name: class + "heap/unused:bytes"},
		{Name: class + "heap/released:bytes"},
		{Name: class + "total:bytes"},
		{Name: class + "metadata/mcache/inuse:bytes"},
		{Name: class + "metadata/mspan/inuse:bytes"},
		{Name: class + "metadata/other:bytes"},
	}
	metrics.Read(samples)
	at := func(i int) uint64 {
		if samples[i].Value.Kind() != metrics.KindUint64 {
			return 0
		}
		return samples[i].Value.Uint64()
	}
	return Memory{
		Allocated: at(0), Active: at(0) + at(1), Metadata: at(4) + at(5) + at(6),
		Resident: at(3) - at(2), Mapped: at(3), Retained: at(2),
	}
}

func (m *Memory) expose(w own) {
	for _, c := range []struct {
		class string
		n     uint64
	}{
		{"allocated", m.Allocated},
		{"active", m.Active},
		{"metadata", m.Metadata},
		{"resident", m.Resident},
		{"mapped", m.Mapped},
		{"retained", m.Retained},
	} {
		w.gauge("memory_bytes", "Memory of the Go runtime, in the classes of jemalloc.", float64(c.n), label{"class", c.class})
	}
}
