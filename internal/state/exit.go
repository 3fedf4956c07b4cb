package state

import "github.com/saker-sec/saker/internal/event"

// onExit marks the thread as dead. It stays until the next event, and a main thread until the last thread of its process
// is gone.
func (s *State) onExit(c *Ctx, e *event.Event) {
	t := c.Thread
	if t == nil {
		return
	}
	t.kill()
	s.exited, s.late = t.TID, true
	if t.firstChild == nil {
		return
	}
	if r, ok := e.Int(4); ok {
		t.ReaperTID = r
	} else if e.NumParams() <= 4 {
		t.ReaperTID = -1
	}
}

// removeThread takes a thread out of the state: its children go to the reaper, and with the last thread of a process its
// main thread goes too.
func (s *State) removeThread(tid int64) {
	t := s.threads.get(tid)
	if t == nil {
		s.stats.FailedThreadLookups++
		return
	}
	if t.Invalid() || t.group == nil {
		s.unlink(t)
		return
	}
	t.kill()
	s.reparent(t)
	g := t.group
	s.stats.RemovedThreads++
	if !t.IsMain() {
		left := g.alive
		m := t.Main()
		s.unlink(t)
		if left == 0 && m != nil {
			s.reparent(m)
			s.endProcess(m)
		}
		return
	}
	if g.alive == 0 {
		for x := g.first; x != nil; {
			next := x.nextInGroup
			if x != t {
				s.unlink(x)
			}
			x = next
		}
		s.endProcess(t)
	}
}

// endProcess removes the main thread of a process; with the init of a container's pid namespace the container is gone.
func (s *State) endProcess(m *Thread) {
	if m.VPID == 1 && m.ContainerID != "" {
		m.Cgroups.asked = 0
		s.ForgetContainer(m.ContainerID)
	}
	s.unlink(m)
}

// reparent gives the children of t to the reaper that the kernel named, else to the one that it would choose.
func (s *State) reparent(t *Thread) {
	if t.firstChild == nil {
		return
	}
	var r *Thread
	if t.ReaperTID > 0 {
		r = s.find(t.ReaperTID)
	}
	if r == nil || r.Invalid() {
		r = s.reaperOf(t)
	}
	if r == t {
		r = nil
	}
	if r != nil {
		t.ReaperTID = r.TID
		if r.PID != t.PID && r.group != nil {
			r.group.reaper = true
		}
	}
	for c := t.firstChild; c != nil; c = t.firstChild {
		if r == nil || r == c {
			c.disown()
			c.PTID = 0
			continue
		}
		r.adopt(c)
	}
}

// reaperOf finds who gets t's children, as the kernel's find_new_reaper (kernel/exit.c) does: a living thread of the
// same process, the closest ancestor that declared itself reaper, or the init of the pid namespace.
func (s *State) reaperOf(t *Thread) *Thread {
	if r := t.group.anyAlive(t); r != nil {
		return r
	}
	p := s.threads.get(t.PTID)
	for i := 0; p != nil && i < MaxAncestry; i++ {
		if p == t || p.InPidNS() != t.InPidNS() {
			return nil
		}
		if p.group != nil && p.group.reaper {
			if r := p.group.anyAlive(nil); r != nil {
				return r
			}
		}
		p = s.threads.get(p.PTID)
	}
	return nil
}

// anyAlive returns the first living thread of the process other than not.
func (g *group) anyAlive(not *Thread) *Thread {
	if g == nil || g.alive == 0 {
		return nil
	}
	for x := g.first; x != nil; x = x.nextInGroup {
		if !x.dead && x != not {
			return x
		}
	}
	return nil
}

// exitedSet remembers which children exited lately, so that a clone event that arrives after its child's whole life does
// not bring the child back. It holds 16384 entries in sets of four; the oldest of a set makes room.
type exitedSet struct{ slots [][4]exitedChild }

type exitedChild struct {
	child, parent int64
	time          uint64
}

// exitedFor is how long (ns) an exit is remembered.
const exitedFor = 2e9

func (x *exitedSet) init() { x.slots = make([][4]exitedChild, 4096) }

func (x *exitedSet) set(child, parent int64) *[4]exitedChild {
	h := (uint64(child)*0x9e3779b97f4a7c15 ^ uint64(parent)) * 0xff51afd7ed558ccd
	return &x.slots[h>>52]
}

func (x *exitedSet) add(child, parent int64, now uint64) {
	set := x.set(child, parent)
	oldest := 0
	for i := range set {
		if set[i].time < set[oldest].time {
			oldest = i
		}
	}
	set[oldest] = exitedChild{child, parent, now}
}

func (x *exitedSet) has(child, parent int64, now uint64) bool {
	for _, c := range x.set(child, parent) {
		if c.child == child && c.parent == parent && c.time != 0 && now >= c.time && now-c.time < exitedFor {
			return true
		}
	}
	return false
}
