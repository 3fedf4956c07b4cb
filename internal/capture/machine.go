package capture

import (
	"bytes"
	"encoding/binary"

	"github.com/saker-sec/saker/internal/event"
)

// machineSize is the size of a machine block's body; hostSize that of the host name in it, padded with NULs.
const (
	machineSize = 180
	hostSize    = 128
)

// readMachine reads the body of a machine block. It reports false when the body is too short.
func readMachine(body []byte) (event.Machine, bool) {
	c := cursor{b: body}
	m := event.Machine{NumCPUs: c.u32(), MemoryBytes: c.u64(), MaxPID: c.u64()}
	host := c.bytes(hostSize)
	if i := bytes.IndexByte(host, 0); i >= 0 {
		host = host[:i]
	}
	m.Hostname = string(host)
	m.BootTime, m.Flags = c.u64(), c.u64()
	return m, !c.bad
}

// appendMachine appends the body of a machine block.
func appendMachine(b []byte, m *event.Machine) []byte {
	end := len(b) + machineSize
	b = binary.LittleEndian.AppendUint32(b, m.NumCPUs)
	b = binary.LittleEndian.AppendUint64(b, m.MemoryBytes)
	b = binary.LittleEndian.AppendUint64(b, m.MaxPID)
	var host [hostSize]byte
	copy(host[:hostSize-1], m.Hostname)
	b = append(b, host[:]...)
	b = binary.LittleEndian.AppendUint64(b, m.BootTime)
	b = binary.LittleEndian.AppendUint64(b, m.Flags)
	return append(b, make([]byte, end-len(b))...)
}
