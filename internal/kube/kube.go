// Package kube tells what Kubernetes knows of the pods of this machine, and what changes in the cluster.
//
// Watch follows the pods of one node: from the API server (NewAPI), with reflectors that keep only what Pod holds, or from an
// existing k8s-metacollector (NewCollector). OpenChanges follows the workloads, bindings and the like of the whole cluster and
// describes what changes. Both run beside the loop that reads events and hand their answers over when the loop asks
// (Mailbox.Take, Changes.Take); records are immutable and may be kept.
//
// Nothing that a server says is trusted: objects, labels and lists are bounded, what cannot be read is counted and reported
// once, and a server that is not there is asked again for ever.
package kube

import (
	"slices"
	"strings"
	"unique"
)

// Label is one label of an object.
type Label struct{ Key, Value string }

// Object is what is known of an object of the cluster.
type Object struct {
	Kind, Name, UID string
	Labels          []Label // by key; nil while they are not known
}

// Label returns the value of a label.
func (o *Object) Label(key string) (string, bool) {
	i, ok := slices.BinarySearchFunc(o.Labels, key, func(l Label, key string) int { return strings.Compare(l.Key, key) })
	if !ok {
		return "", false
	}
	return o.Labels[i].Value, true
}

// Image is what a container of a pod runs.
type Image struct {
	Container string
	Image     string // as the pod names it
	Digest    string // sha256:…, "" until the container has started
}

// Pod is what is known of a pod. It does not change; news come as another Pod.
type Pod struct {
	Object
	// Hash stands in place of the UID in the control groups of a static pod, which the kubelet starts without asking the API
	// server; "" for other pods.
	Hash           string
	IP             string
	Node           string
	ServiceAccount string
	Namespace      *Object   // never nil; without UID and labels while nothing more is known
	Owners         []*Object // who made it, the direct one first: a replica set, then its deployment
	Services       []*Object // that select it, by name
	Images         []Image
}

// Owner returns the owner of a kind, nil if there is none.
func (p *Pod) Owner(kind string) *Object {
	for _, o := range p.Owners {
		if o.Kind == kind {
			return o
		}
	}
	return nil
}

// Workload returns the outermost owner that is known, nil for a pod that nothing else made.
func (p *Pod) Workload() *Object {
	if len(p.Owners) == 0 {
		return nil
	}
	return p.Owners[len(p.Owners)-1]
}

// Bounds of what is kept. Kubernetes allows names of 253 bytes, label keys of 317 and values of 63; what is longer is none.
const (
	maxName     = 512
	maxLabel    = 1024 // bytes of key and value
	maxLabels   = 512  // of one object
	maxImages   = 256  // containers of one pod
	maxOwners   = 8    // steps from a pod to its workload
	maxPods     = 1 << 16
	maxServices = 1 << 17
	maxPerPod   = 128 // services of one pod
)

// text returns the one copy of a text that many objects have in common, cut to what a name may have.
func text(s string) string {
	if len(s) > maxName {
		s = strings.ToValidUTF8(s[:maxName], "")
	}
	return unique.Make(s).Value()
}

// labelsOf returns the labels by key. Those that no API server allows are left out and counted.
func labelsOf(m map[string]string, shed *int) []Label {
	out := make([]Label, 0, min(len(m), maxLabels))
	for k, v := range m {
		if len(k)+len(v) > maxLabel || len(out) == maxLabels {
			*shed++
			continue
		}
		out = append(out, Label{unique.Make(k).Value(), unique.Make(v).Value()})
	}
	slices.SortFunc(out, func(a, b Label) int { return strings.Compare(a.Key, b.Key) })
	return slices.Clip(out)
}
