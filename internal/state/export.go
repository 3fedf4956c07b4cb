package state

import (
	"cmp"
	"maps"
	"slices"

	"github.com/saker-sec/saker/internal/event"
)

// Snapshot returns what is known now, in the form that a capture file begins with (scap-format.md §2 to §6): Load of it makes
// a state that the next events mean the same to. What the last event ended (the descriptor of a close, the thread of an
// exit) is still in it, so that it fits in front of that event. Threads of which nothing is known are left out: they are
// made up again when an event names them. The users of containers have no place in it; Accounts gives them.
//
// Its strings lie in the state: it is valid until the next Apply. Its cost is that of copying about 300 bytes per thread and
// 120 per descriptor.
func (s *State) Snapshot() *event.Snapshot {
	threads := make([]*Thread, 0, s.threads.n)
	s.EachThread(func(t *Thread) bool {
		if !t.Unknown {
			threads = append(threads, t)
		}
		return true
	})
	slices.SortFunc(threads, func(a, b *Thread) int { return cmp.Compare(a.TID, b.TID) })
	x := exporter{
		fds:     make([]event.Descriptor, 0, s.numFDs),
		listens: make(map[uint16]struct{}),
		cgroups: make(map[*Cgroups][]string),
	}
	for _, t := range threads {
		t.fds.Each(x.listener)
	}
	snap := &event.Snapshot{Machine: s.machine, Processes: make([]event.Process, len(threads))}
	for i, t := range threads {
		x.process(t, &snap.Processes[i])
	}
	snap.Interfaces = slices.Concat(s.ifaces.v4, s.ifaces.v6)
	host := s.accounts.of[""]
	snap.Users, snap.Groups = host.sortedUsers(), host.sortedGroups()
	return snap
}

// SnapshotBetween is like Snapshot without what the last event ended: it fits in front of the next event. It carries that
// end out, so what Apply returned last is no longer valid.
func (s *State) SnapshotBetween() *event.Snapshot {
	if s.late {
		s.settle(s.now)
	}
	return s.Snapshot()
}

// Accounts calls emit with a USER_ADDED or GROUP_ADDED event for every user and group known, those of containers among
// them. The events have the given time (ns since the epoch) and are marked event.StateOnly. Each is valid until emit
// returns.
func (s *State) Accounts(time uint64, emit func(*event.Event)) {
	var enc event.Encoder
	send := func() {
		e := event.Event{Dump: event.StateOnly}
		if raw := enc.Bytes(); raw != nil && e.Decode(raw) == nil {
			emit(&e)
		}
	}
	for _, container := range slices.Sorted(maps.Keys(s.accounts.of)) {
		list := s.accounts.of[container]
		for _, u := range list.sortedUsers() {
			enc.Begin(event.UserAddedE, time, -1)
			enc.Uint32(u.UID)
			enc.Uint32(u.GID)
			for _, text := range []string{u.Name, u.Home, u.Shell, container} {
				enc.Text(text)
			}
			send()
		}
		for _, g := range list.sortedGroups() {
			enc.Begin(event.GroupAddedE, time, -1)
			enc.Uint32(g.GID)
			enc.Text(g.Name)
			enc.Text(container)
			send()
		}
	}
}

// Containers calls emit with an event for every container that a runtime told of, as Falco's container plugin puts them into
// captures. The events have the given time (ns since the epoch) and are marked event.StateOnly. Each is valid until emit
// returns.
func (s *State) Containers(time uint64, emit func(*event.Event)) {
	var enc event.Encoder
	for _, key := range slices.Sorted(maps.Keys(s.containers.of)) {
		c := s.containers.of[key]
		if c.Info == nil || c.plain {
			continue // the control groups tell
		}
		text, err := c.Info.JSON()
		if err != nil {
			s.stats.Undecodable++
			continue
		}
		enc.Begin(event.AsynceventE, time, -1)
		enc.Uint32(0)
		enc.Text("container")
		enc.Raw(append(text, 0))
		e := event.Event{Dump: event.StateOnly}
		if raw := enc.Bytes(); raw != nil && e.Decode(raw) == nil {
			emit(&e)
		}
	}
}

// Entered calls emit with the enter events of the calls that are under way, without which their exit events may lack a path
// or address; and unless between is set, with that of the last applied event. The events are marked event.StateOnly. Each
// is valid until emit returns.
func (s *State) Entered(between bool, emit func(*event.Event)) {
	e := event.Event{Dump: event.StateOnly}
	s.EachThread(func(t *Thread) bool {
		if t.enter != nil && e.Decode(t.enter) == nil {
			emit(&e)
		}
		return true
	})
	last := s.ctx.Event
	if between || last == nil || s.enteredAt != last.Time || s.enter.TID != last.TID || s.ctx.Thread == nil || s.ctx.Thread.enter != nil {
		return
	}
	if e.Decode(s.enter.Raw()) == nil {
		emit(&e)
	}
}

func (l *accountList) sortedUsers() []event.User {
	return slices.SortedFunc(maps.Values(l.users), func(a, b event.User) int { return cmp.Compare(a.UID, b.UID) })
}

func (l *accountList) sortedGroups() []event.Group {
	return slices.SortedFunc(maps.Values(l.groups), func(a, b event.Group) int { return cmp.Compare(a.GID, b.GID) })
}

// exporter gathers what the processes of one snapshot share.
type exporter struct {
	fds     []event.Descriptor    // of all processes
	listens map[uint16]struct{}   // ports that somebody listens on
	cgroups map[*Cgroups][]string // lists of processes that have the same
}

// listener notes the port of a descriptor that listens.
func (x *exporter) listener(_ int64, d *FD) bool {
	if d.Type == event.FDIPv4Server || d.Type == event.FDIPv6Server {
		x.listens[d.Tuple.DPort] = struct{}{}
	}
	return true
}

// process is the reverse of enroll.
func (x *exporter) process(t *Thread, p *event.Process) {
	img := t.Image
	*p = event.Process{
		TID: t.TID, PID: t.PID, PTID: t.PTID, SID: t.SID, VPGID: t.VPGID, PGID: t.PGID, VTID: t.VTID, VPID: t.VPID,
		Comm: t.Comm, Exe: img.Exe, ExePath: img.ExePath, Args: img.Args, Env: img.Env,
		Cwd: t.Cwd(), Root: t.root, Cgroups: x.groups(t.Cgroups),
		FDLimit: t.FDLimit, Flags: t.Flags, UID: t.UID, GID: t.GID, LoginUID: t.LoginUID, TTY: t.TTY,
		VMSize: t.VMSize, VMRSS: t.VMRSS, VMSwap: t.VMSwap, PFMajor: t.PFMajor, PFMinor: t.PFMinor,
		PidnsInitStart: t.PidnsInitStart, CloneTime: t.CloneTime,
		CapInheritable: t.CapInheritable, CapPermitted: t.CapPermitted, CapEffective: t.CapEffective,
		ExeWritable: img.ExeWritable, ExeUpperLayer: img.ExeUpperLayer, ExeLowerLayer: img.ExeLowerLayer,
		ExeFromMemfd: img.ExeFromMemfd, ExeIno: img.ExeIno, ExeCtime: img.ExeCtime, ExeMtime: img.ExeMtime,
	}
	start := len(x.fds)
	t.fds.Each(x.descriptor)
	p.FDs = x.fds[start:len(x.fds):len(x.fds)]
}

// groups returns the list that regroup was given.
func (x *exporter) groups(g *Cgroups) []string {
	list, ok := x.cgroups[g]
	if !ok {
		list = splitNUL(nil, event.View(g.raw))
		x.cgroups[g] = list
	}
	return list
}

// descriptor is the reverse of enrollFD.
func (x *exporter) descriptor(fd int64, d *FD) bool {
	p := event.Descriptor{
		FD: fd, Type: d.Type, Name: d.Name, Ino: d.Ino, OpenFlags: d.OpenFlags, Dev: d.Dev, MountID: d.MountID,
		L4: d.Tuple.L4, SIP: d.Tuple.SIP, DIP: d.Tuple.DIP, SPort: d.Tuple.SPort, DPort: d.Tuple.DPort,
		UnixSource: d.UnixSource, UnixPeer: d.UnixPeer,
	}
	switch d.Type {
	case event.FDIPv4Server, event.FDIPv6Server:
		p.SIP, p.SPort = d.Tuple.DIP, d.Tuple.DPort
		p.DIP, p.DPort = [16]byte{}, 0
	case event.FDIPv4:
		// A capture has the owner's side first, and orient finds the server by the ports that are listened on.
		if _, found := x.listens[p.DPort]; found && d.Flags&FDRoleServer != 0 {
			p.SIP, p.DIP, p.SPort, p.DPort = p.DIP, p.SIP, p.DPort, p.SPort
		}
	}
	x.fds = append(x.fds, p)
	return true
}
