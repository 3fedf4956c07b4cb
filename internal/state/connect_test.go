package state

import "testing"

func TestConnect(t *testing.T) {
	for name, text := range map[string]string{
		"tcp": `
100 socket fd=4 domain=2 type=1 proto=0
100 connect res=0 tuple=10.0.0.1:999->9.9.9.9:443 fd=4
= event name=10.0.0.1:999->9.9.9.9:443 role=client conn=yes changed=true l4=2`,
		"in progress": `
100 socket fd=4 domain=2 type=1 proto=0
100 connect res=-115 tuple=10.0.0.1:999->9.9.9.9:443 fd=4
= event name=10.0.0.1:999->9.9.9.9:443`,
		"refused": `
100 socket fd=4 domain=2 type=1 proto=0
100 connect res=-111 tuple=10.0.0.1:999->9.9.9.9:443 fd=4
= event name="" role=none`,
		"unix": `
100 socket fd=4 domain=1 type=1 proto=0
100 connect res=0 tuple=255:16:/run/log fd=4
= event name="ff->10 /run/log" role=client`,
		"v4-mapped": `
100 socket fd=4 domain=10 type=1 proto=0
100 connect res=0 tuple=[::ffff:10.0.0.1]:999->[::ffff:9.9.9.9]:443 fd=4
= event type=ipv4 name=10.0.0.1:999->9.9.9.9:443`,
		"user memory changed while the call ran": `
100 socket fd=4 domain=2 type=1 proto=0
100 >connect fd=4 addr=6.6.6.6:443
100 connect res=0 tuple=10.0.0.1:999->9.9.9.9:443 fd=4 addr=9.9.9.9:443
= event name=10.0.0.1:999->6.6.6.6:443 raced=true`,
		"the kernel's own tuple is trusted": `
100 socket fd=4 domain=2 type=1 proto=0
100 >connect fd=4 addr=6.6.6.6:443
100 connect res=0 tuple=10.0.0.1:999->6.6.6.6:443 fd=4 addr=9.9.9.9:443
= event name=10.0.0.1:999->6.6.6.6:443 raced=true`,
		"fast open": `
100 socket fd=4 domain=2 type=1 proto=0
100 >connect fd=4 addr=6.6.6.6:443
100 connect res=0 fd=4
= event to=6.6.6.6:443 name=""`,
		"a bound UDP socket is a server": `
100 socket fd=4 domain=2 type=2 proto=0
100 bind res=0 addr=10.0.0.1:53 fd=4
100 connect res=0 tuple=10.0.0.1:53->9.9.9.9:999 fd=4
= event name=9.9.9.9:999->10.0.0.1:53 role=server`,
	} {
		t.Run(name, func(t *testing.T) { runScript(t, Config{}, shell+text) })
	}
}

// TestConnectFollowed follows connections that go on in the background, which Falco takes for established at once.
func TestConnectFollowed(t *testing.T) {
	const text = shell + `
100 socket fd=4 domain=2 type=1 proto=0
100 connect res=-115 tuple=10.0.0.1:999->9.9.9.9:443 fd=4
= event name=10.0.0.1:999->9.9.9.9:443 conn=`
	runScript(t, Config{}, text+"yes")
	for _, end := range []string{`
100 getsockopt res=0 fd=4 level=1 optname=4 val=0
= event conn=yes`, `
100 getsockopt res=0 fd=4 level=1 optname=4 val=-111
= event conn=failed`, `
100 getsockopt res=0 fd=4 level=1 optname=5 val=0
= event conn=pending`, `
100 write res=1 data=00 fd=4 size=1
= event conn=yes`, `
100 connect res=-111 fd=4
= event conn=failed`} {
		runScript(t, Config{FollowAll: true}, text+"pending"+end)
	}
}
