package plugin

import (
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/state"
)

// K8sChange is the name of the plugin, and of its event source, that tells what changes in a cluster.
const K8sChange = "k8s_change"

// K8sChangeID is the number that its events carry. The registry of Falco's plugins gives numbers from 1 up.
const K8sChangeID = 1_000_001

// k8sChangePlugin is a source that Falco does not have: what changes in a cluster, as the API server tells it. The payload of
// its events is JSON (kube.Change).
func k8sChangePlugin() Plugin {
	return Plugin{
		Name: K8sChange, Version: "0.1.0", Contact: contact,
		Description:  "What changes in a Kubernetes cluster, part of the engine",
		Capabilities: Sourcing | Extraction,
		Source:       K8sChange, ID: K8sChangeID,
		config: setting{kind: object, keys: []setting{
			{name: "kubeconfig", kind: text, doc: "File that says where the API server is. By default that in KUBECONFIG, or else the service account of the pod in which Saker runs."},
			{name: "kinds", kind: list, doc: "Kinds of objects whose changes are followed; by default all that can be."},
		}},
		classes: func() []*field.Class { return []*field.Class{k8sChangeClass()} },
	}
}

// k8sChangeClass is the class of fields of the source. Each names where in the payload its value is.
func k8sChangeClass() *field.Class {
	d := &document{}
	c := &field.Class{Name: "k8schange (plugin)", Doc: "What changed in the Kubernetes cluster.", Source: K8sChange, Plugin: K8sChange}
	words := func(name, at, doc string) {
		c.Fields = append(c.Fields, field.Field{
			Name: "k8schange." + name, Type: field.CHARBUF, Doc: doc,
			Bind: func(string, bool) (*field.Extractor, error) { return d.valueAt(at), nil },
		})
	}
	truth := func(name, at, doc string) {
		c.Fields = append(c.Fields, field.Field{
			Name: "k8schange." + name, Type: field.BOOL, Doc: doc,
			Bind: func(string, bool) (*field.Extractor, error) { return d.truthAt(at), nil },
		})
	}
	several := func(name, at, doc string) {
		c.Fields = append(c.Fields, field.Field{
			Name: "k8schange." + name, Type: field.CHARBUF, List: true, Doc: doc,
			Bind: func(string, bool) (*field.Extractor, error) { return d.listAt(at), nil },
		})
	}
	words("verb", "/verb", "What happened: create, update or delete.")
	words("kind", "/kind", "Kind of the object, such as Deployment.")
	words("apiversion", "/apiVersion", "Group and version of the kind, such as apps/v1.")
	words("ns", "/namespace", "Namespace of the object; without value for objects of the whole cluster.")
	words("name", "/name", "Name of the object.")
	words("uid", "/uid", "Uid of the object.")
	words("user", "/user", "Who changed it, as far as the API tells: the field manager that wrote it last, such as kubectl-edit or helm. The name of the user is in the audit log only.")
	truth("missed", "/missed", "Whether the change happened while the API server could not be watched, and was found by comparing afterwards.")
	c.Fields = append(c.Fields, field.Field{
		Name: "k8schange.label", Type: field.CHARBUF, Args: []field.ArgKind{field.ArgKey}, Flags: field.ArgRequired,
		Doc:  "One label of the object, as in k8schange.label[app].",
		Bind: func(key string, _ bool) (*field.Extractor, error) { return d.labelOf(key), nil },
	}, field.Field{
		Name: "k8schange.labels", Type: field.CHARBUF, List: true, Doc: "All labels of the object, each key:value.",
		Bind: func(string, bool) (*field.Extractor, error) { return d.pairsAt("/labels"), nil },
	})
	for _, side := range []struct{ name, at, which string }{
		{"image.new", "/image", "the new image: that of the first container whose image changed, else of the first container"},
		{"image.old", "/oldImage", "the image that this container had before; without value when it had none"},
	} {
		words(side.name, side.at+"/name", "Name of "+side.which+".")
		words(side.name+".registry", side.at+"/registry", "Registry in the name of "+side.which+". docker.io where it has none.")
		words(side.name+".repository", side.at+"/repository", "Repository, without the registry, in the name of "+side.which+".")
		words(side.name+".tag", side.at+"/tag", "Tag in the name of "+side.which+".")
		words(side.name+".digest", side.at+"/digest", "Digest in the name of "+side.which+".")
	}
	words("container", "/container", "Name of the container that k8schange.image.new is of.")
	several("images", "/images", "Images of all containers.")
	several("images.old", "/oldImages", "Images of all containers before the change.")
	several("images.added", "/added", "Images that the object did not have before.")
	several("images.floating", "/floating", "Those of k8schange.images.added that may stand for something else tomorrow: without digest, and with the tag latest or none.")
	several("registries.new", "/newRegistries", "Registries that images come from now and that none came from before; without value for an object that is new.")
	truth("privileged", "/privileged", "Whether a container is privileged.")
	truth("privileged.old", "/oldPrivileged", "Whether one was before.")
	truth("host_network", "/hostNetwork", "Whether the pods share the host's network.")
	truth("host_pid", "/hostPID", "Whether the pods share the host's process ids.")
	truth("host_ipc", "/hostIPC", "Whether the pods share the host's ipc namespace.")
	several("hostpaths", "/hostPaths", "Paths of the host that the pods mount.")
	several("hostpaths.added", "/newHostPaths", "Those that they did not mount before.")
	several("capabilities", "/capabilities", "Capabilities that are added to containers.")
	words("sa", "/serviceAccount", "Service account of the pods.")
	words("role", "/role", "Role that a binding gives.")
	several("subjects", "/subjects", "To whom a binding gives it, each kind:name, with the namespace before the name of a service account.")
	several("subjects.added", "/newSubjects", "Those that the binding did not name before.")
	return c
}

// truthAt returns the extractor of a truth.
func (d *document) truthAt(at string) *field.Extractor {
	steps := pointer(at)
	return &field.Extractor{Cost: costValue, Num: func(c *state.Ctx) (uint64, bool) {
		if !d.load(c.Event) {
			return 0, false
		}
		n, ok := d.find(steps)
		if !ok {
			return 0, false
		}
		switch string(d.src[n.start:n.end]) {
		case "true":
			return 1, true
		case "false":
			return 0, true
		}
		return 0, false
	}}
}

// labelOf returns the extractor of a label; its key may have slashes.
func (d *document) labelOf(key string) *field.Extractor {
	return d.textAt([]step{{key: "labels", index: -1}, {key: key, index: -1}})
}

// listAt returns the extractor of a list of texts.
func (d *document) listAt(at string) *field.Extractor {
	return d.partsAt(at, func(dst []byte, n, _ node) []byte { return d.appendText(dst, n) }, 1)
}

// pairsAt returns the extractor of the members of an object, each key:value.
func (d *document) pairsAt(at string) *field.Extractor {
	return d.partsAt(at, func(dst []byte, key, value node) []byte {
		return d.appendText(append(d.appendText(dst, key), ':'), value)
	}, 2)
}

// partsAt returns the extractor of the values in a list (of so many nodes each: an object's have a key before them).
func (d *document) partsAt(at string, render func(dst []byte, n, next node) []byte, each int) *field.Extractor {
	steps := pointer(at)
	var buf []byte
	var ends []int
	return &field.Extractor{Cost: 2 * costValue, Multi: func(c *state.Ctx, dst []field.Value) ([]field.Value, bool) {
		if !d.load(c.Event) {
			return dst, false
		}
		at, ok := d.seek(steps)
		list := d.nodes[at]
		if open := d.src[list.start]; !ok || each == 1 && open != '[' || each == 2 && open != '{' {
			return dst, false
		}
		buf, ends = buf[:0], ends[:0]
		for i := at + 1; i < list.next; {
			n := d.nodes[i]
			value := n
			if each == 2 {
				value = d.nodes[i+1]
			}
			buf = render(buf, n, value)
			ends = append(ends, len(buf))
			i = value.next
		}
		start := 0
		for _, end := range ends {
			dst = append(dst, field.Value{Type: field.CHARBUF, Text: event.View(buf[start:end])})
			start = end
		}
		return dst, len(ends) > 0
	}}
}

// appendText appends what a value says.
func (d *document) appendText(dst []byte, n node) []byte {
	raw := d.src[n.start:n.end]
	if raw[0] != '"' {
		return compact(dst, raw)
	}
	return unescape(dst, raw[1:len(raw)-1])
}
