package state

import (
	"net/netip"
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

// TestAppendIPv6 compares with what glibc's inet_ntop prints.
func TestAppendIPv6(t *testing.T) {
	for in, want := range map[string]string{
		"::": "::", "::1": "::1", "::ffff:1.2.3.4": "::ffff:1.2.3.4", "::1.2.3.4": "::1.2.3.4", "::0.0.3.4": "::304",
		"2001:db8::1": "2001:db8::1", "2001:0:0:1:0:0:0:1": "2001:0:0:1::1", "fe80::1:0:0:1": "fe80::1:0:0:1",
	} {
		ip := netip.MustParseAddr(in).As16()
		if got := string(appendIPv6(nil, &ip)); got != want {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
}

func TestReadTuple(t *testing.T) {
	x := &script{t: t}
	for in, want := range map[string]string{
		"1.2.3.4:5->6.7.8.9:10":                   "1.2.3.4:5->6.7.8.9:10",
		"[::1]:5->[2001::2]:10":                   "::1:5->2001::2:10",
		"[::ffff:1.2.3.4]:5->[::ffff:6.7.8.9]:10": "1.2.3.4:5->6.7.8.9:10",
		"[::ffff:1.2.3.4]:5->[2001::1]:10":        "::ffff:1.2.3.4:5->2001::1:10",
		"255:16:/run/x":                           "ff->10 /run/x",
	} {
		raw := x.address(in)
		a, ok := readTuple(raw)
		if got := string(appendSockTuple(nil, &a)); !ok || got != want {
			t.Errorf("%s is %q %v, want %q", in, got, ok, want)
		}
		for n := range raw {
			if _, ok := readTuple(raw[:n]); ok && raw[0] != afUnix {
				t.Errorf("%s: %d of %d bytes are taken for a tuple", in, n, len(raw))
			}
		}
	}
	if a, ok := readTuple([]byte{44}); !ok || string(appendSockTuple(nil, &a)) != "family 44" {
		t.Error("an unknown family is not named")
	}
}

func TestNames(t *testing.T) {
	for l4, want := range map[event.L4Proto]string{
		event.L4TCP: "1.2.3.4:5->6.7.8.9:10", event.L4UDP: "1.2.3.4:5->6.7.8.9:10",
		event.L4ICMP: "1.2.3.4->6.7.8.9", event.L4Raw: "1.2.3.4->6.7.8.9", event.L4Unknown: "<unknown>",
	} {
		d := FD{Type: event.FDIPv4, Tuple: Tuple{SIP: [16]byte{1, 2, 3, 4}, SPort: 5, DIP: [16]byte{6, 7, 8, 9}, DPort: 10, L4: l4}}
		if got := string(appendName(nil, &d)); got != want {
			t.Errorf("transport %d: %q, want %q", l4, got, want)
		}
	}
}
