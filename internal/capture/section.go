package capture

import (
	"encoding/binary"
	"fmt"

	"github.com/saker-sec/saker/internal/event"
)

// A section header's magic number and the version that is written. Any minor version is read.
const (
	sectionMagic = 0x1A2B3C4D
	sectionMajor = 1
	sectionMinor = 2
	sectionSize  = 28 // the whole block, without options
)

// checkSection checks a section header block that lies at offset. What follows the fields are options of pcapng.
func checkSection(block []byte, offset int64) error {
	kind := binary.LittleEndian.Uint32(block)
	reason, err := "", ErrCorrupt
	switch {
	case blockType(kind) != blockSection:
		reason = fmt.Sprintf("block %#x stands where a section header, %#x, begins a capture", kind, uint32(blockSection))
	case len(block) < sectionSize:
		reason = fmt.Sprintf("the section header has %d bytes; at least %d are needed", len(block), sectionSize)
	case binary.LittleEndian.Uint32(block[8:]) != sectionMagic:
		reason = fmt.Sprintf("the section's magic number is %#x; a little-endian capture has %#x",
			binary.LittleEndian.Uint32(block[8:]), sectionMagic)
	case binary.LittleEndian.Uint16(block[12:]) > sectionMajor:
		reason = fmt.Sprintf("the section has major version %d; %d is the newest known",
			binary.LittleEndian.Uint16(block[12:]), sectionMajor)
		err = ErrVersion
	default:
		return nil
	}
	return &DamageError{Offset: offset, Reason: reason, Err: err}
}

// appendSection appends a whole section header block.
func appendSection(b []byte) []byte {
	b = binary.LittleEndian.AppendUint32(b, uint32(blockSection))
	b = binary.LittleEndian.AppendUint32(b, sectionSize)
	b = binary.LittleEndian.AppendUint32(b, sectionMagic)
	b = binary.LittleEndian.AppendUint16(b, sectionMajor)
	b = binary.LittleEndian.AppendUint16(b, sectionMinor)
	b = binary.LittleEndian.AppendUint64(b, 1<<64-1) // the section's length is not known
	return binary.LittleEndian.AppendUint32(b, sectionSize)
}

// section gathers the metadata blocks of a section into a snapshot.
type section struct {
	snap  event.Snapshot
	procs map[int64]int // thread id → position in snap.Processes
}

// add takes in a block that precedes the first event and lies at offset. Blocks of unknown types are skipped.
func (s *section) add(kind blockType, block []byte, offset int64) error {
	body := block[8 : len(block)-4]
	bad, what := -1, ""
	switch kind {
	case blockMachine, blockMachineAlias:
		m, ok := readMachine(body)
		if !ok {
			bad, what = 0, "machine"
			break
		}
		s.snap.Machine = m
	case blockDescriptors1, blockDescriptors1Alias:
		bad, what = s.addDescriptors(body, 1), "descriptor"
	case blockDescriptors2:
		bad, what = s.addDescriptors(body, 2), "descriptor"
	case blockInterfaces1, blockInterfaces1Alias:
		s.snap.Interfaces, bad = readInterfaces(s.snap.Interfaces, body, 1)
		what = "interface"
	case blockInterfaces2:
		s.snap.Interfaces, bad = readInterfaces(s.snap.Interfaces, body, 2)
		what = "interface"
	case blockAccounts1, blockAccounts1Alias:
		bad, what = readAccounts(&s.snap, body, 1), "account"
	case blockAccounts2:
		bad, what = readAccounts(&s.snap, body, 2), "account"
	default:
		if version := processVersion(kind); version > 0 {
			s.snap.Processes, bad = readProcesses(s.snap.Processes, body, version)
			what = "process"
			s.index()
		}
	}
	if bad >= 0 {
		reason := fmt.Sprintf("the %s entry in block %#x does not end where its lengths say", what, uint32(kind))
		return &DamageError{Offset: offset + 8 + int64(bad), Reason: reason, Err: ErrCorrupt}
	}
	return nil
}

// index adds the processes that came since the last call to procs.
func (s *section) index() {
	if s.procs == nil {
		s.procs = make(map[int64]int, len(s.snap.Processes))
	}
	for i := len(s.procs); i < len(s.snap.Processes); i++ {
		s.procs[s.snap.Processes[i].TID] = i
	}
}

// addDescriptors gives the descriptors of a block to their process. Those of a process that is not listed are left out.
func (s *section) addDescriptors(body []byte, version int) (bad int) {
	if len(body) < 8 {
		return 0
	}
	i, ok := s.procs[int64(binary.LittleEndian.Uint64(body))]
	if !ok {
		_, bad = readDescriptors(nil, body, version)
		return bad
	}
	p := &s.snap.Processes[i]
	p.FDs, bad = readDescriptors(p.FDs, body, version)
	return bad
}

// isMetadata reports whether a block belongs before the first event.
func isMetadata(kind blockType) bool {
	switch kind {
	case blockMachine, blockMachineAlias, blockDescriptors1, blockDescriptors1Alias, blockDescriptors2,
		blockInterfaces1, blockInterfaces1Alias, blockInterfaces2,
		blockAccounts1, blockAccounts1Alias, blockAccounts2:
		return true
	}
	return processVersion(kind) > 0
}
