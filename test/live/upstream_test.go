//go:build linux

package live

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// upstreamDir holds the rules files of the Falco project; they are not part of this repository.
const upstreamDir = "../../../shared/rules/upstream"

func upstreamFiles() []string {
	return []string{"falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"}
}

// metadataField matches the fields of container and Kubernetes metadata, with their argument.
var metadataField = regexp.MustCompile(`\b(container|k8s)\.[a-z_]+(\.[a-z_]+)*(\[[^\]]*\])?`)

// withoutMissingFields names container.id in the place of fields of container metadata that the program does not have:
// their comparisons are false then, as for a container that is not known. A program with the fields gets the text as it is.
func (b *bench) withoutMissingFields(t *testing.T, text []byte) []byte {
	t.Helper()
	out, err := exec.Command(b.sensor, "--list", "-N").Output()
	if err != nil {
		t.Fatalf("asking saker for its fields: %v", err)
	}
	known := map[string]bool{"k8s.io": true} // in the names of images
	for _, name := range strings.Fields(string(out)) {
		known[name] = true
	}
	return metadataField.ReplaceAllFunc(text, func(field []byte) []byte {
		name, _, _ := strings.Cut(string(field), "[")
		if known[name] || strings.HasPrefix(name, "k8s.gcr") || strings.HasPrefix(name, "k8s.io") {
			return field
		}
		return []byte("container.id")
	})
}

// TestUpstreamRules loads the three files of upstream rules for system calls as they are and provokes those of their
// rules that can be provoked here. More than one of these rules may speak of a deed; each must speak of its own.
func TestUpstreamRules(t *testing.T) {
	var texts [][]byte
	for _, name := range upstreamFiles() {
		text, err := os.ReadFile(filepath.Join(upstreamDir, name))
		if err != nil {
			t.Skipf("needs the upstream rules files: %v", err)
		}
		texts = append(texts, text)
	}
	bench := newBench(t)
	var files []string
	for i, name := range upstreamFiles() {
		files = append(files, bench.file(name, bench.withoutMissingFields(t, texts[i])))
	}
	files = append(files, bench.file("overrides.yaml", markingRules(t, texts...)))
	sensor := bench.start(t, files...)
	table := upstreamProvocations()
	did := make([]bool, len(table))
	for i := range table {
		did[i] = bench.play(t, &table[i], false)
	}
	alerts := sensor.finish(t)
	for i, p := range table {
		found := !did[i]
		for _, a := range alerts[caseName(p.rule, false)] {
			found = found || a.Rule == p.rule
		}
		if !found {
			t.Errorf("no alert of the upstream rule %q", p.rule)
		}
	}
}

// upstreamProvocations are acts that upstream rules speak of, by the names of those rules.
func upstreamProvocations() []provocation {
	container := surroundings{Container: true}
	root := surroundings{Cover: []string{"/root"}}
	return []provocation{
		{rule: "Read sensitive file untrusted", do: func(s *scene) { s.run("cat", "/etc/shadow") }},
		{rule: "Directory traversal monitored file read", do: func(s *scene) { s.read("/var/lib/../../etc/passwd") }},
		{rule: "Run shell untrusted", do: func(s *scene) { s.runAs("nginx", "spawn", "/bin/sh -c :") }},
		{rule: "Search Private Keys or Passwords", do: func(s *scene) { s.run("grep", "-r", "BEGIN RSA PRIVATE", s.dir) }},
		{rule: "Find AWS Credentials", do: func(s *scene) { s.run("grep", "-r", "aws_secret_access_key", s.dir) }},
		{
			rule: "Clear Log Activities", in: surroundings{Cover: []string{"/var/log"}, Files: []string{"/var/log/auth.log"}},
			do: func(s *scene) { s.tryOpen("/var/log/auth.log", unix.O_WRONLY|unix.O_TRUNC) },
		},
		{rule: "Remove Bulk Data from Disk", do: func(s *scene) { s.runAs("shred", "nothing", "", "data") }},
		{rule: "Create Symlink Over Sensitive Files", do: func(s *scene) { os.Symlink("/etc/shadow", s.path("link")) }},
		{
			rule: "Create Hardlink Over Sensitive Files", in: surroundings{Cover: []string{"/tmp"}},
			do: func(s *scene) { os.Link("/etc/shadow", "/tmp/link") },
		},
		{rule: "Packet socket created in container", in: container, do: func(s *scene) { s.socket(unix.AF_PACKET, unix.SOCK_RAW) }},
		{
			rule: "Redirect STDOUT/STDIN to Network Connection in Container", in: container,
			do: func(s *scene) { s.withConnection(func(fd int) { unix.Dup3(fd, 0, 0) }) },
		},
		{rule: "Netcat Remote Code Execution in Container", in: container, do: func(s *scene) { s.runAs("nc", "nothing", "", "-e", "/bin/sh") }},
		{rule: "Detect release_agent File Container Escapes", in: container, do: func(s *scene) { s.create(s.path("release_agent")) }},
		{rule: "PTRACE attached to process", do: func(s *scene) {
			victim := s.sleeper()
			defer victim.Process.Kill()
			s.check(unix.PtraceSeize(victim.Process.Pid), "attaching to a process")
		}},
		{rule: "PTRACE anti-debug attempt", do: func(s *scene) { s.traceMe() }},
		{rule: "Execution from /dev/shm", in: surroundings{Cover: []string{"/dev/shm"}}, do: func(s *scene) { s.runFrom("/dev/shm/tool", "nothing", "") }},
		{
			rule: "Drop and execute new binary in container", in: surroundings{Container: true, Overlay: true},
			do: func(s *scene) { s.runFrom(s.path("merged/upper"), "nothing", "") },
		},
		{rule: "Disallowed SSH Connection Non Standard Port", in: surroundings{Network: true}, do: func(s *scene) { s.reachAs("ssh", "203.0.113.1:443") }},
		{rule: "Fileless execution via memfd_create", do: (*scene).runFromMemory},

		{rule: "Modify Shell Configuration File", do: func(s *scene) { s.create(s.path("home/.bashrc")) }},
		{rule: "Schedule Cron Jobs", in: surroundings{Cover: []string{"/etc"}}, do: func(s *scene) { s.create("/etc/cron.d/saker") }},
		{rule: "Read ssh information", in: root, do: func(s *scene) {
			s.create("/root/.ssh/id_rsa")
			s.read("/root/.ssh/id_rsa")
		}},
		{rule: "Adding ssh keys to authorized_keys", in: root, do: func(s *scene) { s.create("/root/.ssh/authorized_keys") }},
		{rule: "DB program spawned process", do: func(s *scene) { s.runAs("postgres", "spawn", "/bin/true") }},
		{rule: "Change thread namespace", do: func(s *scene) { s.ownNamespace(func(fd int) { unix.Setns(fd, unix.CLONE_NEWUTS) }) }},
		{
			rule: "Change namespace privileges via unshare", in: surroundings{Container: true, DropCaps: "admin"},
			do: func(s *scene) { unix.Unshare(unix.CLONE_NEWUTS) },
		},
		{rule: "System procs network activity", in: surroundings{Network: true}, do: func(s *scene) { s.reachAs("cat", "203.0.113.1:80") }},
		{rule: "User mgmt binaries", do: func(s *scene) { s.runAs("useradd", "nothing", "", "saker") }},
		{rule: "Create files below dev", in: surroundings{Cover: []string{"/dev"}}, do: func(s *scene) { s.create("/dev/saker") }},
		{
			rule: "Contact EC2 Instance Metadata Service From Container", in: surroundings{Container: true, Network: true},
			do: func(s *scene) { s.reach("169.254.169.254:80") },
		},
		{rule: "Launch Package Management Process in Container", in: container, do: func(s *scene) { s.runAs("apt-get", "nothing", "", "install") }},
		{rule: "Launch Suspicious Network Tool in Container", in: container, do: func(s *scene) { s.runAs("nmap", "nothing", "") }},
		{rule: "Launch Suspicious Network Tool on Host", do: func(s *scene) { s.runAs("nmap", "nothing", "") }},
		{rule: "Delete or rename shell history", do: func(s *scene) {
			s.create(s.path(".bash_history"))
			os.Remove(s.path(".bash_history"))
		}},
		{rule: "Set Setuid or Setgid bit", do: func(s *scene) {
			s.create(s.path("tool"))
			unix.Chmod(s.path("tool"), 0o4755)
		}},
		{rule: "Launch Remote File Copy Tools in Container", in: container, do: func(s *scene) { s.runAs("scp", "nothing", "") }},
		{rule: "Launch Ingress Remote File Copy Tools in Container", in: container, do: func(s *scene) { s.runAs("wget", "nothing", "") }},
		{rule: "Read environment variable from /proc files", in: container, do: func(s *scene) { s.read("/proc/self/environ") }},
		{rule: "Potential Local Privilege Escalation via Environment Variables Misuse", do: func(s *scene) {
			s.env = []string{"GLIBC_TUNABLES=glibc.malloc.mxfast=0"}
			s.runAs("tool", "nothing", "")
		}},
		{rule: "BPF Program Not Profiled", do: func(s *scene) { s.bpf(unix.BPF_PROG_LOAD) }},

		{rule: "Write below etc", in: surroundings{Cover: []string{"/etc"}}, do: func(s *scene) { s.create("/etc/saker-live") }},
		{rule: "Write below binary dir", in: surroundings{Cover: []string{"/usr/sbin"}}, do: func(s *scene) { s.create("/usr/sbin/saker-live") }},
		{rule: "Detect crypto miners using the Stratum protocol", do: func(s *scene) { s.runAs("tool", "nothing", "", "stratum+tcp://192.0.2.1") }},
		{rule: "Web Server Spawned Shell", do: func(s *scene) { s.runAs("nginx", "spawn", "/bin/sh -c :") }},
		{rule: "Decoding Payload in Container", in: container, do: func(s *scene) { s.run("base64", "-d", "/dev/null") }},
		{
			rule: "Unprivileged Delegation of Page Faults Handling to a Userspace Process", in: surroundings{UID: 65534},
			do: func(s *scene) { s.syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC) },
		},
		{rule: "Netcat/Socat Remote Code Execution on Host", do: func(s *scene) { s.runAs("nc", "nothing", "", "-e", "/bin/sh") }},
	}
}
