package plugin

import (
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/field"
	"github.com/saker-sec/saker/internal/kube"
	"github.com/saker-sec/saker/internal/state"
)

// K8smeta is the name of the plugin that tells what Kubernetes knows of the pod of an event.
const K8smeta = "k8smeta"

// k8smetaPlugin has the fields of Falco's plugin, filled by a k8s-metacollector as there, or without one by the API server,
// and beside them what Falco's does not have: the other kinds of workloads, the node, the service account, the images
// (plugins-k8s.md §5.3).
func k8smetaPlugin() Plugin {
	return Plugin{
		Name: K8smeta, Version: "0.4.1", Contact: contact,
		Description:  "What Kubernetes knows of the pod of an event, part of the engine",
		Capabilities: Extraction | Parsing | Async,
		AsyncNames:   []string{"k8s"},
		config: setting{kind: object, keys: []setting{
			{name: "collectorHostname", kind: text, doc: "Host of a k8s-metacollector. Without it the API server is asked, and the other collector keys mean nothing."},
			{name: "collectorPort", kind: whole, doc: "Port of the k8s-metacollector, 45000 by default."},
			{name: "nodeName", kind: text, doc: "Name of the node whose pods are followed. By default that in FALCO_K8S_NODE_NAME or NODE_NAME, or the host's."},
			{name: "verbosity", kind: text, values: []string{"trace", "debug", "info", "warning", "error", "critical"}, doc: "Without effect here."},
			{name: "hostProc", kind: text, doc: "Without effect here; in Falco, where the host's /proc is."},
			{name: "caPEMBundle", kind: text, doc: "File with the certificates that the collector's may be signed by. Without it TLS is not used."},
			{name: "kubeconfig", kind: text, doc: "File that says where the API server is. By default that in KUBECONFIG, or else the service account of the pod in which Saker runs."},
		}},
		classes: func() []*field.Class { return []*field.Class{k8smetaClass()} },
	}
}

// costPod is about what finding the pod costs, in ns: one or two look-ups in a map.
const costPod = 40

func k8smetaClass() *field.Class {
	c := &field.Class{
		Name: "k8smeta (plugin)", Source: "syscall", Plugin: K8smeta,
		Doc: "What Kubernetes knows of the pod in which the event happened.",
	}
	add := func(f field.Field) { c.Fields = append(c.Fields, f) }
	about := func(prefix, what string, of func(*kube.Pod) *kube.Object) {
		add(field.Field{Name: prefix + ".name", Type: field.CHARBUF, Doc: "Name of " + what + ".", Bind: podText(func(p *kube.Pod) string { return nameOf(of(p)) })})
		add(field.Field{Name: prefix + ".uid", Type: field.CHARBUF, Doc: "Uid of " + what + ".", Bind: podText(func(p *kube.Pod) string { return uidOf(of(p)) })})
		add(field.Field{
			Name: prefix + ".label", Type: field.CHARBUF, Args: []field.ArgKind{field.ArgKey}, Flags: field.ArgRequired,
			Doc: "One label of " + what + ", as in " + prefix + ".label[app].", Bind: podLabel(of),
		})
		add(field.Field{
			Name: prefix + ".labels", Type: field.CHARBUF, List: true, Doc: "All labels of " + what + ", each key:value.",
			Bind: podLabels(func(p *kube.Pod, add func(*kube.Object)) { add(of(p)) }),
		})
	}
	owner := func(kind string) func(*kube.Pod) *kube.Object {
		return func(p *kube.Pod) *kube.Object { return p.Owner(kind) }
	}
	about("k8smeta.pod", "the pod", func(p *kube.Pod) *kube.Object { return &p.Object })
	add(field.Field{Name: "k8smeta.pod.ip", Type: field.CHARBUF, Doc: "IP address of the pod.", Bind: podText(func(p *kube.Pod) string { return p.IP })})
	about("k8smeta.ns", "the pod's namespace", func(p *kube.Pod) *kube.Object { return p.Namespace })
	about("k8smeta.deployment", "the deployment that made the pod", owner("Deployment"))
	services(add)
	about("k8smeta.rs", "the replica set that made the pod", owner("ReplicaSet"))
	about("k8smeta.rc", "the replication controller that made the pod", owner("ReplicationController"))
	about("k8smeta.ds", "the daemon set that made the pod", owner("DaemonSet"))
	about("k8smeta.sts", "the stateful set that made the pod", owner("StatefulSet"))
	about("k8smeta.job", "the job that made the pod", owner("Job"))
	about("k8smeta.cronjob", "the cron job that made the pod", owner("CronJob"))
	about("k8smeta.workload", "what made the pod, the outermost that is known: the deployment rather than the replica set", (*kube.Pod).Workload)
	add(field.Field{
		Name: "k8smeta.workload.kind", Type: field.CHARBUF, Doc: "Kind of what made the pod, such as Deployment; Node for a static pod.",
		Bind: podText(func(p *kube.Pod) string {
			if w := p.Workload(); w != nil {
				return w.Kind
			}
			return ""
		}),
	})
	add(field.Field{Name: "k8smeta.node.name", Type: field.CHARBUF, Doc: "Name of the node.", Bind: podText(func(p *kube.Pod) string { return p.Node })})
	add(field.Field{Name: "k8smeta.sa.name", Type: field.CHARBUF, Doc: "Name of the service account of the pod.", Bind: podText(func(p *kube.Pod) string { return p.ServiceAccount })})
	add(field.Field{Name: "k8smeta.images", Type: field.CHARBUF, List: true, Doc: "Images of the pod's containers, as the pod names them.", Bind: podImages(func(i *kube.Image) string { return i.Image })})
	add(field.Field{Name: "k8smeta.image.digests", Type: field.CHARBUF, List: true, Doc: "Digests of the images that the pod's containers run.", Bind: podImages(func(i *kube.Image) string { return i.Digest })})
	for i := range c.Fields {
		if c.Fields[i].Name == "k8smeta.pod.name" || c.Fields[i].Name == "k8smeta.ns.name" {
			c.Fields[i].Flags |= field.Suggested
		}
	}
	return c
}

// services adds the fields of the services of a pod, of which there may be several.
func services(add func(field.Field)) {
	list := func(name, doc string, of func(*kube.Object) string) {
		add(field.Field{Name: name, Type: field.CHARBUF, List: true, Doc: doc, Bind: podList(func(p *kube.Pod, add func(string)) {
			for _, s := range p.Services {
				add(of(s))
			}
		})})
	}
	list("k8smeta.svc.name", "Names of the services that select the pod.", func(o *kube.Object) string { return o.Name })
	list("k8smeta.svc.uid", "Uids of the services that select the pod.", func(o *kube.Object) string { return o.UID })
	add(field.Field{
		Name: "k8smeta.svc.label", Type: field.CHARBUF, List: true, Args: []field.ArgKind{field.ArgKey}, Flags: field.ArgRequired,
		Doc: "The values that a label has at the services that select the pod.",
		Bind: func(key string, _ bool) (*field.Extractor, error) {
			return podList(func(p *kube.Pod, add func(string)) {
				for _, s := range p.Services {
					if v, ok := s.Label(key); ok {
						add(v)
					}
				}
			})("", false)
		},
	})
	add(field.Field{
		Name: "k8smeta.svc.labels", Type: field.CHARBUF, List: true, Doc: "All labels of the services that select the pod, each key:value.",
		Bind: podLabels(func(p *kube.Pod, add func(*kube.Object)) {
			for _, s := range p.Services {
				add(s)
			}
		}),
	})
}

type bind = func(arg string, filtering bool) (*field.Extractor, error)

func nameOf(o *kube.Object) string {
	if o == nil {
		return ""
	}
	return o.Name
}

func uidOf(o *kube.Object) string {
	if o == nil {
		return ""
	}
	return o.UID
}

// podText is the Bind of a text about the pod; "" is no value.
func podText(of func(*kube.Pod) string) bind {
	return func(string, bool) (*field.Extractor, error) {
		return &field.Extractor{Cost: costPod, Late: true, Text: func(c *state.Ctx) (string, bool) {
			p := c.Pod()
			if p == nil {
				return "", false
			}
			v := of(p)
			return v, v != ""
		}}, nil
	}
}

func podLabel(of func(*kube.Pod) *kube.Object) bind {
	return func(key string, _ bool) (*field.Extractor, error) {
		return &field.Extractor{Cost: costPod, Late: true, Text: func(c *state.Ctx) (string, bool) {
			p := c.Pod()
			if p == nil {
				return "", false
			}
			o := of(p)
			if o == nil {
				return "", false
			}
			return o.Label(key)
		}}, nil
	}
}

// podList is the Bind of a list of texts that lie in the pod; an empty one is no value, as in Falco.
func podList(each func(p *kube.Pod, add func(string))) bind {
	return func(string, bool) (*field.Extractor, error) {
		var values []field.Value
		add := func(s string) {
			if s != "" {
				values = append(values, field.Value{Type: field.CHARBUF, Text: s})
			}
		}
		return &field.Extractor{Cost: costPod, Late: true, Multi: func(c *state.Ctx, dst []field.Value) ([]field.Value, bool) {
			p := c.Pod()
			if p == nil {
				return dst, false
			}
			values = values[:0]
			each(p, add)
			return append(dst, values...), len(values) > 0
		}}, nil
	}
}

func podImages(of func(*kube.Image) string) bind {
	return podList(func(p *kube.Pod, add func(string)) {
		for i := range p.Images {
			add(of(&p.Images[i]))
		}
	})
}

// podLabels is the Bind of a list of key:value, which lie in memory of the extractor.
func podLabels(each func(p *kube.Pod, add func(*kube.Object))) bind {
	return func(string, bool) (*field.Extractor, error) {
		var buf []byte
		var ends []int
		add := func(o *kube.Object) {
			if o == nil {
				return
			}
			for _, l := range o.Labels {
				buf = append(append(append(buf, l.Key...), ':'), l.Value...)
				ends = append(ends, len(buf))
			}
		}
		return &field.Extractor{Cost: 2 * costPod, Late: true, Multi: func(c *state.Ctx, dst []field.Value) ([]field.Value, bool) {
			p := c.Pod()
			if p == nil {
				return dst, false
			}
			buf, ends = buf[:0], ends[:0]
			each(p, add)
			start := 0
			for _, end := range ends {
				dst = append(dst, field.Value{Type: field.CHARBUF, Text: event.View(buf[start:end])})
				start = end
			}
			return dst, len(ends) > 0
		}}, nil
	}
}
