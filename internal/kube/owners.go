package kube

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// owned are the kinds that own pods, and where the API has them.
var owned = map[string]string{
	"v1/ReplicationController": "/api/v1/namespaces/%s/replicationcontrollers/%s",
	"apps/v1/ReplicaSet":       "/apis/apps/v1/namespaces/%s/replicasets/%s",
	"apps/v1/Deployment":       "/apis/apps/v1/namespaces/%s/deployments/%s",
	"apps/v1/DaemonSet":        "/apis/apps/v1/namespaces/%s/daemonsets/%s",
	"apps/v1/StatefulSet":      "/apis/apps/v1/namespaces/%s/statefulsets/%s",
	"batch/v1/Job":             "/apis/batch/v1/namespaces/%s/jobs/%s",
	"batch/v1/CronJob":         "/apis/batch/v1/namespaces/%s/cronjobs/%s",
}

// How long what was looked up counts, and how long a look-up that failed is not repeated.
const (
	fresh      = 10 * time.Minute
	retryFirst = 5 * time.Second
	retryMost  = 5 * time.Minute
	lookupTime = 10 * time.Second
	sweepEvery = 5 * time.Second
)

// lookups asks for the metadata of owners and namespaces of pods, which API servers cannot list by node. One goroutine asks,
// in order; what nothing refers to any more is forgotten.
type lookups struct {
	client *Client
	report *reporter
	known  func(reference) // called without the lock when more is known of something
	wake   chan struct{}

	mu    sync.Mutex
	all   map[string]*lookup // by UID, namespaces by namespaceKey
	queue []*lookup
}

// lookup is an owner or a namespace.
type lookup struct {
	ref    reference
	object *Object   // never nil
	owner  reference // of the object itself
	next   time.Time // when to ask again
	wait   time.Duration
	queued bool
}

func (l *lookups) init(c *Client, r *reporter, known func(reference)) {
	l.client, l.report, l.known, l.wake, l.all = c, r, known, make(chan struct{}, 1), map[string]*lookup{}
}

func namespaceKey(name string) string { return "namespace/" + name }

func (l *lookups) len() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return uint64(len(l.all))
}

// want returns what is known of a reference and has it looked up if it is new.
func (l *lookups) want(key string, r reference) *lookup {
	o := l.all[key]
	if o == nil {
		o = &lookup{ref: r, object: &Object{Kind: r.Kind, Name: r.Name, UID: r.UID}}
		l.all[key] = o
		l.enqueue(o)
	}
	return o
}

func (l *lookups) enqueue(o *lookup) {
	if o.queued || o.path() == "" {
		return
	}
	o.queued = true
	l.queue = append(l.queue, o)
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// chain returns the owners from a reference outwards.
func (l *lookups) chain(r reference) []*Object {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*Object
	for r.UID != "" && len(out) < maxOwners {
		o := l.want(r.UID, r)
		out = append(out, o.object)
		r = o.owner
	}
	return out
}

// namespace returns what is known of a namespace.
func (l *lookups) namespace(name string) *Object {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.want(namespaceKey(name), reference{Kind: "Namespace", Name: name, Version: "v1"}).object
}

// path returns where the API has the object, "" for what is not looked up: its name and UID are all there is.
func (o *lookup) path() string {
	if !named(o.ref.Name) {
		return ""
	}
	if o.ref.Kind == "Namespace" {
		return "/api/v1/namespaces/" + o.ref.Name
	}
	format := owned[o.ref.Version+"/"+o.ref.Kind]
	if format == "" || !named(o.ref.Namespace) {
		return ""
	}
	return fmt.Sprintf(format, o.ref.Namespace, o.ref.Name)
}

// named says whether a name is one that Kubernetes allows, so that the references of a lying server do not lead elsewhere.
func named(name string) bool {
	if name == "" || name[0] == '.' {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.') {
			return false
		}
	}
	return true
}

// run asks until ctx is done. referenced says what is still in use.
func (l *lookups) run(ctx context.Context, referenced func() map[string]bool) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			l.sweep(referenced(), now)
		case <-l.wake:
		}
		for o := l.pop(); o != nil && ctx.Err() == nil; o = l.pop() {
			l.ask(ctx, o)
		}
	}
}

func (l *lookups) pop() *lookup {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		l.queue = nil
		return nil
	}
	o := l.queue[0]
	l.queue = l.queue[1:]
	o.queued = false
	return o
}

// sweep forgets what is not in use and asks anew for what is old.
func (l *lookups) sweep(used map[string]bool, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, o := range l.all {
		switch {
		case !used[key] && !o.queued && (!o.next.IsZero() || o.path() == ""):
			delete(l.all, key)
		case !o.next.IsZero() && now.After(o.next):
			l.enqueue(o)
		}
	}
}

// ask looks one object up.
func (l *lookups) ask(ctx context.Context, o *lookup) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, lookupTime)
	defer cancel()
	l.report.lookups.Add(1)
	what := "looking up objects of kind " + o.ref.Kind
	m, err := l.get(ctx, o.path())
	if err != nil || o.ref.UID != "" && m.UID != o.ref.UID {
		l.report.lookupsFailed.Add(1)
		l.mu.Lock()
		o.wait = min(max(2*o.wait, retryFirst), retryMost)
		o.next = time.Now().Add(o.wait)
		l.mu.Unlock()
		if err != nil && !apierrors.IsNotFound(err) {
			l.report.failed(what, began, err)
		}
		return
	}
	l.report.worked(what)
	object, owner := m.object(o.ref.Kind, l.report), m.controller()
	l.mu.Lock()
	o.wait, o.next = 0, time.Now().Add(fresh)
	same := o.owner == owner && o.object.UID == object.UID && o.object.Name == object.Name && equalLabels(o.object.Labels, object.Labels)
	if !same {
		o.object, o.owner = &object, owner
	}
	l.mu.Unlock()
	if !same {
		l.known(o.ref)
	}
}

func equalLabels(a, b []Label) bool {
	if (a == nil) != (b == nil) || len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// get asks for the metadata of an object.
func (l *lookups) get(ctx context.Context, path string) (*metadata, error) {
	body, err := l.client.rest.Get().AbsPath(path).
		SetHeader("Accept", "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json").Stream(ctx)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	var o struct {
		Metadata metadata `json:"metadata"`
	}
	if err := newValues(body).decode(&o); err != nil {
		return nil, err
	}
	return &o.Metadata, nil
}
