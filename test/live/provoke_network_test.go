//go:build linux

package live

func networkProvocations() []provocation {
	network := surroundings{Network: true}
	containerNetwork := surroundings{Network: true, Container: true}
	return []provocation{
		{
			rule: "System tool uses the network",
			in:   network,
			do:   func(s *scene) { s.reachAs("cat", "192.0.2.1:80") },
			miss: func(s *scene) { s.reachAs("cat", "127.0.0.1:80") },
		},
		{
			rule: "SSH to unusual port",
			in:   network,
			do:   func(s *scene) { s.reachAs("ssh", "192.0.2.1:443") },
			miss: func(s *scene) { s.reachAs("ssh", "192.0.2.1:22") },
		},
		{
			rule: "SSH server on unusual port",
			in:   network,
			do:   func(s *scene) { s.runAs("sshd", "accept", "192.0.2.1:31022") },
			miss: func(s *scene) { s.runAs("sshd", "accept", "192.0.2.1:22") },
		},
		{
			rule: "Kubernetes API contacted from container by hand",
			in:   containerNetwork,
			do:   func(s *scene) { s.reachAs("curl", "10.96.0.1:443") },
			miss: func(s *scene) { s.reachAs("curl", "192.0.2.1:443") },
		},
		{
			rule: "Unexpected UDP traffic",
			in:   network,
			do:   func(s *scene) { s.runAs("tool", "udp", "192.0.2.1:31337") },
			miss: func(s *scene) { s.runAs("tool", "udp", "192.0.2.1:53") },
		},
		{
			rule: localOnlyRule,
			in:   containerNetwork,
			do:   func(s *scene) { s.reach("203.0.113.1:8080") },
			miss: func(s *scene) { s.reach("10.96.0.1:8080") },
		},
		{
			rule: "Script uses the network",
			in:   network,
			do:   func(s *scene) { s.reachAs("perl", "192.0.2.1:8080") },
			miss: func(s *scene) { s.reachAs("perl", "127.0.0.1:8080") },
		},
	}
}

// reachAs listens at the address and connects to it under the name of another program.
func (s *scene) reachAs(name, address string) {
	s.listen(address)
	s.runAs(name, "connect", address)
}
