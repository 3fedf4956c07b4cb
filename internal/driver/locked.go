package driver

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// loadLocked loads a program on a kernel that refuses bpf_probe_read_kernel (lockdown=confidentiality). The ebpf library takes such a
// kernel for one that does not know the helper yet, and then replaces the helpers for user memory too, by one that is refused as
// well. So what the library does is done here without that step: relocating against the kernel's types, and putting in the
// descriptors of the maps and the ids of the kernel's functions.
func loadLocked(spec *ebpf.ProgramSpec, maps map[string]*ebpf.Map, kernel *btf.Spec) (*ebpf.Program, error) {
	insns, err := relocate(spec, maps, kernel)
	if err != nil {
		return nil, err
	}
	var hook *btf.Typedef
	if err := kernel.TypeByName("btf_trace_"+spec.AttachTo, &hook); err != nil {
		return nil, fmt.Errorf("looking for the tracepoint %s: %w", spec.AttachTo, err)
	}
	target, err := kernel.TypeID(hook)
	if err != nil {
		return nil, fmt.Errorf("looking for the tracepoint %s: %w", spec.AttachTo, err)
	}
	var code bytes.Buffer
	if err := insns.Marshal(&code, binary.LittleEndian); err != nil {
		return nil, fmt.Errorf("encoding the instructions: %w", err)
	}
	fd, err := progLoad(code.Bytes(), spec, target, nil)
	if err != nil {
		log := make([]byte, 1<<20)
		_, err = progLoad(code.Bytes(), spec, target, log)
		return nil, fmt.Errorf("%w: %s", err, lastLine(log))
	}
	return ebpf.NewProgramFromFD(fd)
}

// relocate returns the instructions of a program as the running kernel needs them.
func relocate(spec *ebpf.ProgramSpec, maps map[string]*ebpf.Map, kernel *btf.Spec) (asm.Instructions, error) {
	insns := append(asm.Instructions(nil), spec.Instructions...)
	var relos []*btf.CORERelocation
	var at []*asm.Instruction
	for i := range insns {
		ins := &insns[i]
		if r := btf.CORERelocationMetadata(ins); r != nil {
			relos, at = append(relos, r), append(at, ins)
		}
		switch {
		case ins.IsLoadFromMap():
			m := maps[ins.Reference()]
			if m == nil {
				return nil, fmt.Errorf("there is no map %q", ins.Reference())
			}
			if err := ins.AssociateMap(m); err != nil {
				return nil, fmt.Errorf("referring to the map %s: %w", ins.Reference(), err)
			}
		case ins.IsKfuncCall():
			var fn *btf.Func
			if err := kernel.TypeByName(ins.Reference(), &fn); err != nil {
				return nil, fmt.Errorf("looking for the kernel's function %s: %w", ins.Reference(), err)
			}
			id, err := kernel.TypeID(fn)
			if err != nil {
				return nil, fmt.Errorf("looking for the kernel's function %s: %w", ins.Reference(), err)
			}
			ins.Constant, ins.Offset = int64(id), 0
		}
	}
	fixups, err := btf.CORERelocate(relos, []*btf.Spec{kernel}, binary.LittleEndian, func(btf.Type) (btf.TypeID, error) {
		return 0, errors.New("the program refers to a type of its own")
	})
	if err != nil {
		return nil, fmt.Errorf("relocating: %w", err)
	}
	for i := range fixups {
		if err := fixups[i].Apply(at[i]); err != nil {
			return nil, fmt.Errorf("relocating: %w", err)
		}
	}
	return insns, nil
}

// progLoadAttr is the beginning of union bpf_attr for BPF_PROG_LOAD (include/uapi/linux/bpf.h).
type progLoadAttr struct {
	progType, insnCount     uint32
	insns, license          uint64
	logLevel, logSize       uint32
	log                     uint64
	kernVersion, flags      uint32
	name                    [16]byte
	ifindex, attachType     uint32
	btfFD, funcRecSize      uint32
	funcInfo                uint64
	funcCount, lineRecSize  uint32
	lineInfo                uint64
	lineCount, attachBTF    uint32
	attachProgFD, coreCount uint32
}

// progLoad is bpf(BPF_PROG_LOAD); it returns the descriptor of the program.
func progLoad(code []byte, spec *ebpf.ProgramSpec, target btf.TypeID, log []byte) (int, error) {
	license := append([]byte(spec.License), 0)
	attr := progLoadAttr{
		progType: uint32(spec.Type), insnCount: uint32(len(code) / asm.InstructionSize),
		insns: uint64(uintptr(unsafe.Pointer(&code[0]))), license: uint64(uintptr(unsafe.Pointer(&license[0]))),
		attachType: uint32(spec.AttachType), attachBTF: uint32(target),
	}
	copy(attr.name[:15], spec.Name)
	if log != nil {
		attr.logLevel, attr.logSize, attr.log = 1, uint32(len(log)), uint64(uintptr(unsafe.Pointer(&log[0])))
	}
	fd, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	runtime.KeepAlive(code)
	runtime.KeepAlive(license)
	runtime.KeepAlive(log)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

// lastLine returns the line of the verifier's log that says why, which stands before its statistics.
func lastLine(log []byte) string {
	lines := bytes.Split(bytes.TrimRight(log, "\x00\n"), []byte("\n"))
	return string(lines[max(0, len(lines)-2)])
}
