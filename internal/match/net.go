package match

import (
	"fmt"
	"net/netip"
	"strings"
)

// network is a range of addresses of one family.
type network struct {
	addr string // 4 or 16 bytes
	bits int
}

// contains reports whether the address s (4 or 16 bytes) is of the family of n and lies in it.
func (n network) contains(s string) bool {
	if len(s) != len(n.addr) {
		return false
	}
	whole, rest := n.bits/8, n.bits%8
	if s[:whole] != n.addr[:whole] {
		return false
	}
	return rest == 0 || (s[whole]^n.addr[whole])>>(8-rest) == 0
}

// parseNet parses an address and a prefix length. A dot anywhere makes it IPv4.
func parseNet(s string) (network, error) {
	ip, mask, ok := strings.Cut(s, "/")
	v4 := strings.Contains(s, ".")
	if !ok {
		if v4 {
			return network{}, fmt.Errorf("unrecognized IP network %s", s)
		}
		return network{}, fmt.Errorf("invalid v6 netmask: %s", s)
	}
	a, err := netip.ParseAddr(ip)
	if err != nil || a.Zone() != "" || a.Is4() != v4 {
		if v4 {
			return network{}, fmt.Errorf("unrecognized IP address %s", s)
		}
		return network{}, fmt.Errorf("unrecognized IPv6 address %s", s)
	}
	bits, err := scanUint(mask, 32)
	if err != nil {
		return network{}, err
	}
	bits = uint64(uint8(bits))
	switch {
	case v4 && bits > 32:
		return network{}, fmt.Errorf("invalid netmask %s", mask)
	case !v4 && (bits == 0 || bits > 128):
		return network{}, fmt.Errorf("invalid v6 netmask %s", mask)
	}
	return network{addr: string(a.AsSlice()), bits: int(bits)}, nil
}
