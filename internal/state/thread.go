package state

// Thread flags of the capture format (PPM_CL_…, scap-format.md §3).
const (
	FlagCloneFiles   = 1 << 0
	FlagCloneFS      = 1 << 1
	FlagCloneNewPID  = 1 << 6
	FlagCloneParent  = 1 << 8
	FlagCloneThread  = 1 << 13
	FlagInverted     = 1 << 16 // the child's event came before its parent's
	FlagNameChanged  = 1 << 17
	FlagClosed       = 1 << 18 // dead, kept for the threads of its group
	FlagActive       = 1 << 19
	FlagCloneNewUser = 1 << 20
	FlagPipeSource   = 1 << 21
	FlagPipeDest     = 1 << 22
	FlagCloneVfork   = 1 << 27
	FlagChildInPidNS = 1 << 29
	FlagMainThread   = 1 << 30
)

// Thread is what is known of one thread. Falco keeps the same per thread (falco-core.md §6.1).
type Thread struct {
	TID, PID, PTID   int64 // PTID is the pid of the parent process as the kernel has it now (the reaper after its exit)
	VTID, VPID       int64
	SID, PGID, VPGID int64
	ReaperTID        int64

	Comm     string
	Image    *Image // never nil
	UID, GID uint32
	LoginUID uint32 // 4294967295 when unset
	TTY      uint32

	CapInheritable, CapPermitted, CapEffective uint64

	Flags          uint32 // PPM_CL_…
	FDLimit        int64
	PidnsInitStart uint64 // ns since the epoch
	CloneTime      uint64 // ns since the epoch; 0 when it was there before the first event and the time is unknown
	LastExec       uint64 // ns since the epoch; 0 when it has not executed anything since the first event
	LastEventTime  uint64 // ns since the epoch
	PrevEventTime  uint64 // time of the thread's event before that

	// CtimeToClone is the time in ns from the last change of the executable's inode to the thread's creation,
	// CtimeFromPidns that from the start of its pid namespace to the change; 0 where unknown
	// (proc.exe_ino.ctime_duration_…).
	CtimeToClone, CtimeFromPidns uint64

	VMSize, VMRSS, VMSwap uint32 // kB
	PFMajor, PFMinor      uint64

	Cgroups     *Cgroups   // never nil
	Container   *Container // nil for a process of the host
	ContainerID string     // the container's id as container.id has it, "" for a process of the host
	// Strayed says that the control groups name another container than the one that the process was started in, or none.
	Strayed bool

	Unknown bool // nothing is known of it: made up because an event named it (Falco's invalid thread, comm "<NA>")

	s     *State
	found uint64     // event.Process.Found: events before that are older than what is known
	fs    *fsContext // only threads that lead their group use theirs
	root  string
	fds   *FDTable // only threads that lead their group use theirs
	group *group
	dead  bool

	up, firstChild         *Thread // the parent whose list of children the thread is in, the newest child
	nextSib, prevSib       *Thread
	nextInGroup, prevGroup *Thread

	lastFD    int64 // descriptor of the thread's event being applied
	enter     []byte
	enterCode uint16
}

// fsContext is what CLONE_FS shares: the working directory, ending in "/" or empty.
type fsContext struct {
	cwd  string
	refs int32
}

// Cwd returns the working directory, ending in "/": the main thread's, as all threads share it. It is "./" where the
// main thread is unknown.
func (t *Thread) Cwd() string {
	m := t.Main()
	if m == nil {
		return "./"
	}
	if m.fs == nil {
		return ""
	}
	return m.fs.cwd
}

// Root returns the root directory as chroot or the first scan gave it.
func (t *Thread) Root() string { return t.root }

// IsMain says whether the thread leads its process.
func (t *Thread) IsMain() bool { return t.TID == t.PID || t.Flags&FlagMainThread != 0 }

// InPidNS says whether the thread lives in a pid namespace of its own, so that its VTID, VPID, VPGID and SID are no ids
// of ours.
func (t *Thread) InPidNS() bool {
	return t.Flags&FlagChildInPidNS != 0 || (t.TID != t.VTID && t.VTID >= 0)
}

// Dead says whether the thread has exited and is kept for the other threads of its process.
func (t *Thread) Dead() bool { return t.dead }

// Invalid says whether too little is known to place the thread in a process and below a parent.
func (t *Thread) Invalid() bool { return t.TID < 0 || t.PID < 0 || t.PTID < 0 }

// Main returns the thread that leads the process, nil if it is unknown.
func (t *Thread) Main() *Thread {
	if t.IsMain() {
		return t
	}
	if t.group == nil {
		return nil
	}
	if f := t.group.first; f != nil && f.IsMain() {
		return f
	}
	return nil
}

// Parent returns the thread with the id PTID, nil if it is unknown. Mind that Falco climbs from main thread to main
// thread, see Ancestor.
func (t *Thread) Parent() *Thread { return t.s.Thread(t.PTID) }

// MaxAncestry is how many generations up a single ancestor is looked for. Ids that were used again may have bent the ancestry into a
// loop, on which every generation is known.
const MaxAncestry = 4096

// Ancestor returns the main thread of the process n generations up, nil if it is unknown; 0 is the thread's own process.
func (t *Thread) Ancestor(n int) *Thread {
	if n > MaxAncestry {
		return nil
	}
	m := t.Main()
	for ; n > 0 && m != nil; n-- {
		p := t.s.Thread(m.PTID)
		if p == nil {
			return nil
		}
		m = p.Main()
	}
	return m
}

// EachAncestor calls f with the parent, its parent and so on until f returns false, the chain ends, or it turns out to
// be a loop. It reports false for a loop.
func (t *Thread) EachAncestor(f func(*Thread) bool) bool {
	s := t.s
	slow := s.Thread(t.PTID)
	fast := slow
	if fast != nil {
		fast = s.Thread(fast.PTID)
	}
	for slow != nil && slow.TID != -1 {
		if !f(slow) {
			return true
		}
		slow = s.Thread(slow.PTID)
		for range 2 {
			if fast != nil {
				fast = s.Thread(fast.PTID)
			}
			if slow != nil && (slow == fast || slow.TID == slow.PTID) {
				return false
			}
		}
	}
	return true
}

// FDs returns the descriptors of the process, nil if its main thread is unknown.
func (t *Thread) FDs() *FDTable {
	if t.Flags&FlagCloneFiles == 0 {
		return t.fds
	}
	if m := t.Main(); m != nil {
		return m.fds
	}
	return nil
}

// NumThreads returns how many threads of the process are alive.
func (t *Thread) NumThreads() int {
	if t.group == nil {
		return 0
	}
	return t.group.alive
}

// NumNotLeader returns how many threads of the process are alive, without the one that leads it.
func (t *Thread) NumNotLeader() uint64 {
	if t.group == nil {
		return 0
	}
	n := t.group.alive
	if m := t.Main(); m != nil && !m.dead {
		n--
	}
	return uint64(n)
}

// Env returns the environment of the process: that of its main thread.
func (t *Thread) Env() []string {
	if m := t.Main(); m != nil {
		return m.Image.Env
	}
	return t.Image.Env
}

// FDOpenCount returns how many descriptors the process has open.
func (t *Thread) FDOpenCount() int {
	if m := t.Main(); m != nil && m.fds != nil {
		return m.fds.Len()
	}
	return 0
}

// ProcessFDLimit returns the RLIMIT_NOFILE of the process, 0 if its main thread is unknown.
func (t *Thread) ProcessFDLimit() int64 {
	if m := t.Main(); m != nil {
		return m.FDLimit
	}
	return 0
}

// SessionLeader returns the leader of the thread's session: the thread with that id, or, where ids are those of another
// pid namespace or that thread is gone, the oldest in the unbroken chain of ancestors with the same session.
func (t *Thread) SessionLeader() *Thread {
	return t.leader(t.SID, true, func(a *Thread) int64 { return a.SID })
}

// VGroupLeader is like SessionLeader for the process group as its pid namespace numbers it (VPGID).
func (t *Thread) VGroupLeader() *Thread {
	return t.leader(t.VPGID, true, func(a *Thread) int64 { return a.VPGID })
}

// GroupLeader is like SessionLeader for the process group as the host numbers it (PGID).
func (t *Thread) GroupLeader() *Thread {
	return t.leader(t.PGID, false, func(a *Thread) int64 { return a.PGID })
}

func (t *Thread) leader(id int64, virtual bool, of func(*Thread) int64) *Thread {
	if id == -1 {
		return nil
	}
	if !virtual || !t.InPidNS() {
		if l := t.s.Thread(id); l != nil {
			return l
		}
	}
	var l *Thread
	t.EachAncestor(func(a *Thread) bool {
		if of(a) != id {
			return false
		}
		l = a
		return true
	})
	return l
}
