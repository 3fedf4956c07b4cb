package container

import (
	"encoding/json"
	"slices"
	"strings"
)

// spec is what is used of the runtime configuration of the Open Container Initiative (config.json).
type spec struct {
	Annotations map[string]string `json:"annotations"`
	Mounts      []specMount       `json:"mounts"`
	Process     struct {
		ApparmorProfile string `json:"apparmorProfile"`
		Capabilities    struct {
			Bounding []string `json:"bounding"`
		} `json:"capabilities"`
	} `json:"process"`
	Linux struct {
		MaskedPaths   []string        `json:"maskedPaths"`
		ReadonlyPaths []string        `json:"readonlyPaths"`
		Seccomp       json.RawMessage `json:"seccomp"`
		Namespaces    []struct {
			Type string `json:"type"`
			Path string `json:"path"`
		} `json:"namespaces"`
		Resources struct {
			Devices []struct {
				Allow  bool   `json:"allow"`
				Type   string `json:"type"`
				Access string `json:"access"`
			} `json:"devices"`
		} `json:"resources"`
	} `json:"linux"`
}

type specMount struct {
	Destination string   `json:"destination"`
	Type        string   `json:"type"`
	Source      string   `json:"source"`
	Options     []string `json:"options"`
}

// apply fills in what the configuration tells: namespaces, mounts and whether the container is privileged, a word that the
// format does not have. What makes a container so is that nothing is hidden from it and nothing forbidden: no masked or
// read-only paths, no seccomp, no AppArmor, a writable /sys, and the capability to administer the system.
func (s *spec) apply(c *Container) {
	isolated := map[string]bool{}
	for _, n := range s.Linux.Namespaces {
		// With a path the namespace is one that exists already: the pod's, or the host's.
		isolated[n.Type] = n.Path != "/proc/1/ns/"+shortNamespace(n.Type)
	}
	c.HostPID, c.HostNetwork, c.HostIPC = truth(!isolated["pid"]), truth(!isolated["network"]), truth(!isolated["ipc"])
	open := len(s.Linux.MaskedPaths) == 0 && len(s.Linux.ReadonlyPaths) == 0 && !s.hasSeccomp() && s.Process.ApparmorProfile == ""
	for _, m := range s.Mounts {
		readonly := slices.Contains(m.Options, "ro")
		if m.Type == "sysfs" && readonly {
			open = false
		}
		if kernelMount(m.Type, m.Destination) {
			continue
		}
		c.Mounts = append(c.Mounts, Mount{
			Source: m.Source, Destination: m.Destination, Mode: mode(readonly), Writable: !readonly, Propagation: propagation(m.Options),
		})
	}
	c.Privileged = truth(open && slices.Contains(s.Process.Capabilities.Bounding, "CAP_SYS_ADMIN"))
}

func shortNamespace(kind string) string {
	if kind == "network" {
		return "net"
	}
	return kind
}

func (s *spec) hasSeccomp() bool {
	t := strings.TrimSpace(string(s.Linux.Seccomp))
	return t != "" && t != "null"
}

// kernelMount reports whether a mount belongs to what every container has, rather than to what its user asked for.
func kernelMount(kind, destination string) bool {
	switch kind {
	case "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2":
		return true
	}
	return kind == "tmpfs" && (destination == "/dev" || destination == "/dev/shm" || destination == "/run")
}

func mode(readonly bool) string {
	if readonly {
		return "ro"
	}
	return "rw"
}

// propagation finds how events of a mount spread among the options of mount(8).
func propagation(options []string) string {
	for _, o := range options {
		switch o {
		case "private", "rprivate", "shared", "rshared", "slave", "rslave":
			return o
		}
	}
	return ""
}
