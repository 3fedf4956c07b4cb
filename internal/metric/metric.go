// Package metric turns the counters of a running agent into the three forms in which people and programs read them: the
// internal alert "Falco internal: metrics snapshot", the JSON lines of metrics.output_file, and the text of /metrics for
// Prometheus. Names, kinds and units are Falco's (reference: falco-core.md §2.8); what only Saker has is named
// falcosecurity_saker_* and appears for Prometheus alone, so that whoever stores the alert meets no key that Falco has not.
//
// Everything is computed from a Snapshot, which is plain data. The counters of the event loop belong to its goroutine: it
// leaves a copy of them in a Latest about once a second, and whoever assembles a Snapshot takes them from there. Reading
// metrics therefore costs the loop one copy a second and no lock.
//
// Left out is what Saker does not count: falco.jemalloc.* (Go has no jemalloc; Memory is its counterpart), the counters of
// BPF iterators (the first snapshot comes from /proc), falco.n_cached_fd_lookups, and page faults and kernel module
// counters. A constant zero would claim to have looked.
package metric

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// Options says which groups of metrics are reported, and how (falco.yaml, metrics.*).
type Options struct {
	Rules        bool // rules_counters_enabled
	Resources    bool // resource_utilization_enabled
	State        bool // state_counters_enabled
	Kernel       bool // kernel_event_counters_enabled
	KernelPerCPU bool // kernel_event_counters_per_cpu_enabled; needs Kernel
	LibBPF       bool // libbpf_stats_enabled; needs the sysctl kernel.bpf_stats_enabled
	Plugins      bool // plugins_metrics_enabled
	Memory       bool // jemalloc_stats_enabled: the memory of the Go runtime, for Prometheus alone
	ConvertToMB  bool // convert_memory_to_mb: in the alert and the file
	IncludeEmpty bool // include_empty_values: in the alert and the file
}

// Snapshot is all numbers at one moment. Nobody writes to it once it is handed over.
type Snapshot struct {
	Time       time.Time
	Agent      Agent
	Host       Host
	Rules      []FileHash // rules files that are loaded
	Configs    []FileHash // configuration files that are loaded
	Interfaces []Interface
	Loop       Loop
	Sources    []Source
	Outputs    []Output
	Resources  *Resources  // nil where they could not be read
	Memory     *Memory     // nil when nobody asked
	Health     *Health     // nil when nothing watches it
	Containers *Containers // nil when no container runtime is asked
	Cluster    *Cluster    // nil when Kubernetes is not asked
}

// Agent is the program itself.
type Agent struct {
	Version      string // Saker's own
	FalcoVersion string // the version of Falco that it stands in for: falco.version
	Start        time.Time
	Reload       time.Time // when rules and configuration were last loaded
}

// Host is the machine.
type Host struct {
	Name          string
	KernelRelease string // uname -r
	Boot          time.Time
	CPUs          uint32
}

// FileHash is a file that was loaded.
type FileHash struct {
	Path   string
	SHA256 string // lower-case hexadecimal
}

// Interface is the addresses of a network interface.
type Interface struct {
	Name       string
	IPv4, IPv6 []string
}

// Loop is the counters that belong to the event loop, since its start.
type Loop struct {
	Time          time.Time // when the loop wrote them down
	Events        uint64    // read, state-only ones among them
	Alerts        [alert.Debug + 1]uint64
	Rules         []Rule
	State         State
	DropsDetected uint64 // seconds in which more was lost than the threshold allows
	DropActions   uint64 // of these, with actions taken

	Held, HeldShed, HeldUnmet uint64 // events that waited for a container runtime, did not because too many did, waited in vain
}

// Rule is how often a rule matched.
type Rule struct {
	Name     string
	Source   string
	Priority alert.Priority
	Tags     []string
	Matches  uint64
}

// State is the counters of the state tables. Its fields are those of state.Stats in their order, so that one converts to the
// other and a counter that is added there cannot be forgotten here.
type State struct {
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
	TruncatedPaths                              uint64 // paths that were cut
	Purged                                      uint64 // threads removed because they were silent and gone
	ContainersShed                              uint64 // users and groups not kept because there were too many
	Containers                                  uint64 // there are now
	Raced                                       uint64 // calls whose arguments changed while they ran
}

// Cluster are the counters of what Kubernetes is asked.
type Cluster struct {
	Pods, Services, Owners uint64 // that are known of the node
	Objects                uint64 // whose changes are followed
	Dropped                uint64 // changes that were not looked at because too many waited
	Lists                  uint64
	Lookups, LookupsFailed uint64
	Errors                 uint64
	Unreadable             uint64
	Shed                   uint64
}

// Containers are the counters of what container runtimes are asked.
type Containers struct {
	Connected  int           // runtimes that are followed now
	Known      int           // containers that they know
	Queued     int           // news that wait for the loop
	Lookups    uint64        // containers asked for
	Misses     uint64        // of these, those that no runtime knows
	Errors     uint64        // calls that failed, and answers that made no sense
	Shed       uint64        // containers not asked for because too many were
	Reconnects uint64        // times that a runtime was followed anew
	Latency    time.Duration // sum over Answers
	Answers    uint64
}

// Source is one source of events.
type Source struct {
	Name    string  // syscall, or a plugin's source
	Engine  string  // modern_bpf, source_plugin or nodriver, as Falco calls them
	Events  uint64  // that the loop took from it
	Kernel  *Kernel // nil for sources that are not the kernel
	Plugins []Plugin
}

// Kernel is the counters of the driver since it was opened.
type Kernel struct {
	Events uint64 // made, lost ones included
	Lost   uint64 // for any reason

	// Lost because the ring buffer was full, by what they were.
	CloneFork, Execve, Connect, Open, DirFile, OtherInterest, Close, Proc uint64

	Scratch     uint64 // lost because too large
	Missed      uint64 // lost because a program interrupted itself
	NoHandler   uint64 // wanted calls that no program took
	Undecodable uint64 // records that were no events

	TruncatedPath, TruncatedArgs uint64

	PerCPU   []CPU // by CPU number
	Programs []Program
}

// buffer returns how many events were lost because the ring buffer was full.
func (k *Kernel) buffer() uint64 {
	return k.CloneFork + k.Execve + k.Connect + k.Open + k.DirFile + k.OtherInterest + k.Close + k.Proc
}

// CPU is what one CPU did.
type CPU struct{ Events, Lost uint64 }

// Program is an attached BPF program; its counts are 0 unless the sysctl kernel.bpf_stats_enabled is set.
type Program struct {
	Name   string
	Runs   uint64
	TimeNS uint64 // all runs together
}

// Plugin is one counter of a plugin.
type Plugin struct {
	Plugin string
	Name   string
	Gauge  bool        // it may fall
	Value  alert.Value // Uint, Int or Float
}

// Output is one output of alerts. Its fields are those of route.Stats in their order, so that one converts to the other.
type Output struct {
	Name    string
	Queued  int // not delivered yet
	Bytes   int // memory of the queued ones
	Oldest  time.Duration
	Sent    uint64
	Dropped uint64 // because the queue was full or closed
	Failed  uint64 // refused for good by the destination
	Retried uint64
	Blocked bool   // the delivery in progress takes longer than the timeout
	Trouble string // why the last attempt failed; "" when it succeeded
}

// Health is whether events flow.
type Health struct {
	OK  bool
	Lag time.Duration // age of the last canary event when it arrived
}

// Latest is where the event loop leaves its counters for others to read. The zero value is empty.
type Latest struct{ p atomic.Pointer[Loop] }

// Publish replaces the counters. The loop calls it about once a second and must not write to l or what it refers to any more.
func (s *Latest) Publish(l *Loop) { s.p.Store(l) }

// Load returns the counters that were published last; all zero before the first time. Any goroutine may call it.
func (s *Latest) Load() Loop {
	if l := s.p.Load(); l != nil {
		return *l
	}
	return Loop{}
}

// Healthy reports whether the loop published within the given time before now, for sources that have no canary. It fails until
// the loop published once. Any goroutine may call it.
func (s *Latest) Healthy(now time.Time, within time.Duration) (ok bool, reason string) {
	l := s.p.Load()
	if l == nil {
		return false, "the event loop has not started"
	}
	if age := now.Sub(l.Time); age > within {
		return false, fmt.Sprintf("the event loop stands still for %s", round(age))
	}
	return true, ""
}
