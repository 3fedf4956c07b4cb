package kube

import (
	"sync"
	"sync/atomic"
)

// Mailbox holds the pods that changed until the loop takes them over: the latest record of each, so that it never has more
// than there are pods.
type Mailbox struct {
	waiting atomic.Bool
	mu      sync.Mutex
	changed map[string]*Pod
}

// Waiting says whether there is something to take. It costs one load.
func (m *Mailbox) Waiting() bool { return m.waiting.Load() }

// Take calls f with each pod that changed since the last call; p is nil for one that is gone.
func (m *Mailbox) Take(f func(uid string, p *Pod)) {
	m.mu.Lock()
	changed := m.changed
	m.changed = nil
	m.waiting.Store(false)
	m.mu.Unlock()
	for uid, p := range changed {
		f(uid, p)
	}
}

func (m *Mailbox) put(uid string, p *Pod) {
	m.mu.Lock()
	if m.changed == nil {
		m.changed = map[string]*Pod{}
	}
	m.changed[uid] = p
	m.waiting.Store(true)
	m.mu.Unlock()
}
