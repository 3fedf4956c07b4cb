package container

import (
	"encoding/json"
	"fmt"
	"strings"
)

// described is the JSON text by which Falco's container plugin, and Falco before it, tell of a container in captures.
type described struct {
	Container struct {
		ID            string            `json:"id"`
		FullID        string            `json:"full_id"`
		Type          json.RawMessage   `json:"type"` // a number; a text in some versions
		Name          string            `json:"name"`
		Image         string            `json:"image"`
		ImageID       string            `json:"imageid"`
		Repository    string            `json:"imagerepo"`
		Tag           string            `json:"imagetag"`
		Digest        string            `json:"imagedigest"`
		Privileged    *bool             `json:"privileged"`
		HostPID       *bool             `json:"host_pid"`
		HostNet       *bool             `json:"host_network"`
		HostIPC       *bool             `json:"host_ipc"`
		Sandbox       bool              `json:"is_pod_sandbox"`
		IP            string            `json:"ip"`
		CNI           string            `json:"cni_json"`
		Labels        map[string]string `json:"labels"`
		Mounts        []describedMount  `json:"Mounts"`
		SandboxID     string            `json:"pod_sandbox_id"`
		SandboxLabels map[string]string `json:"pod_sandbox_labels"`
	} `json:"container"`
}

type describedMount struct {
	Source, Destination, Mode, Propagation string
	RW                                     bool
}

// typeNames are the numbers of the types of containers in captures.
var typeNames = map[string]string{
	"0": "docker", "1": "lxc", "2": "libvirt-lxc", "3": "mesos", "4": "rkt", "5": "custom", "6": "cri", "7": "containerd",
	"8": "cri-o", "9": "bpm", "10": "static", "11": "podman",
}

// ParseJSON reads the description of a container in a capture.
func ParseJSON(text []byte) (*Container, error) {
	if len(text) > maxAnswer {
		return nil, fmt.Errorf("reading the description of a container: it is longer than %d bytes", maxAnswer)
	}
	var in described
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, fmt.Errorf("reading the description of a container: %w", err)
	}
	x := &in.Container
	if x.ID == "" {
		return nil, fmt.Errorf("reading the description of a container: it has no id")
	}
	c := &Container{
		ID: x.ID, Name: x.Name, Image: x.Image, ImageID: x.ImageID, Repository: x.Repository, Tag: x.Tag, Digest: x.Digest,
		Privileged: known(x.Privileged), HostPID: known(x.HostPID), HostNetwork: known(x.HostNet), HostIPC: known(x.HostIPC),
		Sandbox: x.Sandbox, IP: x.IP, CNI: x.CNI, rank: rankDocker,
	}
	if strings.HasPrefix(x.FullID, x.ID) {
		c.ID = x.FullID
	}
	c.ID = cut(c.ID, maxText)
	kind := strings.Trim(string(x.Type), `"`)
	if name, ok := typeNames[kind]; ok {
		kind = name
	}
	c.Type = cut(kind, maxText)
	for _, m := range x.Mounts[:min(len(x.Mounts), maxMounts)] {
		c.Mounts = append(c.Mounts, Mount{Source: m.Source, Destination: m.Destination, Mode: m.Mode, Writable: m.RW, Propagation: m.Propagation})
	}
	c.Pod.SandboxID = x.SandboxID
	c.Pod.Labels = labels(x.SandboxLabels, maxText)
	if x.SandboxID != "" || x.Labels[labelPodUID] != "" {
		c.Pod.IP, c.Pod.CNI = x.IP, x.CNI
	}
	c.finish(x.Labels, maxText)
	return c, nil
}

func known(b *bool) Truth {
	if b == nil {
		return Unknown
	}
	return truth(*b)
}

// JSON describes a container as ParseJSON reads it, for captures.
func (c *Container) JSON() ([]byte, error) {
	var out described
	x := &out.Container
	x.ID, x.FullID, x.Name, x.Image, x.ImageID = Short(c.ID), c.ID, c.Name, c.Image, c.ImageID
	x.Repository, x.Tag, x.Digest, x.IP, x.CNI, x.Sandbox = c.Repository, c.Tag, c.Digest, c.IP, c.CNI, c.Sandbox
	x.Privileged, x.HostPID, x.HostNet, x.HostIPC = c.Privileged.pointer(), c.HostPID.pointer(), c.HostNetwork.pointer(), c.HostIPC.pointer()
	x.Type, _ = json.Marshal(c.Type) // a text always encodes
	for number, name := range typeNames {
		if name == c.Type {
			x.Type = json.RawMessage(number)
		}
	}
	x.Labels, x.SandboxLabels, x.SandboxID = labelMap(c.Labels), labelMap(c.Pod.Labels), c.Pod.SandboxID
	// The pod has no members of its own: the kubelet's labels tell it.
	for key, value := range map[string]string{labelPodName: c.Pod.Name, labelPodNamespace: c.Pod.Namespace, labelPodUID: c.Pod.UID} {
		if value != "" {
			x.Labels[key] = value
		}
	}
	for _, m := range c.Mounts {
		x.Mounts = append(x.Mounts, describedMount{m.Source, m.Destination, m.Mode, m.Propagation, m.Writable})
	}
	text, err := json.Marshal(&out)
	if err != nil {
		return nil, fmt.Errorf("describing container %s: %w", x.ID, err)
	}
	return text, nil
}

func (t Truth) pointer() *bool {
	if t == Unknown {
		return nil
	}
	b := t == True
	return &b
}

func labelMap(list []Label) map[string]string {
	m := map[string]string{}
	for _, l := range list {
		m[l.Key] = l.Value
	}
	return m
}
