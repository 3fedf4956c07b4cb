// Package container asks the container runtimes of the machine what they know of containers: docker and podman over
// docker's API, Kubernetes runtimes over CRI, and containerd over its own API.
//
// Start begins to keep a picture of the containers: for each socket a goroutine lists them, follows the runtime's events
// and comes back after the runtime was restarted. Need asks for one container by its id and returns at once. What comes in
// is taken out by Next, one Update at a time, by the one goroutine that owns the state; while nothing waits that costs an
// atomic load. All calls have a time limit, and all answers a limit of size; what a runtime says is cut to the bounds
// below.
//
// ParseJSON reads the descriptions of containers that captures of Falco carry, ParseConfig the configuration of Falco's
// container plugin.
package container

import (
	"cmp"
	"slices"
	"strings"
)

// Container is what is known of one container. It is immutable once it has been handed over.
type Container struct {
	ID        string // whole, as the runtime has it
	Namespace string // of containerd, where ids are unique within one only; else ""
	Type      string // docker, podman, containerd, cri-o, cri, lxc, libvirt-lxc, bpm, systemd-nspawn or static
	Name      string

	Image      string // as it was named when the container was made
	ImageID    string // without "sha256:"
	Repository string
	Tag        string
	Digest     string // with "sha256:"

	Privileged, HostPID, HostNetwork, HostIPC Truth

	Mounts []Mount
	Labels []Label // by key
	IP     string
	CNI    string // result of the network plugin, JSON
	// Sandbox says that this is what holds the namespaces of a pod together rather than one of its containers.
	Sandbox bool
	Pod     Pod
	// Partial says that there is more to know: another runtime runs the container by way of this one, or a call for a part of
	// the answer failed.
	Partial bool

	rank rank
}

// Pod is the Kubernetes pod that a container belongs to. The uid is the key by which the Kubernetes API knows it.
type Pod struct {
	Name, Namespace, UID string
	SandboxID            string // whole
	Labels               []Label
	IP                   string
	CNI                  string
}

// Truth is a truth that may be unknown.
type Truth uint8

// The truths.
const (
	Unknown Truth = iota
	False
	True
)

func truth(b bool) Truth {
	if b {
		return True
	}
	return False
}

// Mount is one mount of a container.
type Mount struct {
	Source, Destination, Mode string
	Writable                  bool
	Propagation               string
}

// Label is one label of a container or a pod.
type Label struct{ Key, Value string }

// Update is news of one container.
type Update struct {
	// Key is how the state knows the container, see Key.
	Key string
	// Container is what is known of it; nil with Gone and Missing.
	Container *Container
	// Gone says that the container was removed.
	Gone bool
	// Missing says that the container was asked for, and that no runtime knows it, or knows more than was told.
	Missing bool
	// Failed says, with Missing, that some runtime gave no proper answer, so that the container may exist.
	Failed bool
}

// rank says whose word counts more when two runtimes know a container, as docker and the containerd below it do, or say so.
type rank uint8

const (
	rankUser rank = iota + 1 // a service that somebody other than root runs, who could make it say anything of other containers
	rankContainerd
	rankCRI
	rankDocker
)

// Better reports whether c is to replace old, which may be nil: it comes from the same runtime, and is not less, or from one
// that knows more.
func (c *Container) Better(old *Container) bool {
	return old == nil || c.rank > old.rank || c.rank == old.rank && (!c.Partial || old.Partial)
}

// Bounds of what is kept of one container.
const (
	maxText   = 4096
	maxLabels = 512
	maxMounts = 512
	maxCNI    = 16384
)

// idDigits is the length of the ids that most runtimes give, and shownDigits what is shown of them.
const (
	idDigits    = 64
	shownDigits = 12
)

// IsID reports whether s is an id of 64 hexadecimal digits.
func IsID(s string) bool {
	if len(s) != idDigits {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
			return false
		}
	}
	return true
}

// Short returns an id as it is shown: the first 12 of 64 digits, any other whole.
func Short(id string) string {
	if IsID(id) {
		return id[:shownDigits]
	}
	return id
}

// Key returns what tells containers apart: the shown id, and for the names that users of containerd give, the namespace too.
func Key(namespace, id string) string {
	if namespace == "" || IsID(id) {
		return Short(id)
	}
	return namespace + "/" + id
}

// Label returns the value of a label.
func (c *Container) Label(key string) (string, bool) { return find(c.Labels, key) }

// Label returns the value of a label of the pod.
func (p *Pod) Label(key string) (string, bool) { return find(p.Labels, key) }

func find(labels []Label, key string) (string, bool) {
	i, ok := slices.BinarySearchFunc(labels, key, func(l Label, key string) int { return cmp.Compare(l.Key, key) })
	if !ok {
		return "", false
	}
	return labels[i].Value, true
}

// labels sorts labels by key and leaves out those that are longer than the limit.
func labels(m map[string]string, limit int) []Label {
	if len(m) == 0 {
		return nil
	}
	out := make([]Label, 0, len(m))
	for k, v := range m {
		if k != "" && len(v) <= limit && len(k) <= maxText {
			out = append(out, Label{k, v})
		}
	}
	slices.SortFunc(out, func(a, b Label) int { return cmp.Compare(a.Key, b.Key) })
	return out[:min(len(out), maxLabels)]
}

// The labels by which the kubelet tells a runtime whose container it is.
const (
	labelPodName      = "io.kubernetes.pod.name"
	labelPodNamespace = "io.kubernetes.pod.namespace"
	labelPodUID       = "io.kubernetes.pod.uid"
	labelName         = "io.kubernetes.container.name"
)

// finish fills in what follows from the rest and cuts what is too long.
func (c *Container) finish(all map[string]string, labelLimit int) {
	c.Labels = labels(all, labelLimit)
	p := &c.Pod
	p.Name = cmp.Or(p.Name, all[labelPodName])
	p.Namespace = cmp.Or(p.Namespace, all[labelPodNamespace])
	p.UID = cmp.Or(p.UID, all[labelPodUID])
	c.Mounts = c.Mounts[:min(len(c.Mounts), maxMounts)]
	for i := range c.Mounts {
		m := &c.Mounts[i]
		for _, s := range []*string{&m.Source, &m.Destination, &m.Mode, &m.Propagation} {
			*s = cut(*s, maxText)
		}
	}
	for _, s := range []*string{
		&c.Name, &c.Image, &c.ImageID, &c.Repository, &c.Tag, &c.Digest, &c.IP, &p.Name, &p.Namespace, &p.UID, &p.SandboxID, &p.IP,
	} {
		*s = cut(*s, maxText)
	}
	// Half a JSON text is none.
	if len(c.CNI) > maxCNI {
		c.CNI = ""
	}
	if len(p.CNI) > maxCNI {
		p.CNI = ""
	}
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.Clone(s[:n])
}
