package field

import (
	"strconv"
	"strings"

	runtimes "github.com/saker-sec/saker/internal/container"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/state"
)

// container is the class of fields that describe the container of the event's thread. Its identity comes from the kernel and
// is always there. What a runtime knows is late: it may come after the event.
func container() *Class {
	doc := func(name, doc string, f func(*runtimes.Container) string) Field {
		return Field{Name: name, Type: CHARBUF, Doc: doc, Bind: ofRuntime(f)}
	}
	suggested := func(name, doc string, f func(*runtimes.Container) string) Field {
		return Field{Name: name, Type: CHARBUF, Flags: Suggested, Doc: doc, Bind: ofRuntime(f)}
	}
	fact := func(name, doc string, f func(*runtimes.Container) runtimes.Truth) Field {
		return Field{Name: name, Type: BOOL, Doc: doc, Bind: truthOfRuntime(f)}
	}
	mount := func(name, doc string, bind binder) Field {
		return Field{Name: name, Type: CHARBUF, Args: []ArgKind{ArgIndex, ArgKey}, Flags: ArgRequired, Doc: doc, Bind: bind}
	}
	old := func(name string, t Type) Field {
		return Field{Name: name, Type: t, Doc: "Deprecated, never has a value.", Bind: never(t)}
	}
	c := &Class{
		Name:   "container (plugin)",
		Doc:    "The container in which the event happened, and its Kubernetes pod.",
		Source: "syscall",
		Plugin: "container",
		Fields: []Field{
			{
				Name: "container.id", Type: CHARBUF, Flags: Suggested, Bind: text(costLoad, containerID),
				Doc: "First 12 characters of the container's id, or host outside of containers.",
			},
			{
				Name: "container.full_id", Type: CHARBUF, Bind: text(costLoad, containerFullID),
				Doc: "The container's whole id, or host outside of containers.",
			},
			{
				Name: "container.name", Type: CHARBUF, Flags: Suggested, Doc: "Name of the container, or host outside of containers.",
				Bind: hostOr(func(c *runtimes.Container) string { return c.Name }),
			},
			doc("container.image", "Image that the container was started from, as it was named then.", func(c *runtimes.Container) string { return c.Image }),
			doc("container.image.id", "Id of the image.", func(c *runtimes.Container) string { return c.ImageID }),
			{
				Name: "container.type", Type: CHARBUF, Doc: "Runtime of the container, such as docker, podman or containerd, or host outside of containers.",
				Bind: hostOr(func(c *runtimes.Container) string { return c.Type }),
			},
			fact("container.privileged", "Whether the container runs privileged.", func(c *runtimes.Container) runtimes.Truth { return c.Privileged }),
			{
				Name: "container.mounts", Type: CHARBUF, Doc: "All mounts of the container, each source:destination:mode:writable:propagation, with blanks between.",
				Bind: mounts,
			},
			mount("container.mount", "One mount of the container, by its index or a pattern of its source.", mountOf(bySource, appendMount)),
			mount("container.mount.source", "Source of a mount, by its index or a pattern of its destination.", mountOf(byDestination, func(dst []byte, m *runtimes.Mount) []byte { return append(dst, m.Source...) })),
			mount("container.mount.dest", "Destination of a mount, by its index or a pattern of its source.", mountOf(bySource, func(dst []byte, m *runtimes.Mount) []byte { return append(dst, m.Destination...) })),
			mount("container.mount.mode", "Mode of a mount, by its index or a pattern of its source.", mountOf(bySource, func(dst []byte, m *runtimes.Mount) []byte { return append(dst, m.Mode...) })),
			mount("container.mount.rdwr", "Whether a mount is writable, by its index or a pattern of its source.", mountOf(bySource, func(dst []byte, m *runtimes.Mount) []byte { return strconv.AppendBool(dst, m.Writable) })),
			mount("container.mount.propagation", "Propagation of a mount, by its index or a pattern of its source.", mountOf(bySource, func(dst []byte, m *runtimes.Mount) []byte { return append(dst, m.Propagation...) })),
			suggested("container.image.repository", "Repository of the image.", func(c *runtimes.Container) string { return c.Repository }),
			suggested("container.image.tag", "Tag of the image.", func(c *runtimes.Container) string { return c.Tag }),
			doc("container.image.digest", "Digest of the image.", func(c *runtimes.Container) string { return c.Digest }),
			old("container.healthcheck", CHARBUF),
			old("container.liveness_probe", CHARBUF),
			old("container.readiness_probe", CHARBUF),
			{
				Name: "container.start_ts", Type: ABSTIME, Doc: "When the container's pid namespace was made, in ns since the epoch.",
				Bind: number(costLoad, containerStart),
			},
			{Name: "container.duration", Type: RELTIME, Doc: "Nanoseconds since then.", Bind: number(costLoad, func(c *state.Ctx) (uint64, bool) {
				start, ok := containerStart(c)
				return c.Event.Time - start, ok && c.Event.Time >= start
			})},
			doc("container.ip", "IPv4 address of the container.", func(c *runtimes.Container) string { return c.IP }),
			doc("container.cni.json", "Result of the container's network plugin, as JSON.", func(c *runtimes.Container) string { return c.CNI }),
			fact("container.host_pid", "Whether the container shares the host's pid namespace.", func(c *runtimes.Container) runtimes.Truth { return c.HostPID }),
			fact("container.host_network", "Whether the container shares the host's network namespace.", func(c *runtimes.Container) runtimes.Truth { return c.HostNetwork }),
			fact("container.host_ipc", "Whether the container shares the host's ipc namespace.", func(c *runtimes.Container) runtimes.Truth { return c.HostIPC }),
			{
				Name: "container.label", Type: CHARBUF, Args: []ArgKind{ArgKey}, Flags: ArgRequired, Doc: "One label of the container.",
				Bind: labelOf((*runtimes.Container).Label),
			},
			{
				Name: "container.labels", Type: CHARBUF, Doc: "All labels of the container but those of the kubelet, each key:value.",
				Bind: labelsOf(func(c *runtimes.Container) []runtimes.Label { return c.Labels }, true),
			},
			old("proc.is_container_healthcheck", BOOL),
			old("proc.is_container_liveness_probe", BOOL),
			old("proc.is_container_readiness_probe", BOOL),
		},
	}
	c.Fields = append(c.Fields, pod()...)
	c.Fields = append(c.Fields, Field{
		Name: "container.id_mismatch", Type: BOOL, Bind: idMismatch,
		Doc: "Whether the control groups lie: the process was started in another container, or shares the host's pid namespace in a container that does not, or that no runtime knows.",
	})
	return c
}

// pod returns the fields that describe the Kubernetes pod of the event's thread, as its container's runtime knows it.
func pod() (fields []Field) {
	add := func(name string, flags Flags, doc string, bind binder, args ...ArgKind) {
		fields = append(fields, Field{Name: name, Type: CHARBUF, Flags: flags, Args: args, Doc: doc, Bind: bind})
	}
	uid := late(costLoad, func(c *state.Container) (string, bool) {
		if c.Info != nil && c.Info.Pod.UID != "" {
			return c.Info.Pod.UID, true
		}
		return c.Pod, c.Pod != ""
	})
	add("k8s.pod.name", Suggested, "Name of the pod.", ofPod(func(c *runtimes.Container) string { return c.Pod.Name }))
	add("k8s.ns.name", Suggested, "Namespace of the pod.", ofPod(func(c *runtimes.Container) string { return c.Pod.Namespace }))
	add("k8s.pod.id", 0, "Uid of the pod; an older name of k8s.pod.uid.", uid)
	add("k8s.pod.uid", 0, "Uid of the pod.", uid)
	add("k8s.pod.sandbox_id", 0, "First 12 characters of the id of the pod's sandbox.", ofRuntime(func(c *runtimes.Container) string { return runtimes.Short(c.Pod.SandboxID) }))
	add("k8s.pod.full_sandbox_id", 0, "Id of the pod's sandbox.", ofRuntime(func(c *runtimes.Container) string { return c.Pod.SandboxID }))
	add("k8s.pod.label", ArgRequired, "One label of the pod.", labelOf(func(c *runtimes.Container, key string) (string, bool) { return c.Pod.Label(key) }), ArgKey)
	add("k8s.pod.labels", 0, "All labels of the pod, each key:value.", labelsOf(func(c *runtimes.Container) []runtimes.Label { return c.Pod.Labels }, false))
	add("k8s.pod.ip", 0, "IPv4 address of the pod.", ofSandbox(func(c *runtimes.Container) string { return c.Pod.IP }))
	add("k8s.pod.cni.json", 0, "Result of the pod's network plugin, as JSON.", ofSandbox(func(c *runtimes.Container) string { return c.Pod.CNI }))
	for _, kind := range []string{"rc", "svc", "ns", "rs", "deployment"} {
		for _, what := range []string{"name", "id", "label", "labels"} {
			if kind == "ns" && what == "name" {
				continue
			}
			n := Field{Name: "k8s." + kind + "." + what, Type: CHARBUF, Doc: "Deprecated, never has a value.", Bind: never(CHARBUF)}
			if what == "label" {
				n.Args, n.Flags = []ArgKind{ArgKey}, ArgRequired
			}
			fields = append(fields, n)
		}
	}
	return fields
}

// never is the Bind of a field that has no value any more.
func never(t Type) binder {
	if t == BOOL {
		return number(costLoad, func(*state.Ctx) (uint64, bool) { return 0, false })
	}
	return text(costLoad, func(*state.Ctx) (string, bool) { return "", false })
}

// late is the Bind of a text that depends on the container alone, and on what may come to be known of it after the event.
func late(cost int, f func(*state.Container) (string, bool)) binder {
	return func(string, bool) (*Extractor, error) {
		return &Extractor{Cost: cost, Late: true, Text: func(c *state.Ctx) (string, bool) {
			k := c.Container()
			if k == nil {
				return "", false
			}
			return f(k)
		}}, nil
	}
}

// runtimeText is the Bind of a text that a container runtime knows, or says that there is none; outside is what it is outside of containers.
// There is none as long as the runtime has not answered.
func runtimeText(outside string, f func(*runtimes.Container) (string, bool)) binder {
	return func(string, bool) (*Extractor, error) {
		return &Extractor{Cost: costWalk, Late: true, Text: func(c *state.Ctx) (string, bool) {
			k := c.Container()
			switch {
			case k == nil:
				return outside, c.Thread != nil
			case k.Info == nil:
				return "", false
			}
			return f(k.Info)
		}}, nil
	}
}

// ofRuntime is the same for a text that is empty where the runtime has none and outside of containers, as in Falco, whose alerts say
// "container_image_repository=" then.
func ofRuntime(f func(*runtimes.Container) string) binder {
	return runtimeText("", func(c *runtimes.Container) (string, bool) { return f(c), true })
}

// ofPod is the same for a text that there is for containers of pods alone; empty is none.
func ofPod(f func(*runtimes.Container) string) binder {
	return late(costWalk, func(c *state.Container) (string, bool) {
		if c.Info == nil {
			return "", false
		}
		s := f(c.Info)
		return s, s != ""
	})
}

// ofSandbox is the same for a text that belongs to the pod's sandbox: empty where there is no pod, none where nothing is known of the
// sandbox.
func ofSandbox(f func(*runtimes.Container) string) binder {
	return runtimeText("", func(c *runtimes.Container) (string, bool) {
		s := f(c)
		return s, s != "" || c.Pod.SandboxID == ""
	})
}

// hostOr is the same for a text that is host outside of containers.
func hostOr(f func(*runtimes.Container) string) binder {
	return runtimeText("host", func(c *runtimes.Container) (string, bool) { return f(c), true })
}

// truthOfRuntime is the Bind of a truth that a container runtime knows; what it does not say is false, and so is all outside of
// containers.
func truthOfRuntime(f func(*runtimes.Container) runtimes.Truth) binder {
	return func(string, bool) (*Extractor, error) {
		return &Extractor{Cost: costWalk, Late: true, Num: func(c *state.Ctx) (uint64, bool) {
			k := c.Container()
			switch {
			case k == nil:
				return 0, c.Thread != nil
			case k.Info == nil:
				return 0, false
			}
			return boolean(f(k.Info) == runtimes.True), true
		}}, nil
	}
}

// lateBuilt is the Bind of a text that is put together from what a container runtime knows; outside of containers from nothing.
func lateBuilt(cost int, f func(dst []byte, c *runtimes.Container) ([]byte, bool)) *Extractor {
	none := &runtimes.Container{}
	x := buildWith(cost, func(c *state.Ctx, dst []byte) ([]byte, bool) {
		k := c.Container()
		switch {
		case k == nil && c.Thread == nil, k != nil && k.Info == nil:
			return dst, false
		case k == nil:
			return f(dst, none)
		}
		return f(dst, k.Info)
	})
	x.Late = true
	return x
}

// mounts is the Bind of container.mounts.
func mounts(string, bool) (*Extractor, error) {
	return lateBuilt(costLong, func(dst []byte, c *runtimes.Container) ([]byte, bool) {
		for i := range c.Mounts {
			if i > 0 {
				dst = append(dst, ' ')
			}
			dst = appendMount(dst, &c.Mounts[i])
		}
		return dst, true
	}), nil
}

func appendMount(dst []byte, m *runtimes.Mount) []byte {
	dst = append(append(dst, m.Source...), ':')
	dst = append(append(dst, m.Destination...), ':')
	dst = append(append(dst, m.Mode...), ':')
	dst = append(strconv.AppendBool(dst, m.Writable), ':')
	return append(dst, m.Propagation...)
}

func bySource(m *runtimes.Mount) string      { return m.Source }
func byDestination(m *runtimes.Mount) string { return m.Destination }

// mountOf is the Bind of a field about one mount: by its index, or the first whose text matches a pattern in which * stands
// for anything and ? for one character.
func mountOf(text func(*runtimes.Mount) string, show func(dst []byte, m *runtimes.Mount) []byte) binder {
	return func(arg string, _ bool) (*Extractor, error) {
		index, err := strconv.Atoi(arg)
		byIndex := err == nil && index >= 0
		return lateBuilt(costBuild, func(dst []byte, c *runtimes.Container) ([]byte, bool) {
			for i := range c.Mounts {
				if m := &c.Mounts[i]; byIndex && i == index || !byIndex && wild(arg, text(m)) {
					return show(dst, m), true
				}
			}
			return dst, false
		}), nil
	}
}

// wild reports whether s matches a pattern.
func wild(pattern, s string) bool {
	star, mark := -1, 0
	p, i := 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// labelOf is the Bind of one label.
func labelOf(get func(*runtimes.Container, string) (string, bool)) binder {
	return func(arg string, _ bool) (*Extractor, error) {
		return late(costBuild, func(c *state.Container) (string, bool) {
			if c.Info == nil {
				return "", false
			}
			return get(c.Info, arg)
		})("", false)
	}
}

// labelsOf is the Bind of all labels, with ", " between; own leaves out those that the kubelet and the runtime use for
// themselves.
func labelsOf(get func(*runtimes.Container) []runtimes.Label, own bool) binder {
	return func(string, bool) (*Extractor, error) {
		return lateBuilt(costLong, func(dst []byte, c *runtimes.Container) ([]byte, bool) {
			start := len(dst)
			for _, l := range get(c) {
				if own && (strings.HasPrefix(l.Key, "io.kubernetes.") || strings.HasPrefix(l.Key, "annotation.")) {
					continue
				}
				if len(dst) > start {
					dst = append(dst, ", "...)
				}
				dst = append(append(append(dst, l.Key...), ':'), l.Value...)
			}
			return dst, true
		}), nil
	}
}

// idMismatch is the Bind of container.id_mismatch.
func idMismatch(string, bool) (*Extractor, error) {
	return &Extractor{Cost: costWalk, Late: true, Num: func(c *state.Ctx) (uint64, bool) {
		t := c.Thread
		if t == nil {
			return 0, false
		}
		k := t.Container
		switch {
		case t.Strayed:
			return 1, true
		case k == nil || t.VPID < 0 || t.InPidNS() || t.VPID != t.PID:
			return 0, true
		case k.Info != nil:
			return boolean(k.Info.HostPID == runtimes.False), true
		}
		return boolean(k.Missing), true
	}}, nil
}

// containerFullID is as much of the whole id as is known.
func containerFullID(c *state.Ctx) (string, bool) {
	if k := c.Container(); k != nil {
		return k.Full, k.Full != ""
	}
	return "host", c.Thread != nil
}

// containerStart is when the pid namespace of the event's thread was made, outside of containers too.
func containerStart(c *state.Ctx) (uint64, bool) {
	if c.Thread == nil {
		return 0, false
	}
	return c.Thread.PidnsInitStart, c.Thread.PidnsInitStart != 0
}

// containerID returns the container of the thread, or the one that an event about a container describes.
func containerID(c *state.Ctx) (string, bool) {
	switch {
	case c.Thread != nil && c.Thread.ContainerID == "":
		return "host", true
	case c.Thread != nil:
		return c.Thread.ContainerID, true
	case c.Event.Code == event.ContainerJsonV2E:
		json, _ := c.Event.Text(0)
		return describedID(json)
	case c.Event.Code == event.AsynceventE:
		if name, _ := c.Event.Text(1); name == "container" {
			return describedID(event.View(c.Event.Param(2)))
		}
	}
	return "", false
}

// shortID is the length of a container's id as it is shown.
const shortID = 12

// describedID finds the id in the JSON text that describes a container.
func describedID(json string) (string, bool) {
	_, rest, ok := strings.Cut(json, `"id":"`)
	if !ok {
		return "", false
	}
	id, _, ok := strings.Cut(rest, `"`)
	return id[:min(len(id), shortID)], ok
}
