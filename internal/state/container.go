package state

import (
	"cmp"
	"slices"
	"strings"

	"github.com/saker-sec/saker/internal/container"
	"github.com/saker-sec/saker/internal/event"
)

// Container is a container that threads belong to. Its identity comes from the control groups, so that it is there with the
// first event; what a runtime knows of it may follow.
type Container struct {
	ID   string // as container.id has it
	Full string // as much of the whole id as is known
	Pod  string // uid of the Kubernetes pod as the control groups have it, "" if they name none

	// Info is what a runtime knows of it; nil while that is not there, or never will be.
	Info *container.Container
	// Pending says that a runtime was asked and that its answer is not there yet. It ends with the answer, or when the engine
	// has waited long enough.
	Pending bool
	// Missing says that every runtime was asked and answered that it has no such container.
	Missing bool
	// Waited is for the engine: when it began to wait for the answer, in ns of its clock; 0 before.
	Waited uint64

	key       string
	namespace string
	home      string // path of its control group
	threads   int
	asked     uint64 // event time of the last question
	idle      uint64 // event time from which on it has had no threads
	gone      bool   // a runtime said that it was removed
	plain     bool   // no runtime is asked: the groups tell all there is to know
}

// Bounds of the table of containers.
const (
	maxTable   = 16384
	keepFor    = 60e9 // ns that a container without threads is kept, so that late events find it
	askPause   = 10e9 // ns before a runtime is asked again for a container that it did not know
	sweepPause = 10e9 // ns between two looks for containers to forget
)

// containers is the table.
type containers struct {
	of        map[string]*Container // by key
	static    *Container
	news      uint64 // see ContainerNews
	nextSweep uint64
}

func (x *containers) init(cfg *Config) {
	x.of = map[string]*Container{}
	if c := cfg.Static; c != nil {
		x.static = &Container{ID: container.Short(c.ID), Full: c.ID, key: c.ID, Info: c, home: "/"}
	}
}

// joinGroups gives a new thread its groups; creator is who made it, nil if that is unknown.
func (s *State) joinGroups(t, creator *Thread, g *Cgroups) {
	if creator != nil && s.cfg.FollowAll {
		s.setContainer(t, creator.Container)
		t.Strayed = creator.Strayed
	}
	s.regroup(t, g)
}

// regroup gives t the groups it is in now. A thread of the host becomes one of the container that they name: that is how a
// runtime starts one. A thread of a container stays what it was started as, whatever groups it moves to: only the groups
// of a container inside of its own change what it belongs to. (In a replay the groups alone decide, as in Falco.)
func (s *State) regroup(t *Thread, g *Cgroups) {
	t.Cgroups = g
	id := &g.identity
	switch c := t.Container; {
	case c == nil || !s.cfg.FollowAll || c == s.containers.static:
		s.join(t, id)
	case id.key == c.key:
		t.Strayed = false
		s.ask(c, id)
	case id.key != "" && strings.HasPrefix(id.home, c.home) && len(id.home) > len(c.home) && id.home[len(c.home)] == '/':
		s.join(t, id)
	default:
		t.Strayed = true
	}
}

// join makes t a thread of a container, or of the host.
func (s *State) join(t *Thread, id *identity) {
	t.Strayed = false
	switch {
	case s.containers.static != nil:
		s.setContainer(t, s.containers.static)
	case id.key == "":
		s.setContainer(t, nil)
	default:
		if t.Container == nil || t.Container.key != id.key {
			s.setContainer(t, s.containerOf(id))
		}
		s.ask(t.Container, id)
	}
}

func (s *State) setContainer(t *Thread, c *Container) {
	s.leave(t)
	t.Container = c
	if c != nil {
		c.threads++
		t.ContainerID = c.ID
	}
}

// leave ends that t is one of its container's threads.
func (s *State) leave(t *Thread) {
	if c := t.Container; c != nil {
		if c.threads--; c.threads == 0 {
			c.idle = s.now
		}
	}
	t.Container, t.ContainerID = nil, ""
}

// containerOf returns the container with an identity; it is made when it is new.
func (s *State) containerOf(id *identity) *Container {
	c := s.containers.of[id.key]
	if c == nil {
		c = &Container{ID: id.shown(), key: id.key, namespace: id.namespace, idle: s.now}
		if id.kind != "" {
			c.plain, c.Info = true, &container.Container{ID: id.id, Type: id.kind, Name: c.ID}
		}
		s.addContainer(c)
	}
	if c.home == "" {
		c.Full, c.Pod, c.home = id.id, id.pod, id.home
	}
	return c
}

// addContainer puts a container into the table if there is room, or can be made.
func (s *State) addContainer(c *Container) {
	if len(s.containers.of) >= maxTable {
		s.sweepContainers(0)
	}
	if len(s.containers.of) >= maxTable {
		s.shedContainers()
	}
	if len(s.containers.of) >= maxTable {
		s.stats.ContainersShed++
		return
	}
	s.containers.of[c.key] = c
}

// shedContainers makes room in a table that is full of containers that runtimes told of: some of those without threads go, which have had none
// for the longest time. A runtime lists stopped containers too, and is asked again for one that comes back.
func (s *State) shedContainers() {
	var idle []*Container
	for _, c := range s.containers.of {
		if c.threads == 0 {
			idle = append(idle, c)
		}
	}
	slices.SortFunc(idle, func(a, b *Container) int { return cmp.Compare(a.idle, b.idle) })
	for _, c := range idle[:min(len(idle), maxTable/16)] {
		delete(s.containers.of, c.key)
		s.ForgetContainer(c.ID)
		s.stats.ContainersShed++
	}
}

// ask asks the runtimes for a container that nothing is known of.
func (s *State) ask(c *Container, id *identity) {
	if c.Info != nil && !c.Info.Partial || c.Pending || s.cfg.NeedContainer == nil || c.asked != 0 && s.now < c.asked+askPause {
		return
	}
	c.asked = max(s.now, 1)
	c.Pending = s.cfg.NeedContainer(container.Wanted{Key: c.key, ID: id.id, Namespace: id.namespace})
}

// ContainerNews changes with every LearnContainer.
func (s *State) ContainerNews() uint64 { return s.containers.news }

// LearnContainer takes over what a runtime tells.
func (s *State) LearnContainer(u container.Update) {
	s.containers.news++
	c := s.containers.of[u.Key]
	switch {
	case u.Container == nil && c == nil:
	case u.Gone:
		c.gone = true
		c.idle = max(c.idle, s.now)
	case u.Missing:
		c.Pending, c.Missing = false, !u.Failed && c.Info == nil
	case u.Container != nil:
		if c == nil {
			c = &Container{key: u.Key, ID: container.Short(u.Container.ID), namespace: u.Container.Namespace, idle: s.now}
			s.addContainer(c)
		}
		c.Pending, c.Missing, c.gone = c.Pending && u.Container.Partial, false, false
		if u.Container.Better(c.Info) {
			c.Info = u.Container
			c.Full = u.Container.ID
		}
	}
}

// Container returns a container by its id as it is shown, nil if none is known.
func (s *State) Container(id string) *Container { return s.containers.of[id] }

// sweepContainers forgets containers that have had no threads for so long (ns). Those that a runtime told of stay until it
// says that they are gone.
func (s *State) sweepContainers(age uint64) {
	s.containers.nextSweep = s.now + sweepPause
	for key, c := range s.containers.of {
		if c.threads == 0 && s.now >= c.idle+age && (c.gone || c.Info == nil || c.plain) {
			delete(s.containers.of, key)
			s.ForgetContainer(c.ID)
		}
	}
}

// onAsync handles the events by which Falco's container plugin tells of containers in captures.
func (s *State) onAsync(_ *Ctx, e *event.Event) {
	switch name, _ := e.Text(1); name {
	case "container":
		s.describe(e.Param(2))
	case "container_removed":
		if info, err := container.ParseJSON(trimNUL(e.Param(2))); err == nil {
			s.LearnContainer(container.Update{Key: container.Key("", info.ID), Gone: true})
		}
	case "k8s":
		s.recordPod(trimNUL(e.Param(2)))
	}
}

// onContainer handles the older event of the same meaning.
func (s *State) onContainer(_ *Ctx, e *event.Event) { s.describe(e.Param(0)) }

func (s *State) describe(text []byte) {
	info, err := container.ParseJSON(trimNUL(text))
	if err != nil {
		s.stats.Undecodable++
		return
	}
	s.LearnContainer(container.Update{Key: container.Key("", info.ID), Container: info})
}
