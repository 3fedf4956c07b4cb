package capture

import (
	"encoding/binary"

	"github.com/saker-sec/saker/internal/event"
)

// processVersion returns the version of a process list block, 0 for other blocks.
func processVersion(t blockType) int {
	switch t {
	case blockProcesses1, blockProcesses1Alias:
		return 1
	case blockProcesses2, blockProcesses2Alias:
		return 2
	case blockProcesses3, blockProcesses3Alias:
		return 3
	case blockProcesses4:
		return 4
	case blockProcesses5:
		return 5
	case blockProcesses6:
		return 6
	case blockProcesses7:
		return 7
	case blockProcesses8:
		return 8
	case blockProcesses9:
		return 9
	}
	return 0
}

// readProcesses appends the entries of a process list block. On failure it returns what came before the bad entry, and
// where in the body that entry begins.
func readProcesses(list []event.Process, body []byte, version int) (_ []event.Process, bad int) {
	c := cursor{b: body}
	for c.left() >= 4 {
		start := c.pos
		list = append(list, event.Process{})
		readProcess(&c, version, &list[len(list)-1])
		if c.bad {
			return list[:len(list)-1], start
		}
	}
	return list, -1
}

// readProcess reads one entry (reference: scap-format.md §3).
func readProcess(c *cursor, version int, p *event.Process) {
	start, end := c.pos, 0
	if version >= 9 {
		end = start + int(c.u32())
	}
	*p = event.Process{SID: -1, VPGID: -1, PGID: -1, VTID: -1, VPID: -1, LoginUID: 1<<32 - 1}
	p.TID, p.PID, p.PTID = c.i64(), c.i64(), c.i64()
	if version >= 6 {
		p.SID = c.i64()
	}
	if version >= 8 {
		p.VPGID = c.i64()
	}
	p.Comm, p.Exe = c.text(), c.text()
	if version >= 7 {
		p.ExePath = c.text()
	}
	p.Args, p.Cwd = c.texts(), c.text()
	p.FDLimit = c.i64()
	p.Flags, p.UID, p.GID = c.u32(), c.u32(), c.u32()
	if version >= 2 {
		p.VMSize, p.VMRSS, p.VMSwap = c.u32(), c.u32(), c.u32()
		p.PFMajor, p.PFMinor = c.u64(), c.u64()
	}
	if version >= 3 {
		p.Env = c.texts()
	}
	if version >= 4 {
		p.VTID, p.VPID = c.i64(), c.i64()
		p.Cgroups = c.texts()
	}
	if version >= 5 {
		p.Root = c.text()
	}
	if version >= 9 {
		if end > len(c.b) || end < c.pos {
			c.bad = true
			return
		}
		entry := cursor{b: c.b[:end], pos: c.pos, bad: c.bad}
		readProcessTail(&entry, p)
		c.skipTo(end)
	}
}

// readProcessTail reads the fields of version 9 that an entry has only when it is long enough.
func readProcessTail(c *cursor, p *event.Process) {
	// Exactly loginuid, exe_writable and three capability sets: the two fields before them came later.
	const withoutStartAndTTY = 29
	if c.left() > withoutStartAndTTY {
		p.PidnsInitStart = c.u64()
		if c.left() >= 4 {
			p.TTY = c.u32()
		}
	}
	u64 := func(v *uint64) {
		if c.left() >= 8 {
			*v = c.u64()
		}
	}
	flag := func(v *bool) {
		if c.left() >= 1 {
			*v = c.u8() != 0
		}
	}
	if c.left() >= 4 {
		p.LoginUID = c.u32()
	}
	flag(&p.ExeWritable)
	u64(&p.CapInheritable)
	u64(&p.CapPermitted)
	u64(&p.CapEffective)
	flag(&p.ExeUpperLayer)
	u64(&p.ExeIno)
	u64(&p.ExeCtime)
	u64(&p.ExeMtime)
	flag(&p.ExeFromMemfd)
	flag(&p.ExeLowerLayer)
	if c.left() >= 8 {
		p.PGID = c.i64()
	}
}

// Limits that readers put on the strings of an entry (reference: scap-format.md §3): they refuse a file with longer ones. They
// take one byte less in the name of a descriptor, for which they have 1024 bytes with its NUL (libscap,
// scap_fd_read_fname_from_disk).
const (
	maxPath   = 1024
	maxList   = 4096
	maxFDName = maxPath - 1
)

// appendProcess appends a complete entry of version 9.
func appendProcess(b []byte, p *event.Process) []byte {
	start := len(b)
	u32 := func(v uint32) { b = binary.LittleEndian.AppendUint32(b, v) }
	u64 := func(v uint64) { b = binary.LittleEndian.AppendUint64(b, v) }
	u32(0)
	u64(uint64(p.TID))
	u64(uint64(p.PID))
	u64(uint64(p.PTID))
	u64(uint64(p.SID))
	u64(uint64(p.VPGID))
	b = appendText(b, p.Comm, maxPath)
	b = appendText(b, p.Exe, maxPath)
	b = appendText(b, p.ExePath, maxPath)
	b = appendTexts(b, p.Args, maxList)
	b = appendText(b, p.Cwd, maxPath)
	u64(uint64(p.FDLimit))
	u32(p.Flags)
	u32(p.UID)
	u32(p.GID)
	u32(p.VMSize)
	u32(p.VMRSS)
	u32(p.VMSwap)
	u64(p.PFMajor)
	u64(p.PFMinor)
	b = appendTexts(b, p.Env, maxList)
	u64(uint64(p.VTID))
	u64(uint64(p.VPID))
	b = appendTexts(b, p.Cgroups, maxList)
	b = appendText(b, p.Root, maxPath)
	u64(p.PidnsInitStart)
	u32(p.TTY)
	u32(p.LoginUID)
	b = appendBool(b, p.ExeWritable)
	u64(p.CapInheritable)
	u64(p.CapPermitted)
	u64(p.CapEffective)
	b = appendBool(b, p.ExeUpperLayer)
	u64(p.ExeIno)
	u64(p.ExeCtime)
	u64(p.ExeMtime)
	b = appendBool(b, p.ExeFromMemfd)
	b = appendBool(b, p.ExeLowerLayer)
	u64(uint64(p.PGID))
	binary.LittleEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}
