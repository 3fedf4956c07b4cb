package state

import (
	"strings"

	"github.com/saker-sec/saker/internal/event"
)

// Bounds of what is kept of users: containers, accounts of each, and of all together. A container writes its /etc/passwd itself.
const (
	maxContainers  = 4096
	maxAccounts    = 65536
	maxAllAccounts = 262144
)

// accounts are the users and groups of the host (container id "") and of containers.
type accounts struct {
	of map[string]*accountList
	n  int // in all lists
}

type accountList struct {
	users  map[uint32]event.User
	groups map[uint32]event.Group
}

func (a *accounts) init() { *a = accounts{of: map[string]*accountList{"": newAccountList()}} }

func newAccountList() *accountList {
	return &accountList{users: map[uint32]event.User{}, groups: map[uint32]event.Group{}}
}

// list returns the accounts of a container, creating the list; nil if there are too many containers.
func (a *accounts) list(container string) *accountList {
	l := a.of[container]
	if l == nil {
		if len(a.of) >= maxContainers {
			return nil
		}
		l = newAccountList()
		a.of[strings.Clone(container)] = l
	}
	return l
}

func (a *accounts) addUser(container string, u event.User) bool {
	l := a.list(container)
	return l != nil && putAccount(a, l.users, u.UID, u)
}

func (a *accounts) addGroup(container string, g event.Group) bool {
	l := a.list(container)
	return l != nil && putAccount(a, l.groups, g.GID, g)
}

// putAccount adds or replaces a user or group. It reports false where a limit forbids it.
func putAccount[T any](a *accounts, list map[uint32]T, id uint32, v T) bool {
	if _, known := list[id]; !known {
		if len(list) >= maxAccounts || a.n >= maxAllAccounts {
			return false
		}
		a.n++
	}
	list[id] = v
	return true
}

// dropAccount removes a user or group.
func dropAccount[T any](a *accounts, list map[uint32]T, id uint32) {
	if _, known := list[id]; known {
		delete(list, id)
		a.n--
	}
}

// User returns what is known of a user, as the container sees it ("" for the host). User 0 of the host is root even
// where nobody said so, without a shell.
func (s *State) User(uid uint32, container string) (event.User, bool) {
	if l := s.accounts.of[container]; l != nil {
		if u, ok := l.users[uid]; ok {
			return u, true
		}
	}
	if uid == 0 && container == "" {
		return event.User{Name: "root", Home: "/root", Shell: "<NA>"}, true
	}
	return event.User{}, false
}

// Group returns what is known of a group, as the container sees it ("" for the host). Group 0 of the host is root even
// where nobody said so.
func (s *State) Group(gid uint32, container string) (event.Group, bool) {
	if l := s.accounts.of[container]; l != nil {
		if g, ok := l.groups[gid]; ok {
			return g, true
		}
	}
	if gid == 0 && container == "" {
		return event.Group{Name: "root"}, true
	}
	return event.Group{}, false
}

// AddUser makes a user known: of the host, or of the container it was found in.
func (s *State) AddUser(container string, u event.User) {
	if !s.accounts.addUser(container, u) {
		s.stats.ContainersShed++
	}
}

// AddGroup makes a group known.
func (s *State) AddGroup(container string, g event.Group) {
	if !s.accounts.addGroup(container, g) {
		s.stats.ContainersShed++
	}
}

// askAgain is how long (ns) NeedAccounts is not called again for a container.
const askAgain = 10e9

// needAccounts asks for the users of t's container if its own user or group is not known.
func (s *State) needAccounts(t *Thread) {
	if s.cfg.NeedAccounts == nil || t.Invalid() {
		return
	}
	_, user := s.User(t.UID, t.ContainerID)
	_, group := s.Group(t.GID, t.ContainerID)
	if user && group {
		return
	}
	asked := &s.askedHost
	if t.ContainerID != "" {
		asked = &t.Cgroups.asked
	}
	if *asked != 0 && s.now < *asked+askAgain {
		return
	}
	*asked = max(s.now, 1)
	s.cfg.NeedAccounts(t.ContainerID, t.PID)
}

// ForgetContainer drops the users and groups of a container that is gone.
func (s *State) ForgetContainer(container string) {
	if l := s.accounts.of[container]; l != nil && container != "" {
		delete(s.accounts.of, container)
		s.accounts.n -= len(l.users) + len(l.groups)
	}
}

// onUser handles USER_ADDED and USER_DELETED.
func (s *State) onUser(_ *Ctx, e *event.Event) {
	uid, ok := e.Uint(0)
	if !ok {
		s.stats.Undecodable++
		return
	}
	container, _ := e.Text(5)
	if e.Code == event.UserDeletedE {
		if l := s.accounts.of[container]; l != nil {
			dropAccount(&s.accounts, l.users, uint32(uid))
		}
		return
	}
	name, _ := e.Text(2)
	if name != "" && (name[0] == '+' || name[0] == '-') {
		return // a line of /etc/passwd that includes others (NIS), no user
	}
	home, _ := e.Text(3)
	shell, _ := e.Text(4)
	u := event.User{UID: uint32(uid), GID: number[uint32](e, 1), Name: name, Home: home, Shell: shell}
	if old, ok := s.User(u.UID, container); ok && old == u {
		return
	}
	u.Name, u.Home, u.Shell = strings.Clone(name), strings.Clone(home), strings.Clone(shell)
	s.AddUser(container, u)
}

// onGroup handles GROUP_ADDED and GROUP_DELETED.
func (s *State) onGroup(_ *Ctx, e *event.Event) {
	gid, ok := e.Uint(0)
	if !ok {
		s.stats.Undecodable++
		return
	}
	container, _ := e.Text(2)
	if e.Code == event.GroupDeletedE {
		if l := s.accounts.of[container]; l != nil {
			dropAccount(&s.accounts, l.groups, uint32(gid))
		}
		return
	}
	name, _ := e.Text(1)
	if name != "" && (name[0] == '+' || name[0] == '-') {
		return
	}
	g := event.Group{GID: uint32(gid), Name: name}
	if old, ok := s.Group(g.GID, container); ok && old == g {
		return
	}
	g.Name = strings.Clone(name)
	s.AddGroup(container, g)
}
