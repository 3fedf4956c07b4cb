package metric

import (
	"net"
	"reflect"
	"testing"
)

func TestInterfaceOf(t *testing.T) {
	prefix := func(s string) net.Addr {
		ip, n, err := net.ParseCIDR(s)
		if err != nil {
			t.Fatal(err)
		}
		return &net.IPNet{IP: ip, Mask: n.Mask}
	}
	got := interfaceOf("eth0", []net.Addr{prefix("10.0.0.1/24"), prefix("fe80::1/64"), prefix("10.0.0.2/24"), &net.TCPAddr{Port: 1}})
	want := Interface{"eth0", []string{"10.0.0.1", "10.0.0.2"}, []string{"fe80::1"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
