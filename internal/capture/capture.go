// Package capture reads and writes capture files (.scap): a snapshot of the machine and its processes, followed by
// encoded events. A Reader gives the events of every version of the format as events of the current schema; a Writer
// writes what a Reader, Falco and Stratoshark read. A Recorder writes a file around each match of a rule, while events go
// by, with the seconds before the match.
//
// The format is a sequence of blocks like those of pcapng, plain or compressed with gzip, little-endian (reference:
// scap-format.md). Each kind of block has a file of its own here: section.go, machine.go, process.go, descriptor.go,
// account.go, iface.go and record.go (events). convert.go turns old events into current ones by the rules of
// conversions.txt.
package capture

import (
	"errors"
	"fmt"
)

//go:generate go run ./gen

// blockType is the kind of a block: the first number of each block.
type blockType uint32

// The blocks (reference: scap-format.md §1). The names ending in Alias are those of files from before the first release.
const (
	blockSection         blockType = 0x0A0D0D0A
	blockMachine         blockType = 0x201
	blockProcesses1      blockType = 0x202
	blockDescriptors1    blockType = 0x203
	blockEvent1          blockType = 0x204
	blockInterfaces1     blockType = 0x205
	blockAccounts1       blockType = 0x206
	blockProcesses2      blockType = 0x207
	blockEvent1Flags     blockType = 0x208
	blockProcesses3      blockType = 0x209
	blockProcesses4      blockType = 0x210
	blockProcesses5      blockType = 0x211
	blockProcesses6      blockType = 0x212
	blockProcesses7      blockType = 0x213
	blockProcesses8      blockType = 0x214
	blockProcesses9      blockType = 0x215
	blockEvent2          blockType = 0x216
	blockEvent2Flags     blockType = 0x217
	blockDescriptors2    blockType = 0x218
	blockInterfaces2     blockType = 0x219
	blockAccounts2       blockType = 0x220
	blockEvent2Large     blockType = 0x221
	blockEvent2LargeFlag blockType = 0x222

	blockProcesses1Alias   blockType = 0x8000ABCD
	blockDescriptors1Alias blockType = 0x8001ABCD
	blockMachineAlias      blockType = 0x8002ABCD
	blockEvent1Alias       blockType = 0x8010ABCD
	blockInterfaces1Alias  blockType = 0x8011ABCD
	blockAccounts1Alias    blockType = 0x8012ABCD
	blockProcesses2Alias   blockType = 0x8013ABCD
	blockProcesses3Alias   blockType = 0x8014ABCD
)

// blockOverhead is the size of a block without its body: type, length, and the length again at its end.
const blockOverhead = 12

// maxBlock is the size of the largest block that is read. The process list of a machine with 30 000 processes with full
// environments fits.
const maxBlock = 512 << 20

var (
	// ErrTruncated is wrapped by the error for a file that ends inside a block: the recorder was stopped or the disk was
	// full. The events before were delivered.
	ErrTruncated = errors.New("truncated capture")
	// ErrCorrupt is wrapped by the error for a file whose bytes contradict each other. The events before were delivered.
	ErrCorrupt = errors.New("corrupt capture")
	// ErrVersion is wrapped by the error for a file of a newer major version.
	ErrVersion = errors.New("unsupported capture version")
	// ErrSection is what Next returns once when another capture follows in the same file. The Reader stays usable: its
	// Snapshot is that of the new section, which knows nothing of the processes before.
	ErrSection = errors.New("a new section of the capture begins")
)

// DamageError says where a capture stops being readable.
type DamageError struct {
	Offset int64 // bytes from the beginning of the uncompressed file
	Reason string
	Err    error // ErrTruncated, ErrCorrupt or ErrVersion
}

// Error implements error.
func (e *DamageError) Error() string {
	return fmt.Sprintf("%v at byte %d: %s", e.Err, e.Offset, e.Reason)
}

// Unwrap returns ErrTruncated, ErrCorrupt or ErrVersion.
func (e *DamageError) Unwrap() error { return e.Err }
