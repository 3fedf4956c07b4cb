package metric

import (
	"fmt"
	"net"
	"net/netip"
)

// loopback is left out: every machine has it.
const loopback = "lo"

// Interfaces returns the addresses of the network interfaces of our network namespace, without those of "lo".
func Interfaces() ([]Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("listing the network interfaces: %w", err)
	}
	var out []Interface
	for _, i := range all {
		addrs, err := i.Addrs()
		if err != nil || i.Name == loopback {
			continue // An interface that is gone since has no addresses.
		}
		if x := interfaceOf(i.Name, addrs); len(x.IPv4)+len(x.IPv6) > 0 {
			out = append(out, x)
		}
	}
	return out, nil
}

func interfaceOf(name string, addrs []net.Addr) Interface {
	x := Interface{Name: name}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		if ip := p.Addr().Unmap(); ip.Is4() {
			x.IPv4 = append(x.IPv4, ip.String())
		} else {
			x.IPv6 = append(x.IPv6, ip.String())
		}
	}
	return x
}
