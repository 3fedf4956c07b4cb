package state

import "testing"

// The transports are printed as event.L4Proto numbers: 1 none, 2 TCP, 3 UDP, 4 ICMP, 5 raw.
func TestSocket(t *testing.T) {
	for name, text := range map[string]string{
		"kinds": `
100 socket fd=4 domain=2 type=1 proto=0 flags=0
= event type=ipv4 l4=1 role=none
100 socket fd=5 domain=10 type=524290 proto=0
= event type=ipv6
100 socket fd=6 domain=1 type=1 proto=0
= event type=unix
100 socket fd=7 domain=16 type=3 proto=0
= event type=netlink
100 socket fd=8 domain=2 type=3 proto=1
= event type=ipv4 l4=5
100 socket fd=9 domain=44 type=3 proto=1
= event type=<NA> char=o
100 socket fd=-1 domain=2 type=1 proto=0
= 100 fds=8`,
		"bind": `
100 socket fd=4 domain=2 type=1 proto=0
100 bind res=0 addr=10.0.0.1:80 fd=4
= event fd=4 name=10.0.0.1:80 to=10.0.0.1:80 role=server changed=true l4=2
100 socket fd=5 domain=10 type=1 proto=0
100 bind res=0 addr=[::ffff:1.2.3.4]:81 fd=5
= event type=ipv4 to=1.2.3.4:81 name=::ffff:1.2.3.4:81
100 socket fd=6 domain=10 type=2 proto=0
100 bind res=0 addr=[::2]:0 fd=6
= event type=ipv6 role=none name=::2:0
100 socket fd=7 domain=1 type=1 proto=0
100 bind res=0 addr=/run/x fd=7
= event name=/run/x
100 bind res=-98 addr=1.1.1.1:1 fd=7
= event name=/run/x`,
		"accept": `
100 accept fd=5 tuple=1.2.3.4:1000->10.0.0.1:80
= event fd=5 name=1.2.3.4:1000->10.0.0.1:80 role=server conn=yes from=1.2.3.4:1000 to=10.0.0.1:80 l4=2 changed=true
100 accept4 fd=6 tuple=[::ffff:1.2.3.4]:1000->[::ffff:10.0.0.1]:80 flags=0x1000
= event type=ipv4 name=1.2.3.4:1000->10.0.0.1:80 flags=0x1000
100 accept4 fd=7 tuple=[2001::1]:1000->[2001::2]:80 flags=0
= event type=ipv6 name=2001::1:1000->2001::2:80
100 accept fd=8 tuple=1:2:/run/s
= event type=unix unix=1:2 name="1->2 /run/s"
100 accept fd=-11
= event fd=-1 name=none
100 accept fd=9
= event fd=9 name=none`,
		"socketpair": `
100 socketpair res=0 fd1=4 fd2=5 source=16 peer=17 domain=1 type=1 proto=0
= event type=unix unix=10:11 fd=5
= 100/5 unix=10:11`,
	} {
		t.Run(name, func(t *testing.T) { runScript(t, Config{}, shell+text) })
	}
}
