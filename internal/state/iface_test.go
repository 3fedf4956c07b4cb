package state

import (
	"testing"

	"github.com/saker-sec/saker/internal/event"
)

func TestComplete(t *testing.T) {
	var x interfaces
	x.set([]event.Interface{
		{Name: "lo", Addr: [16]byte{127, 0, 0, 1}, Mask: [16]byte{255}},
		{Name: "eth0", Addr: [16]byte{10, 0, 0, 1}, Mask: [16]byte{255, 255, 255}},
		{Name: "lo", IPv6: true, Addr: [16]byte{15: 1}},
		{Name: "eth0", IPv6: true, Addr: [16]byte{0: 0x20, 1: 1, 15: 5}},
	})
	v4 := func(a, b, c, d byte) [16]byte { return [16]byte{a, b, c, d} }
	v6 := [16]byte{0: 0x20, 1: 1, 15: 9}
	for name, c := range map[string]struct {
		kind     event.FDType
		in, want Tuple
	}{
		"our side, from the same network":  {event.FDIPv4, Tuple{DIP: v4(10, 0, 0, 9), DPort: 1}, Tuple{SIP: v4(10, 0, 0, 1), DIP: v4(10, 0, 0, 9), DPort: 1}},
		"our side, from far away":          {event.FDIPv4, Tuple{DIP: v4(9, 9, 9, 9), DPort: 1}, Tuple{SIP: v4(10, 0, 0, 1), DIP: v4(9, 9, 9, 9), DPort: 1}},
		"the other side, ourselves":        {event.FDIPv4, Tuple{SIP: v4(127, 0, 0, 1), SPort: 1}, Tuple{SIP: v4(127, 0, 0, 1), SPort: 1, DIP: v4(127, 0, 0, 1)}},
		"not the same end twice":           {event.FDIPv4, Tuple{SIP: v4(127, 0, 0, 1), SPort: 1, DPort: 1}, Tuple{SIP: v4(127, 0, 0, 1), SPort: 1, DPort: 1}},
		"nothing to do":                    {event.FDIPv4, Tuple{SIP: v4(1, 1, 1, 1), DIP: v4(2, 2, 2, 2)}, Tuple{SIP: v4(1, 1, 1, 1), DIP: v4(2, 2, 2, 2)}},
		"IPv6":                             {event.FDIPv6, Tuple{DIP: v6, DPort: 1}, Tuple{SIP: [16]byte{0: 0x20, 1: 1, 15: 5}, DIP: v6, DPort: 1}},
		"a listening socket is left alone": {event.FDIPv4Server, Tuple{DPort: 1}, Tuple{DPort: 1}},
	} {
		d := FD{Type: c.kind, Tuple: c.in}
		x.complete(&d)
		if d.Tuple != c.want {
			t.Errorf("%s: %+v, want %+v", name, d.Tuple, c.want)
		}
	}
}
