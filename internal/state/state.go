// Package state holds what is known of the machine while events are read: threads, processes and their ancestry,
// descriptors, users, groups and containers. One goroutine owns it; there are no locks.
//
// Apply takes one event, changes the state by it, and returns what the event means: its thread and its descriptor. What
// an event ends (a descriptor by close, a thread by its exit) is removed when the next event comes, so that it can
// still be looked at together with the event (falco-core.md §6.1).
//
// It knows what Falco's state knows, field by field, except where Falco loses something:
//
//   - Paths are resolved up to MaxPath; Falco replaces those above 1024 bytes by a constant.
//   - A process may have 65536 descriptors with names (Config.MaxProcessFDs); Falco stops at 4096.
//   - CLONE_FILES and CLONE_FS share descriptors and working directory between processes until execve or unshare; Falco copies.
//   - Images link to the images that ran before them, so that lineage survives the exit of parents.
//   - bpf opens a descriptor only with the commands that do; Falco takes each result 0 for one.
//   - Ids of -1 leave the user or group as it is; memfd_create and pidfd_getfd that fail open nothing.
//   - A bound socket has its address as destination only; Falco lays it over the source and port of the tuple.
//   - With Config.FollowAll: prctl(PR_SET_NAME), setpgid, and connections in the background are followed.
//   - Ctx.Raced tells when user memory changed under a call.
//
// Threads, descriptors, descriptor tables and images come from free lists and go back to them. Pointers and strings
// that are reached through the state are therefore valid until the next Apply only. All tables are bounded; Stats
// counts what was shed.
package state

import (
	"github.com/saker-sec/saker/internal/container"
	"github.com/saker-sec/saker/internal/event"
)

// Proc looks up what the kernel knows of a thread that no event has introduced.
type Proc interface {
	// Thread returns the thread with its descriptors, or an error if there is none.
	Thread(tid int64) (*event.Process, error)
	// Alive says whether the thread exists.
	Alive(tid int64) bool
}

// DescriptorProc is what a Proc may offer beyond Thread: single things of a process. It is asked for descriptors that
// another process passed over a Unix socket, and for directories that nothing is known of.
type DescriptorProc interface {
	// Descriptor returns an open descriptor of the process, or an error if there is none.
	Descriptor(pid, fd int64) (event.Descriptor, error)
	// Cwd returns the working directory of the process, or an error if there is none.
	Cwd(pid int64) (string, error)
}

// Config sets up a State. The zero value is good for replaying a capture.
type Config struct {
	// MaxThreads bounds the thread table; 0 means 262144, as in Falco.
	MaxThreads int
	// MaxFDs bounds the descriptors kept of all processes together, those that a fork shares counted once; 0 means
	// 1048576. Half full, processes above 4096 descriptors get no more, and full, those above 1024, so that a process
	// that hoards them does not cost others their names. Four times the number is never passed. Here and in MaxProcessFDs a
	// descriptor with long names counts as several, one for each 256 bytes.
	MaxFDs int
	// MaxProcessFDs bounds the descriptors of one process; 0 means 65536 (Falco loses names from 4096 on).
	MaxProcessFDs int
	// MaxImageBytes bounds the memory for what ran before: where all images together take more, new ones forget what they
	// descend from. 0 means 256 MB.
	MaxImageBytes int
	// Proc is asked once for each unknown thread; nil when a capture is replayed.
	Proc Proc
	// ThreadTimeout is how long (ns) a thread has to be silent before Proc is asked whether it still exists; 0 means
	// 300 s.
	ThreadTimeout uint64
	// SelfPID is the process that may be added to a full table, so that it always knows itself.
	SelfPID int64
	// HostRoot is put before the "/proc/<pid>" names of pidfds, as Falco does; normally empty.
	HostRoot string
	// FollowAll makes prctl(PR_SET_NAME) change Thread.Comm, setpgid the process group, and a connect that fails or
	// goes on in the background the flags of its socket. Falco ignores all that, so that replays that must agree with
	// it leave this off; live sources turn it on (evasions.md row 8).
	FollowAll bool
	// NoContainerd says that containerd does not run on the machine: paths "/namespace/id", the layout of its plain containers,
	// are then some other supervisor's and no containers. Layouts with a 64-digit id always count.
	NoContainerd bool
	// HiddenKinds are kinds of containers that are not recognised, such as container.KindLXC.
	HiddenKinds []string
	// Static is the container that every process belongs to, whatever its control groups; nil for none.
	Static *container.Container
	// NeedContainer, if not nil, is called when a container shows up that nothing is known of. It must return at once and leave
	// the state alone; it reports whether an answer will come, through LearnContainer.
	NeedContainer func(container.Wanted) bool
	// NeedAccounts, if not nil, is called when a thread of a container ("" is the host) runs as a user that is not
	// known, at most every 10 s for a container. It must return at once and leave the state alone; the users found
	// later come back through AddUser and AddGroup, or as USER_ADDED and GROUP_ADDED events.
	NeedAccounts func(container string, pid int64)
}

// Stats count what happened to the state. The names of Falco's metrics are in falco-core.md §2.8.
type Stats struct {
	Threads, FDs                                uint64 // there are now
	CachedThreadLookups, NoncachedThreadLookups uint64
	FailedThreadLookups                         uint64
	AddedThreads, RemovedThreads                uint64
	DropsFullThreadTable                        uint64 // threads not added because the table was full
	NoncachedFDLookups                          uint64
	FailedFDLookups                             uint64
	AddedFDs, RemovedFDs                        uint64
	DropsFullFDTable                            uint64 // descriptors not added: process or machine limit, or number too high
	StoredEvents, StoreDrops                    uint64 // enter events kept for their exit, and not kept
	RetrievedEvents, RetrieveDrops              uint64 // found again at their exit, and not found
	ProcLookups, ProcLookupsFailed              uint64
	MadeUpThreads                               uint64 // threads of which nothing could be found
	Undecodable                                 uint64 // events whose parameters did not say what was needed
	TruncatedPaths                              uint64 // paths longer than MaxPath
	Purged                                      uint64 // threads removed because they were silent and gone
	ContainersShed                              uint64 // users and groups not kept because there were too many
	Containers                                  uint64 // there are now
	Raced                                       uint64 // calls whose arguments changed while they ran
}

// State is the state of one machine.
type State struct {
	cfg   Config
	ops   [event.NumCodes]op
	ctx   Ctx
	stats Stats

	threads    tidTable[Thread]
	groups     tidTable[group]
	lastTID    int64
	last       *Thread
	numFDs     int // in all tables
	fdWeight   int // of those in all tables, shared ones counted once
	imageBytes int // memory of all images
	passing    FD  // see own
	recent     exitedSet
	callers    callerRing
	machine    event.Machine
	ifaces     interfaces
	accounts   accounts
	containers containers
	pods       pods
	ports      map[uint16]struct{} // bound when the first event came: they tell servers from clients
	fdProc     DescriptorProc
	names      interner
	cgroups    cgroupCache
	scratch    []byte
	scratch2   []byte
	enter      event.Event
	enteredAt  uint64 // time of the last event that enter was looked up for
	free       pools
	fresh      *Thread // found in /proc or made up for the event being applied: it has not run anything before, that is known
	now        uint64  // time of the event being applied
	shown      uint64  // time of the last event that rules could see
	nextPurge  uint64
	purgePos   int
	askedHost  uint64 // when NeedAccounts was called for the host

	late     bool // something is left to do before the next event: the fields below
	exited   int64
	elevated int64 // thread that entered a user namespace of its own
	closedBy int64
	closed   int64
	newcomer []int64 // threads of AddProcess that wait for their relatives
}

// MaxPath is the length in bytes from which resolved paths are cut. Linux resolves at most 4096 bytes per call; deeper
// names come from calls relative to a deep directory. (Falco replaces all that is longer than 1024 by a constant, which
// hides the name; evasions.md row 6.)
const MaxPath = 16384

// New returns an empty state.
func New(cfg Config) *State {
	if cfg.MaxThreads <= 0 {
		cfg.MaxThreads = 262144
	}
	if cfg.MaxFDs <= 0 {
		cfg.MaxFDs = 1 << 20
	}
	if cfg.MaxProcessFDs <= 0 {
		cfg.MaxProcessFDs = 65536
	}
	if cfg.MaxImageBytes <= 0 {
		cfg.MaxImageBytes = 256 << 20
	}
	if cfg.ThreadTimeout == 0 {
		cfg.ThreadTimeout = 300e9
	}
	s := &State{cfg: cfg, lastTID: -1, exited: -1, elevated: -1, closed: -1, ports: map[uint16]struct{}{}}
	s.threads.init(1024)
	s.groups.init(1024)
	s.recent.init()
	s.accounts.init()
	s.ctx.State = s
	s.containers.init(&s.cfg)
	s.cgroups.finder = finder{noContainerd: cfg.NoContainerd, live: cfg.FollowAll, hidden: cfg.HiddenKinds}
	s.fdProc, _ = cfg.Proc.(DescriptorProc)
	s.ops = operations()
	return s
}

// Load takes over what was there before the first event. Parents and children are linked, and the sides of sockets told
// apart by the ports that somebody listens on.
func (s *State) Load(snap *event.Snapshot) {
	s.machine = snap.Machine
	s.ifaces.set(snap.Interfaces)
	for i := range snap.Users {
		s.accounts.addUser("", snap.Users[i])
	}
	for i := range snap.Groups {
		s.accounts.addGroup("", snap.Groups[i])
	}
	for i := range snap.Processes {
		s.AddProcess(&snap.Processes[i])
	}
	s.settleNewcomers()
}

// AddProcess takes over one more thread that was there before the next event. Its relatives may follow later: they are
// linked when the next event comes. A thread that events told of already is newer and stays as it is.
func (s *State) AddProcess(p *event.Process) {
	if t := s.threads.get(p.TID); t != nil && !t.Unknown {
		return
	}
	if s.enroll(p) != nil {
		s.newcomer = append(s.newcomer, p.TID)
		s.late = true
	}
}

// Machine returns the description of the machine; it changes with Load only.
func (s *State) Machine() *event.Machine { return &s.machine }

// NumThreads returns how many threads are in the table.
func (s *State) NumThreads() int { return s.threads.n }

// NumFDs returns how many descriptors are known. Tables that share an entry count it once each.
func (s *State) NumFDs() int { return s.numFDs }

// Stats returns the counters.
func (s *State) Stats() Stats {
	st := s.stats
	st.Threads, st.FDs, st.Containers = uint64(s.threads.n), uint64(s.numFDs), uint64(len(s.containers.of))
	return st
}

// Thread returns the thread, or nil if it is unknown. It does not ask Config.Proc.
func (s *State) Thread(tid int64) *Thread {
	if tid == s.lastTID {
		s.stats.CachedThreadLookups++
		return s.last
	}
	t := s.threads.get(tid)
	if t == nil {
		s.stats.FailedThreadLookups++
	} else {
		s.stats.NoncachedThreadLookups++
	}
	return t
}

// EachThread calls f for every thread, in no order, until it returns false. f must not change the state.
func (s *State) EachThread(f func(*Thread) bool) {
	for i := range s.threads.slots {
		if t := s.threads.slots[i].val; t != nil && !f(t) {
			return
		}
	}
}
