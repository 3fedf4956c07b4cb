package container

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// Config says which runtimes are asked and how. The zero value asks none.
type Config struct {
	Docker, Podman, CRI, Containerd []string // sockets; those of podman may hold the wildcards of filepath.Match
	// Hidden are the kinds of containers that are not to be recognised: lxc, libvirt-lxc or bpm.
	Hidden []string
	// Static is the one container that everything belongs to; nil for none.
	Static *Container
	// LabelLimit is the length from which labels are left out.
	LabelLimit int
	// NoCreate leaves out what runtimes tell when a container is made and before it starts.
	NoCreate bool
	// HostRoot is put before the sockets.
	HostRoot string
	// Patience is how long a container that no runtime knows is asked for again and again.
	Patience time.Duration
	// Log takes what an operator should read, a line at a time; nil for nothing.
	Log func(format string, args ...any)
}

// DefaultLabelLimit is the length from which labels are left out unless label_max_len says otherwise.
const DefaultLabelLimit = 100

// defaultPatience is how long a container is looked for.
const defaultPatience = 150 * time.Millisecond

// initConfig is the configuration of Falco's container plugin (falco-core.md §6.4).
type initConfig struct {
	LabelMaxLen *int     `json:"label_max_len"`
	Hooks       []string `json:"hooks"`
	Engines     struct {
		Docker, Podman, Containerd, CRI asked
		LXC                             asked `json:"lxc"`
		LibvirtLXC                      asked `json:"libvirt_lxc"`
		BPM                             asked `json:"bpm"`
		Static                          struct {
			Enabled bool   `json:"enabled"`
			ID      string `json:"container_id"`
			Name    string `json:"container_name"`
			Image   string `json:"container_image"`
		} `json:"static"`
	} `json:"engines"`
}

type asked struct {
	Enabled *bool    `json:"enabled"`
	Sockets []string `json:"sockets"`
}

func (a asked) on() bool { return a.Enabled == nil || *a.Enabled }

// sockets returns the sockets of a runtime that is on: those that are named, or the usual ones.
func (a asked) sockets(usual ...string) []string {
	switch {
	case !a.on():
		return nil
	case len(a.Sockets) > 0:
		return a.Sockets
	}
	return usual
}

// ParseConfig reads the init_config of the container plugin, JSON; "" asks for the defaults. Its keys and types are taken as
// checked.
func ParseConfig(text string) (Config, error) {
	var in initConfig
	if text != "" {
		if err := json.Unmarshal([]byte(text), &in); err != nil {
			return Config{}, fmt.Errorf("reading the init_config of the plugin container: %w", err)
		}
	}
	e := &in.Engines
	c := Config{
		Docker: e.Docker.sockets("/var/run/docker.sock"),
		Podman: e.Podman.sockets("/run/podman/podman.sock", "/run/user/*/podman/podman.sock"),
		CRI: e.CRI.sockets("/run/containerd/containerd.sock", "/run/crio/crio.sock", "/run/k3s/containerd/containerd.sock",
			"/run/host-containerd/containerd.sock"),
		Containerd: e.Containerd.sockets("/run/containerd/containerd.sock", "/run/k3s/containerd/containerd.sock",
			"/run/host-containerd/containerd.sock"),
		LabelLimit: DefaultLabelLimit,
		NoCreate:   len(in.Hooks) > 0 && !slices.Contains(in.Hooks, "create"),
		Patience:   defaultPatience,
	}
	if in.LabelMaxLen != nil {
		if *in.LabelMaxLen < 0 {
			return Config{}, fmt.Errorf("reading the init_config of the plugin container: label_max_len is %d, expected a length", *in.LabelMaxLen)
		}
		c.LabelLimit = *in.LabelMaxLen
	}
	for kind, on := range map[string]bool{KindLXC: e.LXC.on(), KindLibvirt: e.LibvirtLXC.on(), KindBPM: e.BPM.on()} {
		if !on {
			c.Hidden = append(c.Hidden, kind)
		}
	}
	slices.Sort(c.Hidden)
	if s := &e.Static; s.Enabled {
		c.Static = &Container{ID: s.ID, Name: s.Name, Type: "static"}
		c.Static.setImage(s.Image, nil, nil)
		c.Docker, c.Podman, c.CRI, c.Containerd = nil, nil, nil, nil
	}
	for _, list := range [][]string{c.Docker, c.Podman, c.CRI, c.Containerd} {
		for _, socket := range list {
			if _, err := filepath.Match(socket, ""); err != nil || !filepath.IsAbs(socket) {
				return Config{}, fmt.Errorf("reading the init_config of the plugin container: socket %q is no absolute path", socket)
			}
		}
	}
	return c, nil
}

// The kinds of containers that no runtime is asked about: all there is to know stands in the control group.
const (
	KindLXC     = "lxc"
	KindLibvirt = "libvirt-lxc"
	KindBPM     = "bpm"
	KindNspawn  = "systemd-nspawn"
)
