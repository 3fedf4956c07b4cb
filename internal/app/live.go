package app

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/saker-sec/saker/internal/config"
	"github.com/saker-sec/saker/internal/container"
	"github.com/saker-sec/saker/internal/driver"
	"github.com/saker-sec/saker/internal/engine"
	"github.com/saker-sec/saker/internal/event"
	"github.com/saker-sec/saker/internal/metric"
	"github.com/saker-sec/saker/internal/procfs"
	"github.com/saker-sec/saker/internal/state"
)

// live is the running machine as a source: the driver, and what is looked up beside it. Look-ups happen in goroutines of
// their own; their answers are taken over between two events.
type live struct {
	*driver.Driver
	fs      *finder
	state   *state.State
	answers chan accounts
	waiting atomic.Int32 // answers that wait to be taken over
	looking atomic.Int32 // look-ups of users that are under way
	canary  *metric.Canary
	path    string // by which the canary's events are known
	silent  int    // how often, one after the other, the driver had nothing, not even the canary
	last    uint64 // time of the last event
	foreign bool   // /proc shows another pid namespace than the kernel's: nothing can be looked up in it

	runtimes *container.Runtimes
}

// accounts are the users and groups of a container, "" for the host.
type accounts struct {
	container string
	users     []event.User
	groups    []event.Group
}

// maxLookups bounds the look-ups of users that are under way, which may hang with the file system of a container, and the answers that
// wait; further ones are left out and asked for again later.
const maxLookups = 64

// openLive attaches the driver and then takes the snapshot of what is there already. Events that happen meanwhile wait in
// the rings and are applied afterwards, so nothing falls between.
func openLive(c *config.Config, containers container.Config, syscalls []event.SC) (*live, error) {
	syscalls = watched(syscalls)
	hostRoot := containers.HostRoot
	fs := &finder{FS: procfs.New(hostRoot)}
	self, known := fs.Self()
	kernel := c.Engine.Effective()
	d, err := driver.Open(driver.Config{
		CPUsPerBuffer: kernel.CPUsPerBuffer, BufferSize: kernel.BufferBytes(), DropFailed: kernel.DropFailed,
		SnapLen: c.Libs.SnapLen, Self: uint32(self), Syscalls: syscalls,
	})
	if err != nil {
		return nil, err
	}
	l := &live{Driver: d, fs: fs, runtimes: container.Start(containers), answers: make(chan accounts, maxLookups), foreign: !known}
	l.canary, l.path = newCanary()
	sc := state.Config{
		MaxThreads: c.Libs.ThreadTableSize, ThreadTimeout: uint64(c.Libs.ThreadTimeout) * 1e9,
		SelfPID: self, HostRoot: hostRoot, FollowAll: true, NoContainerd: !containerd(&containers), NeedAccounts: l.lookup,
		HiddenKinds: containers.Hidden, Static: containers.Static, NeedContainer: l.runtimes.Need,
	}
	if known {
		sc.Proc = l.fs
	}
	l.state = state.New(sc)
	if err := l.snapshot(); err != nil {
		return nil, errors.Join(fmt.Errorf("looking at what is running: %w", err), l.Close())
	}
	return l, nil
}

// snapshot reads what is there from /proc and /etc.
func (l *live) snapshot() error {
	var snap event.Snapshot
	var err error
	if snap.Machine, err = l.fs.Machine(); err != nil {
		return err
	}
	if snap.Users, err = l.fs.Users(); err != nil {
		return err
	}
	if snap.Groups, err = l.fs.Groups(); err != nil {
		return err
	}
	if snap.Interfaces, err = l.fs.Interfaces(); err != nil {
		return err
	}
	l.state.Load(&snap)
	if l.foreign {
		return nil
	}
	return l.fs.Processes(func(p *event.Process) error {
		l.state.AddProcess(p)
		return nil
	})
}

// Close ends the look-ups and detaches the driver.
func (l *live) Close() error {
	l.runtimes.Close()
	return l.Driver.Close()
}

// Next takes over the answers that wait, and gives the driver's next event.
func (l *live) Next(e *event.Event) error {
	for l.waiting.Load() > 0 {
		a := <-l.answers
		l.waiting.Add(-1)
		for _, u := range a.users {
			l.state.AddUser(a.container, u)
		}
		for _, g := range a.groups {
			l.state.AddGroup(a.container, g)
		}
	}
	learn(l.state, l.runtimes)
	for {
		if err := l.Driver.Next(e); err != nil {
			if errors.Is(err, event.ErrIdle) {
				l.silent++
			}
			return err
		}
		l.silent = 0
		if !isCanary(e, l.path) {
			l.last = e.Time
			return nil
		}
		l.canary.Seen(e.Time)
	}
}

// watched adds the call that the canary makes.
func watched(syscalls []event.SC) []event.SC {
	if slices.Contains(syscalls, event.SCChdir) {
		return syscalls
	}
	return append(slices.Clone(syscalls), event.SCChdir)
}

// SetSyscalls changes what is watched.
func (l *live) SetSyscalls(syscalls []event.SC) error { return l.Driver.SetSyscalls(watched(syscalls)) }

// lookup reads the users of a container through the root directory of one of its processes, or the host's.
func (l *live) lookup(container string, pid int64) {
	if l.foreign && container != "" {
		return
	}
	if l.looking.Add(1) > maxLookups {
		l.looking.Add(-1)
		return
	}
	go func() {
		defer l.looking.Add(-1)
		a := accounts{container: container}
		var uerr, gerr error
		if container == "" {
			a.users, uerr = l.fs.Users()
			a.groups, gerr = l.fs.Groups()
		} else {
			a.users, uerr = l.fs.UsersOf(pid)
			a.groups, gerr = l.fs.GroupsOf(pid)
		}
		if uerr != nil && gerr != nil {
			return // The process is gone, or its image has no accounts: the state asks again when it needs to.
		}
		select {
		case l.answers <- a:
			l.waiting.Add(1)
		default:
		}
	}()
}

// kernel translates the driver's counters into those of the metrics.
func (l *live) kernel() *metric.Kernel {
	s := l.Stats()
	k := &metric.Kernel{
		Events: s.Events, Lost: s.Lost(),
		CloneFork: s.Dropped[driver.DropCloneFork], Execve: s.Dropped[driver.DropExecve], Connect: s.Dropped[driver.DropConnect],
		Open: s.Dropped[driver.DropOpen], DirFile: s.Dropped[driver.DropDirFile], OtherInterest: s.Dropped[driver.DropOther],
		Close: s.Dropped[driver.DropClose], Proc: s.Dropped[driver.DropProcExit],
		Scratch: s.Scratch, Missed: s.Missed, NoHandler: s.NoHandler, Undecodable: s.Undecodable,
		TruncatedPath: s.TruncatedPath, TruncatedArgs: s.TruncatedArgs,
	}
	for _, c := range s.PerCPU {
		k.PerCPU = append(k.PerCPU, metric.CPU(c))
	}
	for _, p := range s.Programs {
		k.Programs = append(k.Programs, metric.Program(p))
	}
	return k
}

// Problems returns what is missing: of the driver, and of what is looked up beside it.
func (l *live) Problems() []error {
	problems := l.Driver.Problems()
	if l.foreign {
		problems = append(problems, errors.New("/proc shows another pid namespace than the host's, so processes that are running already are not known: "+
			"run with the host's pid namespace, or mount the host's /proc below a directory and name that in HOST_ROOT"))
	}
	return problems
}

// losses translates them into those of the engine.
func (l *live) losses() engine.Losses {
	k := l.kernel()
	return engine.Losses{
		Events: k.Events, Lost: k.Lost,
		Buffer:    k.CloneFork + k.Execve + k.Connect + k.Open + k.DirFile + k.OtherInterest + k.Close + k.Proc,
		CloneFork: k.CloneFork, Execve: k.Execve, Connect: k.Connect, Open: k.Open, DirFile: k.DirFile,
		OtherInterest: k.OtherInterest, Close: k.Close, Proc: k.Proc, Scratch: k.Scratch, Bug: k.Undecodable + k.Missed + k.NoHandler,
		Interrupted: k.Missed, NoProgram: k.NoHandler,
	}
}
