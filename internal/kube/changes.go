package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
)

// changeKind is a kind of objects whose changes can be followed.
type changeKind struct{ Kind, Version, path string }

// changeKinds are the kinds that can be followed. Of what a controller made only changes in place are told: that it appears and
// goes away is the controller's doing, whose object tells of it.
var changeKinds = []changeKind{
	{"Deployment", "apps/v1", "/apis/apps/v1/deployments"},
	{"DaemonSet", "apps/v1", "/apis/apps/v1/daemonsets"},
	{"StatefulSet", "apps/v1", "/apis/apps/v1/statefulsets"},
	{"ReplicaSet", "apps/v1", "/apis/apps/v1/replicasets"},
	{"ReplicationController", "v1", "/api/v1/replicationcontrollers"},
	{"CronJob", "batch/v1", "/apis/batch/v1/cronjobs"},
	{"Job", "batch/v1", "/apis/batch/v1/jobs"},
	{"Pod", "v1", "/api/v1/pods"},
	{"Service", "v1", "/api/v1/services"},
	{"Namespace", "v1", "/api/v1/namespaces"},
	{"ServiceAccount", "v1", "/api/v1/serviceaccounts"},
	{"Role", "rbac.authorization.k8s.io/v1", "/apis/rbac.authorization.k8s.io/v1/roles"},
	{"ClusterRole", "rbac.authorization.k8s.io/v1", "/apis/rbac.authorization.k8s.io/v1/clusterroles"},
	{"RoleBinding", "rbac.authorization.k8s.io/v1", "/apis/rbac.authorization.k8s.io/v1/rolebindings"},
	{"ClusterRoleBinding", "rbac.authorization.k8s.io/v1", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"},
	{"MutatingWebhookConfiguration", "admissionregistration.k8s.io/v1", "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"},
	{"ValidatingWebhookConfiguration", "admissionregistration.k8s.io/v1", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"},
}

// Bounds of what is kept of the cluster, and of the changes that wait for the loop.
const (
	maxKnown   = 1 << 18
	maxWaiting = 4096
)

// Changes follows the objects of a cluster and tells what changes. What is there when it begins is no change; what changed
// while the watch was interrupted is found when it works again.
type Changes struct {
	client *Client
	kinds  []changeKind
	report *reporter
	seed   maphash.Seed
	known  atomic.Int64 // objects

	waiting atomic.Bool
	dropped atomic.Uint64
	mu      sync.Mutex
	queue   [][]byte
}

// OpenChanges returns what follows the named kinds, or all that can be followed if kinds is empty, once Run runs.
func OpenChanges(client *Client, kinds []string, log func(string)) (*Changes, error) {
	c := &Changes{client: client, kinds: changeKinds, report: newReporter(log), seed: maphash.MakeSeed()}
	if len(kinds) > 0 {
		c.kinds = nil
	}
	for _, name := range kinds {
		i := slices.IndexFunc(changeKinds, func(k changeKind) bool { return k.Kind == name })
		if i < 0 {
			return nil, fmt.Errorf("changes of kind %q cannot be followed; possible are %s", name, kindsText())
		}
		c.kinds = append(c.kinds, changeKinds[i])
	}
	return c, nil
}

// Run follows the objects until ctx is done.
func (c *Changes) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, k := range c.kinds {
		wg.Go(func() {
			follow(ctx, &resource[*content]{
				client: c.client, what: "watching objects of kind " + k.Kind, path: k.path, report: c.report,
				read: func(raw []byte) (*content, error) { return c.readContent(k.Kind, raw) },
			}, &changeStore{c: c, kind: k, all: map[string]*content{}})
		})
	}
	wg.Wait()
}

// Waiting says whether there is something to take. It costs one load.
func (c *Changes) Waiting() bool { return c.waiting.Load() }

// Take returns the payloads of the changes since the last call, in order.
func (c *Changes) Take() [][]byte {
	c.mu.Lock()
	defer c.mu.Unlock()
	queue := c.queue
	c.queue = nil
	c.waiting.Store(false)
	return queue
}

// Dropped returns how many changes were lost because the loop did not take them.
func (c *Changes) Dropped() uint64 { return c.dropped.Load() }

// Stats returns the counters; Pods are objects of all kinds.
func (c *Changes) Stats() Stats {
	var s Stats
	c.report.fill(&s)
	s.Owners = uint64(max(c.known.Load(), 0))
	return s
}

func (c *Changes) tell(d *Change) {
	payload, err := json.Marshal(d)
	if err != nil {
		c.report.unreadable.Add(1)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) >= maxWaiting {
		c.dropped.Add(1)
		c.report.once("changes", "more than 4096 changes of the cluster wait to be looked at; further ones are dropped")
		return
	}
	c.queue = append(c.queue, payload)
	c.waiting.Store(true)
}

// changeStore compares the objects of one kind. The reflector's goroutine alone uses it.
type changeStore struct {
	c      *Changes
	kind   changeKind
	all    map[string]*content
	listed bool
}

func (s *changeStore) changed(uid string, now *content) { s.compare(uid, now, false) }

// compare tells the change of an object, if it is one.
func (s *changeStore) compare(uid string, now *content, missed bool) {
	if now == nil {
		return
	}
	defer func() { now.user = "" }() // it is told with the change, and does not stay with the object
	old := s.all[uid]
	if !s.keep(uid, now) || old == nil && now.managed {
		return
	}
	if old != nil && old.managed && !now.managed {
		old = nil // Its controller let go of it: it is told of for the first time.
	}
	if old != nil && old.sum == now.sum {
		return
	}
	s.c.tell(describe(s.kind, uid, old, now, missed))
}

// keep remembers an object.
func (s *changeStore) keep(uid string, now *content) bool {
	if s.all[uid] == nil {
		if s.c.known.Load() >= maxKnown {
			s.c.report.shed.Add(1)
			s.c.report.once("objects", "the cluster has more than 262144 objects; changes of further ones are not followed")
			return false
		}
		s.c.known.Add(1)
	}
	s.all[uid] = now
	return true
}

func (s *changeStore) removed(uid string) { s.remove(uid, false) }

func (s *changeStore) remove(uid string, missed bool) {
	old := s.all[uid]
	if old == nil {
		return
	}
	delete(s.all, uid)
	s.c.known.Add(-1)
	if old.managed {
		return
	}
	s.c.tell(describe(s.kind, uid, old, nil, missed))
}

func (s *changeStore) replaced(all map[string]*content) {
	if !s.listed {
		s.listed = true
		for uid, now := range all {
			if now != nil {
				now.user = ""
				s.keep(uid, now)
			}
		}
		return
	}
	for uid := range s.all {
		if all[uid] == nil {
			s.remove(uid, true)
		}
	}
	for uid, now := range all {
		s.compare(uid, now, true)
	}
}
