package kube

import (
	"encoding/json"
	"hash/maphash"
	"slices"
	"strings"
	"time"
)

// Change is what happened to an object of the cluster, as the event that rules see: its JSON is the event's payload.
type Change struct {
	Verb       string `json:"verb"` // create, update or delete
	Kind       string `json:"kind"`
	APIVersion string `json:"apiVersion"`
	Namespace  string `json:"namespace,omitempty"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
	// User is the field manager that wrote the object last, such as kubectl-edit or helm: the API does not tell who that was.
	User string `json:"user,omitempty"`
	// Missed says that the change happened while the watch was interrupted, and was found by comparing.
	Missed bool              `json:"missed"`
	Labels map[string]string `json:"labels,omitempty"`

	// Image is that of the first container whose image changed, else of the first one. Old is missing when there was none.
	Image     *imageParts `json:"image,omitempty"`
	OldImage  *imageParts `json:"oldImage,omitempty"`
	Container string      `json:"container,omitempty"`
	// Images are those of all containers; Added those that the object did not have before; Floating those of Added that
	// have neither a digest nor a tag that says more than latest; NewRegistries where images now come from that none of the
	// object's came from before (never for an object that is new).
	Images        []string `json:"images,omitempty"`
	OldImages     []string `json:"oldImages,omitempty"`
	Added         []string `json:"added,omitempty"`
	Floating      []string `json:"floating,omitempty"`
	NewRegistries []string `json:"newRegistries,omitempty"`

	Privileged    bool     `json:"privileged"`
	OldPrivileged bool     `json:"oldPrivileged"`
	HostNetwork   bool     `json:"hostNetwork"`
	HostPID       bool     `json:"hostPID"`
	HostIPC       bool     `json:"hostIPC"`
	HostPaths     []string `json:"hostPaths,omitempty"`
	NewHostPaths  []string `json:"newHostPaths,omitempty"`
	Capabilities  []string `json:"capabilities,omitempty"`
	Account       string   `json:"serviceAccount,omitempty"`

	Role        string   `json:"role,omitempty"`
	Subjects    []string `json:"subjects,omitempty"`
	NewSubjects []string `json:"newSubjects,omitempty"`
}

// imageParts is the name of an image with its parts.
type imageParts struct {
	Name       string `json:"name"`
	Registry   string `json:"registry"`
	Repository string `json:"repository"`
	Tag        string `json:"tag,omitempty"`
	Digest     string `json:"digest,omitempty"`
}

func partsOf(name string) *imageParts {
	r := ParseImage(name)
	return &imageParts{name, r.Registry, r.Repository, r.Tag, r.Digest}
}

// content is what is kept of an object to tell what changes.
type content struct {
	name, namespace string
	sum             uint64 // over all that counts as a change
	managed         bool   // a controller made it that is followed too: only what changes in place is told
	facts
}

// facts are what changes are described by.
type facts struct {
	images       []Image
	privileged   bool
	hostNetwork  bool
	hostPID      bool
	hostIPC      bool
	hostPaths    []string
	capabilities []string
	account      string
	role         string
	subjects     []string
	labels       []Label
	user         string // who wrote it last; not part of what is kept
}

type securityContext struct {
	Privileged   bool `json:"privileged"`
	Capabilities struct {
		Add []string `json:"add"`
	} `json:"capabilities"`
}

// podSpec is what is read of the specification of pods, alone or within that of a workload.
type podSpec struct {
	Containers     []container `json:"containers"`
	Init           []container `json:"initContainers"`
	Ephemeral      []container `json:"ephemeralContainers"`
	HostNetwork    bool        `json:"hostNetwork"`
	HostPID        bool        `json:"hostPID"`
	HostIPC        bool        `json:"hostIPC"`
	ServiceAccount string      `json:"serviceAccountName"`
	Volumes        []struct {
		HostPath *struct {
			Path string `json:"path"`
		} `json:"hostPath"`
	} `json:"volumes"`
}

// podTemplate is the specification of a workload.
type podTemplate struct {
	Template *struct {
		Spec podSpec `json:"spec"`
	} `json:"template"`
	JobTemplate *struct {
		Spec podTemplate `json:"spec"`
	} `json:"jobTemplate"`
}

// makers are the kinds of which a controller makes objects of a kind. Whoever writes an object may say that it has an owner; what
// is none of these is not believed.
var makers = map[string][]string{
	"Pod":        {"v1/ReplicationController", "apps/v1/ReplicaSet", "apps/v1/DaemonSet", "apps/v1/StatefulSet", "batch/v1/Job"},
	"ReplicaSet": {"apps/v1/Deployment"},
	"Job":        {"batch/v1/CronJob"},
}

// manages reports whether an owner makes objects of a kind and is followed itself, so that it tells of them.
func (c *Changes) manages(owner reference, kind string) bool {
	return slices.Contains(makers[kind], owner.Version+"/"+owner.Kind) &&
		slices.ContainsFunc(c.kinds, func(k changeKind) bool { return k.Kind == owner.Kind })
}

// Annotations that controllers and tools write by themselves, with every change or without one.
var noise = []string{"kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision", "control-plane.alpha.kubernetes.io/leader"}

// readContent reads an object of a kind.
func (c *Changes) readContent(kind string, raw []byte) (*content, error) {
	var o struct {
		Metadata struct {
			metadata
			Annotations   map[string]string `json:"annotations"`
			ManagedFields []struct {
				Manager     string    `json:"manager"`
				Subresource string    `json:"subresource"`
				Time        time.Time `json:"time"`
			} `json:"managedFields"`
		} `json:"metadata"`
		Spec     json.RawMessage `json:"spec"`
		Rules    json.RawMessage `json:"rules"`
		Webhooks json.RawMessage `json:"webhooks"`
		RoleRef  struct {
			Kind string `json:"kind"`
			Name string `json:"name"`
		} `json:"roleRef"`
		Subjects []struct {
			Kind      string `json:"kind"`
			Name      string `json:"name"`
			Namespace string `json:"namespace"`
		} `json:"subjects"`
	}
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, err
	}
	out := &content{name: text(o.Metadata.Name), namespace: text(o.Metadata.Namespace), managed: c.manages(o.Metadata.controller(), kind)}
	object := o.Metadata.object(kind, c.report)
	out.labels, out.role = object.Labels, text(o.RoleRef.Name)
	var latest time.Time
	for _, m := range o.Metadata.ManagedFields {
		if m.Subresource == "" && !m.Time.Before(latest) {
			latest, out.user = m.Time, text(m.Manager)
		}
	}
	for _, s := range o.Subjects {
		name := s.Kind + ":" + s.Name
		if s.Namespace != "" {
			name = s.Kind + ":" + s.Namespace + "/" + s.Name
		}
		out.subjects = append(out.subjects, text(name))
	}
	slices.Sort(out.subjects)
	left := func(n int, what string) { c.report.left(n, what, kind, &o.Metadata.metadata) }
	if err := out.readSpec(kind, o.Spec, left); err != nil {
		return nil, err
	}
	var h maphash.Hash
	h.SetSeed(c.seed)
	if kind == "Pod" || out.managed { // The scheduler, admission and controllers write into the specification after it was made.
		for _, i := range out.images {
			h.WriteString(i.Container + "\x00" + i.Image + "\x00")
		}
	} else {
		for _, part := range [][]byte{o.Spec, o.Rules, o.Webhooks} {
			h.Write(part)
			h.WriteByte(0)
		}
	}
	for _, t := range append([]string{out.role}, out.subjects...) {
		h.WriteString(t)
		h.WriteByte(0)
	}
	for _, l := range out.labels {
		h.WriteString(l.Key + "\x00" + l.Value + "\x00")
	}
	shed := 0
	for _, l := range labelsOf(o.Metadata.Annotations, &shed) {
		if !slices.Contains(noise, l.Key) {
			h.WriteString(l.Key + "\x00" + l.Value + "\x00")
		}
	}
	out.sum = h.Sum64()
	return out, nil
}

// readSpec reads what a specification says of pods. left is told how many of what are left out.
func (f *facts) readSpec(kind string, raw []byte, left func(n int, what string)) error {
	if len(raw) == 0 {
		return nil
	}
	var spec podSpec
	if kind == "Pod" {
		if err := json.Unmarshal(raw, &spec); err != nil {
			return err
		}
	} else if slices.Contains([]string{"Deployment", "DaemonSet", "StatefulSet", "ReplicaSet", "ReplicationController", "Job", "CronJob"}, kind) {
		var w podTemplate
		if err := json.Unmarshal(raw, &w); err != nil {
			return err
		}
		switch {
		case w.Template != nil:
			spec = w.Template.Spec
		case w.JobTemplate != nil && w.JobTemplate.Spec.Template != nil:
			spec = w.JobTemplate.Spec.Template.Spec
		}
	}
	f.hostNetwork, f.hostPID, f.hostIPC, f.account = spec.HostNetwork, spec.HostPID, spec.HostIPC, text(spec.ServiceAccount)
	containers := slices.Concat(spec.Containers, spec.Init, spec.Ephemeral)
	for i, c := range containers {
		if i < maxImages {
			f.images = append(f.images, Image{Container: text(c.Name), Image: text(c.Image)})
		}
		f.privileged = f.privileged || c.Security.Privileged
		for _, capability := range c.Security.Capabilities.Add {
			f.capabilities = append(f.capabilities, text(capability))
		}
	}
	for _, v := range spec.Volumes {
		if v.HostPath != nil {
			f.hostPaths = append(f.hostPaths, text(v.HostPath.Path))
		}
	}
	left(len(containers)-len(f.images), "containers")
	shed := 0
	f.capabilities, shed = set(f.capabilities)
	left(shed, "capabilities")
	f.hostPaths, shed = set(f.hostPaths)
	left(shed, "paths of the host")
	return nil
}

// set sorts a list and leaves out what is there twice, and what is beyond a bound: so many.
func set(list []string) (all []string, shed int) {
	slices.Sort(list)
	list = slices.Compact(list)
	n := min(len(list), maxImages)
	return slices.Clip(list[:n]), len(list) - n
}

// describe tells the change from old to now; either may be nil.
func describe(k changeKind, uid string, old, now *content, missed bool) *Change {
	d := &Change{Verb: "update", Kind: k.Kind, APIVersion: k.Version, UID: uid, Missed: missed}
	is, was := now, old
	switch {
	case old == nil:
		d.Verb, was = "create", &content{}
	case now == nil:
		d.Verb, is = "delete", old
	}
	d.Namespace, d.Name, d.User = is.namespace, is.name, is.user
	for _, l := range is.labels {
		if d.Labels == nil {
			d.Labels = map[string]string{}
		}
		d.Labels[l.Key] = l.Value
	}
	d.images(old, is, was)
	d.Privileged, d.OldPrivileged = is.privileged, was.privileged
	d.HostNetwork, d.HostPID, d.HostIPC = is.hostNetwork, is.hostPID, is.hostIPC
	d.HostPaths, d.NewHostPaths = is.hostPaths, without(is.hostPaths, was.hostPaths)
	d.Capabilities, d.Account, d.Role = is.capabilities, is.account, is.role
	d.Subjects, d.NewSubjects = is.subjects, without(is.subjects, was.subjects)
	return d
}

// images tells which images changed.
func (d *Change) images(old, is, was *content) {
	d.Images, d.OldImages = names(is.images), names(was.images)
	d.Added = without(d.Images, d.OldImages)
	registries := map[string]bool{}
	for _, i := range d.OldImages {
		registries[ParseImage(i).Registry] = true
	}
	for _, i := range d.Added {
		r := ParseImage(i)
		if r.Floating() {
			d.Floating = append(d.Floating, i)
		}
		if old != nil && len(was.images) > 0 && !registries[r.Registry] {
			d.NewRegistries = append(d.NewRegistries, r.Registry)
		}
	}
	d.NewRegistries, _ = set(d.NewRegistries) // no more than there are images
	for n, i := range is.images {
		before := imageOf(was.images, i.Container)
		if n == 0 || before != i.Image && before != "" {
			d.Image, d.OldImage, d.Container = partsOf(i.Image), nil, i.Container
			if before != "" {
				d.OldImage = partsOf(before)
			}
			if before != i.Image && before != "" {
				return
			}
		}
	}
}

func imageOf(images []Image, container string) string {
	for _, i := range images {
		if i.Container == container {
			return i.Image
		}
	}
	return ""
}

func names(images []Image) []string {
	var out []string
	for _, i := range images {
		out = append(out, i.Image)
	}
	list, _ := set(out) // no more than what is kept of an object
	return list
}

// without returns what is in a and not in b.
func without(a, b []string) []string {
	var out []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

// kindsText lists the names of kinds.
func kindsText() string {
	var all []string
	for _, k := range changeKinds {
		all = append(all, k.Kind)
	}
	return strings.Join(all, ", ")
}
