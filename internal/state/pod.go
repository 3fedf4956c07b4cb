package state

import "github.com/saker-sec/saker/internal/kube"

// pods are what Kubernetes knows of pods: by UID, by the hash that stands for it in the groups of static pods, and by
// namespace/name, which has a slash and so is no UID.
type pods struct {
	of map[string]*kube.Pod
	// names are the keys of a pod beside its UID.
	names map[string][]string
	// recorded joins the events of captures; nil without such.
	recorded *kube.Collector
}

// recordPod handles the events by which Falco's plugin k8smeta tells of objects in captures.
func (s *State) recordPod(text []byte) {
	if s.pods.recorded == nil {
		s.pods.recorded = kube.NewRecorded()
	}
	if err := s.pods.recorded.ApplyJSON(text); err != nil {
		s.stats.Undecodable++
		return
	}
	s.pods.recorded.Take(s.LearnPod)
}

// LearnPod takes over what Kubernetes tells of a pod; p is nil when it is gone.
func (s *State) LearnPod(uid string, p *kube.Pod) {
	x := &s.pods
	if x.of == nil {
		x.of, x.names = map[string]*kube.Pod{}, map[string][]string{}
	}
	for _, name := range x.names[uid] {
		if old := x.of[name]; old != nil && old.UID == uid {
			delete(x.of, name)
		}
	}
	if p == nil {
		delete(x.of, uid)
		delete(x.names, uid)
		return
	}
	names := make([]string, 0, 2)
	names = append(names, p.Namespace.Name+"/"+p.Name)
	if p.Hash != "" {
		names = append(names, p.Hash)
	}
	for _, name := range names {
		x.of[name] = p
	}
	x.of[uid], x.names[uid] = p, names
}

// NumPods returns how many pods are known.
func (s *State) NumPods() int { return len(s.pods.names) }

// Pod returns what Kubernetes knows of the pod of the event's container, nil if that is nothing. The control groups name the
// pod; where they do not, the container runtime may.
func (c *Ctx) Pod() *kube.Pod {
	k := c.Container()
	if k == nil || c.State.pods.of == nil {
		return nil
	}
	if k.Pod != "" {
		if p := c.State.pods.of[k.Pod]; p != nil {
			return p
		}
	}
	if k.Info == nil || k.Info.Pod.Name == "" && k.Info.Pod.UID == "" {
		return nil
	}
	if p := c.State.pods.of[k.Info.Pod.UID]; p != nil || k.Info.Pod.UID != "" && k.Pod == "" {
		return p
	}
	s := c.State
	s.scratch = append(append(append(s.scratch[:0], k.Info.Pod.Namespace...), '/'), k.Info.Pod.Name...)
	return s.pods.of[string(s.scratch)]
}
