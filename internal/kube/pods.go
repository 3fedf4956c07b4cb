package kube

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

// API follows the pods of one node by asking the API server: pods of the node, services, and what owns the pods.
type API struct {
	Mailbox
	node   string
	client *Client
	report *reporter
	owners lookups

	mu       sync.Mutex
	pods     map[string]*entry
	services map[string]map[string]*service // by namespace and UID
	n        int                            // services
}

// entry is a pod as the API server has it.
type entry struct {
	pod   *Pod // as it was handed over last
	owner reference
}

// service is a service and the labels that a pod needs to belong to it.
type service struct {
	Object
	namespace string
	selector  []Label
}

// reference names the owner of an object.
type reference struct {
	Kind, Namespace, Name, UID, Version string
}

// NewAPI returns what follows the pods of the named node, once Run runs. log takes what an operator should read.
func NewAPI(client *Client, node string, log func(string)) *API {
	a := &API{node: node, client: client, report: newReporter(log), pods: map[string]*entry{}, services: map[string]map[string]*service{}}
	a.owners.init(client, a.report, a.ownerKnown)
	return a
}

// Run follows the pods until ctx is done.
func (a *API) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() {
		follow(ctx, &resource[*entry]{
			client: a.client, what: "watching the pods of node " + a.node, path: "/api/v1/pods", selector: "spec.nodeName=" + a.node,
			read: a.readPod, report: a.report,
		}, podStore{a})
	})
	wg.Go(func() {
		follow(ctx, &resource[*service]{
			client: a.client, what: "watching services", path: "/api/v1/services", read: a.readService, report: a.report,
		}, serviceStore{a})
	})
	wg.Go(func() { a.owners.run(ctx, a.referenced) })
	wg.Wait()
}

// Stats returns the counters.
func (a *API) Stats() Stats {
	a.mu.Lock()
	s := Stats{Pods: uint64(len(a.pods)), Services: uint64(a.n)}
	a.mu.Unlock()
	s.Owners = a.owners.len()
	a.report.fill(&s)
	return s
}

func (r *reporter) fill(s *Stats) {
	s.Lists, s.Lookups, s.LookupsFailed = r.lists.Load(), r.lookups.Load(), r.lookupsFailed.Load()
	s.Errors, s.Unreadable, s.Shed = r.errors.Load(), r.unreadable.Load(), r.shed.Load()
}

// metadata is what is read of the metadata of any object.
type metadata struct {
	Name            string            `json:"name"`
	Namespace       string            `json:"namespace"`
	UID             string            `json:"uid"`
	Labels          map[string]string `json:"labels"`
	OwnerReferences []struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Name       string `json:"name"`
		UID        string `json:"uid"`
		Controller bool   `json:"controller"`
	} `json:"ownerReferences"`
}

// object returns what is kept of the metadata.
func (m *metadata) object(kind string, r *reporter) Object {
	shed := 0
	o := Object{Kind: kind, Name: text(m.Name), UID: strings.Clone(m.UID[:min(len(m.UID), maxName)]), Labels: labelsOf(m.Labels, &shed)}
	if shed > 0 {
		r.shed.Add(uint64(shed))
		r.once("labels of "+kind, kind+" "+m.Namespace+"/"+m.Name+" has labels that are too long or too many; those are left out")
	}
	return o
}

// controller returns the owner that manages the object.
func (m *metadata) controller() reference {
	for _, o := range m.OwnerReferences {
		if o.Controller && o.UID != "" {
			return reference{Kind: text(o.Kind), Namespace: text(m.Namespace), Name: text(o.Name), UID: text(o.UID), Version: text(o.APIVersion)}
		}
	}
	return reference{}
}

// mirror is the annotation that names the hash of a static pod.
const mirror = "kubernetes.io/config.hash"

// readPod reads a pod. Names of what a pod shares with many others are kept once.
func (a *API) readPod(raw []byte) (*entry, error) {
	var p struct {
		Metadata struct {
			metadata
			Annotations map[string]string `json:"annotations"`
		} `json:"metadata"`
		Spec struct {
			NodeName       string      `json:"nodeName"`
			ServiceAccount string      `json:"serviceAccountName"`
			Containers     []container `json:"containers"`
			Init           []container `json:"initContainers"`
			Ephemeral      []container `json:"ephemeralContainers"`
		} `json:"spec"`
		Status struct {
			PodIP      string            `json:"podIP"`
			Containers []containerStatus `json:"containerStatuses"`
			Init       []containerStatus `json:"initContainerStatuses"`
			Ephemeral  []containerStatus `json:"ephemeralContainerStatuses"`
		} `json:"status"`
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, err
	}
	pod := &Pod{
		Object: p.Metadata.object("Pod", a.report), Node: text(p.Spec.NodeName), ServiceAccount: text(p.Spec.ServiceAccount),
		IP: strings.Clone(p.Status.PodIP[:min(len(p.Status.PodIP), maxName)]), Namespace: &Object{Kind: "Namespace", Name: text(p.Metadata.Namespace)},
		Hash: text(p.Metadata.Annotations[mirror]),
	}
	digests := map[string]string{}
	for _, s := range slices.Concat(p.Status.Containers, p.Status.Init, p.Status.Ephemeral) {
		digests[s.Name] = digest(s.ImageID)
	}
	for _, c := range slices.Concat(p.Spec.Containers, p.Spec.Init, p.Spec.Ephemeral) {
		if len(pod.Images) == maxImages {
			break
		}
		pod.Images = append(pod.Images, Image{Container: text(c.Name), Image: text(c.Image), Digest: text(digests[c.Name])})
	}
	pod.Images = slices.Clip(pod.Images)
	shed := len(p.Spec.Containers) + len(p.Spec.Init) + len(p.Spec.Ephemeral) - len(pod.Images)
	a.report.left(shed, "containers", "Pod", &p.Metadata.metadata)
	return &entry{pod: pod, owner: p.Metadata.controller()}, nil
}

type container struct {
	Name     string          `json:"name"`
	Image    string          `json:"image"`
	Security securityContext `json:"securityContext"`
}

type containerStatus struct {
	Name    string `json:"name"`
	ImageID string `json:"imageID"`
}

// digest finds the digest in the id of an image, which runtimes write as docker-pullable://name@sha256:… or sha256:….
func digest(id string) string {
	if _, after, ok := strings.Cut(id, "@"); ok {
		return after
	}
	if strings.HasPrefix(id, "sha256:") {
		return id
	}
	return ""
}

func (a *API) readService(raw []byte) (*service, error) {
	var s struct {
		Metadata metadata `json:"metadata"`
		Spec     struct {
			Selector map[string]string `json:"selector"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		return nil, err
	}
	shed := 0
	out := &service{Object: s.Metadata.object("Service", a.report), namespace: text(s.Metadata.Namespace), selector: labelsOf(s.Spec.Selector, &shed)}
	if shed > 0 { // A part of a selector would select too much.
		a.report.shed.Add(uint64(shed))
		out.selector = nil
	}
	return out, nil
}

// podStore takes the pods of the node over.
type podStore struct{ a *API }

func (s podStore) changed(uid string, e *entry) {
	a := s.a
	a.mu.Lock()
	defer a.mu.Unlock()
	a.keep(uid, e)
}

func (s podStore) removed(uid string) {
	a := s.a
	a.mu.Lock()
	defer a.mu.Unlock()
	a.drop(uid)
}

func (s podStore) replaced(all map[string]*entry) {
	a := s.a
	if len(all) == 0 { // Our own pod is one, unless we run beside Kubernetes.
		a.report.once("no pods", "Kubernetes knows of no pod on node "+a.node+": if that is wrong, nodeName has to be the name that kubectl get nodes shows")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for uid := range a.pods {
		if all[uid] == nil {
			a.drop(uid)
		}
	}
	for uid, e := range all {
		a.keep(uid, e)
	}
}

// keep takes a pod over and hands it on with all that is known of its surroundings.
func (a *API) keep(uid string, e *entry) {
	if e == nil || e.pod.Node != a.node { // not asked for
		return
	}
	if a.pods[uid] == nil && len(a.pods) >= maxPods {
		a.report.shed.Add(1)
		a.report.once("pods", "Kubernetes says that more than 65536 pods run on this node; further ones are left out")
		return
	}
	a.pods[uid] = e
	a.publish(uid, e)
}

func (a *API) drop(uid string) {
	if a.pods[uid] != nil {
		delete(a.pods, uid)
		a.put(uid, nil)
	}
}

// publish joins a pod with its owners, namespace and services.
func (a *API) publish(uid string, e *entry) {
	p := *e.pod
	p.Owners = a.owners.chain(e.owner)
	p.Namespace = a.owners.namespace(p.Namespace.Name)
	p.Services = a.servicesOf(&p)
	e.pod = &p
	a.put(uid, &p)
}

func (a *API) servicesOf(p *Pod) []*Object {
	var out []*Object
	for _, s := range a.services[p.Namespace.Name] {
		if s.selects(p) && len(out) < maxPerPod {
			out = append(out, &s.Object)
		}
	}
	slices.SortFunc(out, func(x, y *Object) int { return cmp.Compare(x.Name, y.Name) })
	return slices.Clip(out)
}

func (s *service) selects(p *Pod) bool {
	for _, l := range s.selector {
		if v, ok := p.Label(l.Key); !ok || v != l.Value {
			return false
		}
	}
	return len(s.selector) > 0
}

// serviceStore takes the services over.
type serviceStore struct{ a *API }

func (s serviceStore) changed(uid string, v *service) {
	a := s.a
	a.mu.Lock()
	defer a.mu.Unlock()
	if v == nil {
		return
	}
	old := a.services[v.namespace][uid]
	a.keepService(uid, v)
	if old == nil || !slices.Equal(old.selector, v.selector) || old.Name != v.Name || !slices.Equal(old.Labels, v.Labels) {
		a.republish(func(p *Pod) bool {
			return p.Namespace.Name == v.namespace && (v.selects(p) || old != nil && old.selects(p))
		})
	}
}

func (s serviceStore) removed(uid string) {
	a := s.a
	a.mu.Lock()
	defer a.mu.Unlock()
	for ns, m := range a.services {
		if old := m[uid]; old != nil {
			delete(m, uid)
			a.n--
			a.republish(func(p *Pod) bool { return p.Namespace.Name == ns && old.selects(p) })
		}
	}
}

func (s serviceStore) replaced(all map[string]*service) {
	a := s.a
	a.mu.Lock()
	defer a.mu.Unlock()
	a.services, a.n = map[string]map[string]*service{}, 0
	for uid, v := range all {
		if v != nil {
			a.keepService(uid, v)
		}
	}
	a.republish(func(*Pod) bool { return true })
}

func (a *API) keepService(uid string, v *service) {
	m := a.services[v.namespace]
	if m == nil {
		m = map[string]*service{}
		a.services[v.namespace] = m
	}
	if m[uid] == nil {
		if a.n >= maxServices {
			a.report.shed.Add(1)
			return
		}
		a.n++
	}
	m[uid] = v
}

// republish hands the pods on whose surroundings changed.
func (a *API) republish(which func(*Pod) bool) {
	for uid, e := range a.pods {
		if which(e.pod) {
			a.publish(uid, e)
		}
	}
}

// ownerKnown hands the pods on that an owner or namespace belongs to, of which more is known now.
func (a *API) ownerKnown(r reference) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for uid, e := range a.pods {
		if r.Kind == "Namespace" && e.pod.Namespace.Name == r.Name || slices.ContainsFunc(e.pod.Owners, func(o *Object) bool { return o.UID == r.UID }) {
			a.publish(uid, e)
		}
	}
}

// referenced returns what the pods refer to, so that the rest can be forgotten.
func (a *API) referenced() map[string]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := map[string]bool{}
	for _, e := range a.pods {
		out[namespaceKey(e.pod.Namespace.Name)] = true
		for _, o := range e.pod.Owners {
			out[o.UID] = true
		}
	}
	return out
}
