//go:build linux

package live

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func credentialProvocations() []provocation {
	container := surroundings{Container: true}
	metadata := surroundings{Network: true}
	metadataInContainer := surroundings{Network: true, Container: true}
	return []provocation{
		{
			rule: "Password file read",
			do:   func(s *scene) { s.read("/etc/shadow") },
			miss: func(s *scene) { s.run("passwd", "-S", "root") },
		},
		{
			rule: "Password file read by way of another root",
			do:   func(s *scene) { s.read("/proc/self/root/etc/shadow") },
			miss: func(s *scene) { s.read("/proc/self/root/etc/hostname") },
		},
		{
			rule: "Monitored file opened by directory traversal",
			do:   func(s *scene) { s.read("/var/lib/../../etc/passwd") },
			miss: func(s *scene) { s.read("/var/../etc/passwd") },
		},
		{
			rule: "SSH private key read",
			in:   surroundings{},
			do: func(s *scene) {
				s.create(s.path("home/.ssh/id_ed25519"))
				s.read(s.path("home/.ssh/id_ed25519"))
			},
			miss: func(s *scene) {
				s.create(s.path("home/.ssh/known_hosts"))
				s.read(s.path("home/.ssh/known_hosts"))
			},
		},
		{
			rule: "Stored credentials read",
			do: func(s *scene) {
				s.create(s.path("home/.aws/credentials"))
				s.run("cat", s.path("home/.aws/credentials"))
			},
			miss: func(s *scene) { // as the client that the file belongs to would
				s.create(s.path("home/.aws/credentials"))
				s.runAs("aws", "read", s.path("home/.aws/credentials"))
			},
		},
		{
			rule: "Search for keys or passwords",
			do:   func(s *scene) { s.run("grep", "-r", "BEGIN RSA PRIVATE", s.dir) },
			miss: func(s *scene) { s.run("grep", "-r", "BEGIN CERTIFICATE", s.dir) },
		},
		{
			rule: "Environment of another process read",
			in:   container,
			do:   func(s *scene) { s.read("/proc/self/environ") },
			miss: func(s *scene) { s.read("/proc/self/status") },
		},
		{
			rule: "Memory of another process read",
			do: func(s *scene) {
				victim := s.sleeper()
				defer victim.Process.Kill()
				s.tryOpen(fmt.Sprintf("/proc/%d/mem", victim.Process.Pid), unix.O_RDONLY)
			},
			miss: func(s *scene) {
				victim := s.sleeper()
				defer victim.Process.Kill()
				s.tryOpen(fmt.Sprintf("/proc/%d/maps", victim.Process.Pid), unix.O_RDONLY)
			},
		},
		{
			rule: "Symbolic link over sensitive file",
			do:   func(s *scene) { s.check(os.Symlink("/etc/shadow", s.path("link")), "making a link") },
			miss: func(s *scene) { s.check(os.Symlink("/etc/hostname", s.path("link")), "making a link") },
		},
		{
			rule: "Hard link over sensitive file",
			in:   surroundings{Cover: []string{"/tmp"}}, // on another file system the link cannot be made; the attempt counts
			do:   func(s *scene) { os.Link("/etc/shadow", "/tmp/link") },
			miss: func(s *scene) { os.Link("/etc/hostname", "/tmp/link") },
		},
		{
			rule: "Packet socket created in container",
			in:   container,
			do:   func(s *scene) { s.socket(unix.AF_PACKET, unix.SOCK_RAW) },
			miss: func(s *scene) { s.socket(unix.AF_INET, unix.SOCK_DGRAM) },
		},
		{
			rule: "Packet socket created by foreign program",
			do:   func(s *scene) { s.socket(unix.AF_PACKET, unix.SOCK_RAW) },
			miss: func(s *scene) { s.socket(unix.AF_INET, unix.SOCK_DGRAM) },
		},
		{
			rule: "Cloud metadata service contacted from container",
			in:   metadataInContainer,
			do:   func(s *scene) { s.reach("169.254.169.254:80") },
			miss: func(s *scene) { s.reach("192.0.2.1:80") },
		},
		{
			rule: "Cloud metadata service contacted by hand",
			in:   metadata,
			do: func(s *scene) {
				s.listen("169.254.169.254:80")
				s.runAs("curl", "connect", "169.254.169.254:80")
			},
			miss: func(s *scene) { s.reach("169.254.169.254:80") }, // not one of the tools
		},
	}
}

// socket makes a socket and drops it.
func (s *scene) socket(family, kind int) {
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
	s.check(err, "making a socket")
	unix.Close(fd)
}

// reach connects to a listener of the act's own.
func (s *scene) reach(address string) {
	s.listen(address)
	s.connect(address)
}
