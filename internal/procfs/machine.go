package procfs

import (
	"bytes"
	"fmt"
	"net"

	"github.com/saker-sec/saker/internal/event"
)

// Machine reads what /proc says of the computer: processors that are online, memory, the largest pid, the host name of our
// own UTS namespace and the boot time. It fails when there is no boot time, as when root is not the root of a machine.
func (f *FS) Machine() (event.Machine, error) {
	s := f.newScan()
	if s.boot() == 0 {
		return event.Machine{}, fmt.Errorf("reading the boot time in %s/stat: no btime line; is %q where the host's root is mounted?",
			f.proc, f.rootOr("/"))
	}
	m := event.Machine{BootTime: s.boot()}
	for line := range bytes.Lines(s.read(f.proc+"/stat", maxFile)) {
		if rest, ok := bytes.CutPrefix(line, []byte("cpu")); ok && len(rest) > 0 && rest[0] != ' ' {
			m.NumCPUs++
		}
	}
	for line := range bytes.Lines(s.read(f.proc+"/meminfo", maxFile)) {
		if rest, ok := bytes.CutPrefix(line, []byte("MemTotal:")); ok {
			m.MemoryBytes = uint64(number(rest, 0)) << 10
		}
	}
	m.MaxPID = uint64(number(s.read(f.proc+"/sys/kernel/pid_max", 32), 0))
	m.Hostname = string(bytes.TrimSpace(s.read(f.proc+"/sys/kernel/hostname", maxName)))
	return m, nil
}

// Interfaces returns the addresses of the network interfaces in our own network namespace. The broadcast address is that
// of the network, zero for interfaces that cannot broadcast.
func (f *FS) Interfaces() ([]event.Interface, error) {
	list, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("listing the network interfaces: %w", err)
	}
	var out []event.Interface
	for _, i := range list {
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("listing the addresses of interface %s: %w", i.Name, err)
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				out = append(out, address(i, n))
			}
		}
	}
	return out, nil
}

func address(i net.Interface, n *net.IPNet) event.Interface {
	out := event.Interface{Name: i.Name}
	ip := n.IP.To4()
	if ip == nil {
		ip, out.IPv6 = n.IP.To16(), true
	}
	mask := n.Mask
	if len(mask) != len(ip) {
		mask = mask[len(mask)-min(len(ip), len(mask)):]
	}
	copy(out.Addr[:], ip)
	copy(out.Mask[:], mask)
	if !out.IPv6 && i.Flags&net.FlagBroadcast != 0 {
		for j := range mask {
			out.Broadcast[j] = ip[j] | ^mask[j]
		}
	}
	return out
}
