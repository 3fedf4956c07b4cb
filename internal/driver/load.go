package driver

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/saker-sec/saker/internal/event"
)

// abilities is what the running kernel can do, as far as the programs differ by it (the constants in bpf/saker.h).
type abilities struct {
	taskBTF    bool // bpf_get_current_task_btf, 5.11
	rdonlyCast bool // bpf_rdonly_cast, 6.2
	iter       bool // bpf_iter_num_new and its likes, 6.4
	probeRead  bool // bpf_probe_read_kernel is not refused by lockdown
	copies     int  // of programs that may be preempted; 0 before 7.0, and where they could not forbid it (bpf_preempt_disable, 6.11)
}

// release is the first number of the kernel's version, 0 if it cannot be told. That the programs of tracepoints may be preempted shows in nothing else
// that a process can see.
func release() int {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return 0
	}
	text, _, _ := strings.Cut(unix.ByteSliceToString(u.Release[:]), ".")
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// preemption is where the kernel tells how it preempts: "full (lazy)", the model in force in brackets (kernel/sched/debug.c).
const preemption = "/sys/kernel/debug/sched/preempt"

// copiesFor returns how many copies of the programs are needed at most. With lazy preemption, which is the usual one, only a real-time task takes the
// CPU from a task that is in the kernel, and two copies are enough; where the kernel does not say, all are attached.
func copiesFor(file string) int {
	model, err := os.ReadFile(file)
	if err == nil && (bytes.Contains(model, []byte("(lazy)")) || bytes.Contains(model, []byte("(voluntary)")) || bytes.Contains(model, []byte("(none)"))) {
		return 2
	}
	return maxCopies
}

// detect finds out what the kernel can do; forced is 0 or how many copies are attached as if the kernel preempted the programs.
func detect(kernel *btf.Spec, forced int) (abilities, error) {
	var a abilities
	var enum *btf.Enum
	if err := kernel.TypeByName("bpf_func_id", &enum); err != nil {
		return a, fmt.Errorf("looking for the BPF helpers in the kernel's BTF: %w", err)
	}
	names := make(map[string]bool, len(enum.Values))
	for _, v := range enum.Values {
		names[v.Name] = true
	}
	a.taskBTF = names["BPF_FUNC_get_current_task_btf"]
	var fn *btf.Func
	a.rdonlyCast = kernel.TypeByName("bpf_rdonly_cast", &fn) == nil
	a.iter = kernel.TypeByName("bpf_iter_num_new", &fn) == nil
	if kernel.TypeByName("bpf_preempt_disable", &fn) == nil {
		a.copies = forced
		if forced == 0 && release() >= 7 {
			a.copies = copiesFor(preemption)
		}
	}
	err := features.HaveProgramHelper(ebpf.RawTracepoint, asm.FnProbeReadKernel)
	if errors.Is(err, unix.EPERM) {
		return a, err
	}
	a.probeRead = err == nil
	if !names["BPF_FUNC_ringbuf_output"] {
		return a, ErrOldKernel
	}
	if !a.probeRead && !(a.rdonlyCast && a.taskBTF) {
		return a, ErrLockdown
	}
	return a, nil
}

// load makes the maps and the programs that are always there, and the reader. Nothing is attached.
func (d *Driver) load(cfg *Config) error {
	arch, ok := event.NativeArch()
	if !ok {
		return fmt.Errorf("%w: %s", ErrArch, runtime.GOARCH)
	}
	d.nativeArch = arch
	// Both are tens of milliseconds of reading tables, and neither needs the other.
	var embedded error
	read := make(chan bool)
	go func() {
		defer close(read)
		d.spec, embedded = loadPrograms()
	}()
	kernel, err := btf.LoadKernelSpec()
	<-read
	if err != nil {
		return fmt.Errorf("%w (%v)", ErrBTF, err)
	}
	if embedded != nil {
		return fmt.Errorf("reading the embedded programs: %w", embedded)
	}
	can, err := detect(kernel, cfg.copies)
	if err != nil {
		return err
	}
	// Before 5.11 maps count against RLIMIT_MEMLOCK. Lifting it may be refused although the limit suffices, so only making
	// the maps decides.
	memlock := rlimit.RemoveMemlock()

	nCPU, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("counting the CPUs: %w", err)
	}
	if err := d.prepare(cfg, can, nCPU); err != nil {
		return err
	}
	if err := d.makeMaps(cfg, nCPU); err != nil {
		if memlock != nil && errors.Is(err, unix.EPERM) {
			return fmt.Errorf("%w: RLIMIT_MEMLOCK is too low and cannot be raised (%v): allow it, or give CAP_SYS_RESOURCE", err, memlock)
		}
		return err
	}
	d.cache = btf.NewCache()
	if !can.probeRead {
		d.locked = kernel
	}
	return nil
}

// prepare writes the constants and sizes into the programs' specification.
func (d *Driver) prepare(cfg *Config, can abilities, nCPU int) error {
	var native, ia32 [512]uint16
	for i := range event.Syscalls() {
		s := &event.Syscalls()[i]
		if nr := s.NR[d.nativeArch]; s.Name != "" && nr >= 0 && int(nr) < len(native) {
			native[nr] = uint16(i)
		}
		if nr := s.NR[event.ArchIA32]; s.Name != "" && nr >= 0 && int(nr) < len(ia32) {
			ia32[nr] = uint16(i)
		}
	}
	for name, v := range map[string]any{
		programsVarHasTaskBtf: can.taskBTF, programsVarHasProbeRead: can.probeRead, programsVarHasRdonlyCast: can.rdonlyCast, programsVarHasIter: can.iter,
		programsVarPreemptible: can.copies > 0,

		programsVarScNative: native, programsVarScIa32: ia32,
		programsVarSnaplen: uint32(cfg.SnapLen), programsVarDropFailed: boolWord(cfg.DropFailed), programsVarBootEpoch: bootEpoch(),
		programsVarSelf:   cfg.Self,
		programsVarPageKb: uint32(unix.Getpagesize() / 1024),
	} {
		if err := d.spec.Variables[name].Set(v); err != nil {
			return fmt.Errorf("setting the programs' %s: %w", name, err)
		}
	}
	d.copies = can.copies
	if d.copies > 0 {
		d.spec.Maps[programsMapTurns].MaxEntries = 1 << 16
	}
	d.spec.Maps[programsMapCpus].MaxEntries = uint32(nCPU)
	d.spec.Maps[programsMapScratches].MaxEntries *= uint32(nCPU)
	d.spec.Maps[programsMapRings].MaxEntries = uint32(nCPU)
	d.spec.Maps[programsMapRings].InnerMap.MaxEntries = uint32(cfg.BufferSize)
	return nil
}

// makeMaps makes all maps and the rings, and maps what is shared with the reader.
func (d *Driver) makeMaps(cfg *Config, nCPU int) error {
	coll, err := ebpf.NewCollection(&ebpf.CollectionSpec{Maps: d.spec.Maps, Variables: d.spec.Variables, ByteOrder: d.spec.ByteOrder, Types: d.spec.Types})
	if err != nil {
		return fmt.Errorf("making the maps: %w", err)
	}
	d.maps = coll.Maps
	bss, err := mapShared(d.maps[".bss"], int(d.spec.Maps[".bss"].ValueSize))
	if err != nil {
		return err
	}
	word := func(name string) unsafe.Pointer { return unsafe.Pointer(&bss[d.spec.Variables[name].Offset]) }
	d.shared = &shared{
		bootEpoch: (*uint64)(word(programsVarBootEpoch)), sleeping: (*uint32)(word(programsVarSleeping)),
		interest: (*[512]byte)(word(programsVarInterest)), socketcall: (*[32]uint16)(word(programsVarScSocketcall)),
	}
	cpus, err := mapShared(d.maps[programsMapCpus], nCPU*int(unsafe.Sizeof(cpuCounters{})))
	if err != nil {
		return err
	}
	d.counters = countersIn(cpus, nCPU)
	runtime.AddCleanup(d, func(m [2][]byte) { unix.Munmap(m[0]); unix.Munmap(m[1]) }, [2][]byte{bss, cpus})
	return d.makeRings(cfg, nCPU)
}

// onlineCPUs returns how many CPUs are online. It is not runtime.NumCPU, which counts those that this process may run on: events come from
// all of them.
func onlineCPUs() int {
	list, err := os.ReadFile("/sys/devices/system/cpu/online")
	if n := countCPUs(string(list)); err == nil && n > 0 {
		return n
	}
	return runtime.NumCPU()
}

// countCPUs returns how many CPUs a list of the kernel's names, as "0-3,8"; 0 for what is no such list.
func countCPUs(list string) int {
	n := 0
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err1 := strconv.ParseUint(first, 10, 16)
		to, err2 := strconv.ParseUint(last, 10, 16)
		if err1 != nil || err2 != nil || to < from {
			return 0
		}
		n += int(to-from) + 1
	}
	return n
}

// makeRings makes the ring buffers and tells each CPU which is its own. The CPUs that are online share them evenly; one that comes
// later joins the ring that its number falls to.
func (d *Driver) makeRings(cfg *Config, nCPU int) error {
	per := cfg.CPUsPerBuffer
	if per == 0 || per > nCPU {
		per = nCPU
	}
	n := (min(onlineCPUs(), nCPU) + per - 1) / per
	var rings []*ring
	var fds []int
	var mappings [][2][]byte
	for i := range n {
		m, err := ebpf.NewMap(d.spec.Maps[programsMapRings].InnerMap)
		if err != nil {
			return fmt.Errorf("making ring buffer %d of %d bytes: %w", i, cfg.BufferSize, err)
		}
		d.maps[fmt.Sprintf("ring %d", i)] = m
		r, mapping, err := mapRing(m.FD(), cfg.BufferSize)
		if err != nil {
			return err
		}
		rings, fds, mappings = append(rings, r), append(fds, m.FD()), append(mappings, mapping)
		for cpu := i * per; cpu < nCPU; cpu++ {
			if cpu/per%n == i {
				if err := d.maps[programsMapRings].Put(uint32(cpu), m); err != nil {
					return fmt.Errorf("giving ring buffer %d to CPU %d: %w", i, cpu, err)
				}
			}
		}
	}
	d.merger = newMerger(rings)
	var err error
	if d.waiter, err = newWaiter(fds); err != nil {
		return err
	}
	runtime.AddCleanup(d, func(m [][2][]byte) {
		for i := range m {
			unix.Munmap(m[i][0])
			unix.Munmap(m[i][1])
		}
	}, mappings)
	runtime.AddCleanup(d, func(w *waiter) { w.free() }, d.waiter)
	return nil
}

// mapShared maps the first size bytes of an array that the programs and the reader share.
func mapShared(m *ebpf.Map, size int) ([]byte, error) {
	page := unix.Getpagesize()
	b, err := unix.Mmap(m.FD(), 0, (size+page-1)/page*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping the programs' variables: %w", err)
	}
	return b, nil
}

// bootEpoch returns the ns between the epoch and the boot, by which the clock of the programs becomes the time of day.
func bootEpoch() uint64 {
	var t unix.Timespec
	best, width := uint64(0), uint64(1<<64-1)
	for range 5 { // the tightest of a few readings
		before := bootTime()
		if unix.ClockGettime(unix.CLOCK_REALTIME, &t) != nil {
			return 0
		}
		after := bootTime()
		if after-before < width {
			width = after - before
			best = uint64(t.Nano()) - before - width/2
		}
	}
	return best
}

func boolWord(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}
