package metric

import (
	"testing"
	"time"

	"github.com/saker-sec/saker/internal/alert"
	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/state"
)

// What the state and the outputs count converts without a list of fields; a field that one lacks fails to compile.
var (
	_ = State(state.Stats{})
	_ = Output(route.Stats{})
)

// everything switches all groups on.
func everything() Options {
	return Options{
		Rules: true, Resources: true, State: true, Kernel: true, KernelPerCPU: true, LibBPF: true, Plugins: true, Memory: true,
		ConvertToMB: true,
	}
}

// at is a moment some seconds after the agent of the examples started.
func at(seconds int) time.Time { return time.Unix(1_700_000_000+int64(seconds), 123).UTC() }

// full is a snapshot in which everything is set, some seconds after the start.
func full(seconds int) *Snapshot {
	n := uint64(seconds)
	return &Snapshot{
		Time:  at(seconds),
		Agent: Agent{Version: "0.1.0", FalcoVersion: "0.44.1", Start: at(0), Reload: at(1)},
		Host:  Host{Name: "node-1", KernelRelease: "6.1.0-13-amd64", Boot: time.Unix(1_699_000_000, 0), CPUs: 2},
		Rules: []FileHash{
			{"/etc/falco/falco_rules.yaml", "6f0078862a26528cb50a860f9ebebbfbe3162e5009187089c73cb0cdf91d0b06"},
			{"/etc/falco/rules.d/my-rules (2).yaml", "00aa"},
		},
		Configs:    []FileHash{{"/etc/falco/falco.yaml", "f97de5fa"}},
		Interfaces: []Interface{{"eth0", []string{"10.0.0.1", "10.0.0.2"}, []string{"fe80::1"}}, {"docker0.5", []string{"172.17.0.1"}, nil}},
		Loop: Loop{
			Time: at(seconds).Add(-time.Second / 2), Events: 1000 * n, Alerts: [8]uint64{4: 5, 5: 2},
			Rules: []Rule{
				{"Terminal shell in container", "syscall", alert.Notice, []string{"T1059", "container", "mitre_execution"}, 2},
				{"Read \"sensitive\" file\\ (été)", "syscall", alert.Warning, nil, 4},
				{"Read sensitive file: été!", "syscall", alert.Warning, []string{"a-b", "a_b"}, 1},
				{"Never", "syscall", alert.Debug, nil, 0},
			},
			State: State{
				Threads: 300, FDs: 4000, CachedThreadLookups: 1, NoncachedThreadLookups: 2, FailedThreadLookups: 3, AddedThreads: 4,
				RemovedThreads: 5, DropsFullThreadTable: 6, NoncachedFDLookups: 7, FailedFDLookups: 8, AddedFDs: 9, RemovedFDs: 10,
				DropsFullFDTable: 11, StoredEvents: 12, StoreDrops: 13, RetrievedEvents: 14, RetrieveDrops: 15, ProcLookups: 16,
				ProcLookupsFailed: 17, MadeUpThreads: 18, Undecodable: 19, TruncatedPaths: 20, Purged: 21, ContainersShed: 22, Raced: 23,
			},
			DropsDetected: 3, DropActions: 1,
		},
		Sources: []Source{
			{"syscall", "modern_bpf", 1000 * n, kernel(n), []Plugin{
				{"container", "n_containers", true, uinteger(7)}, {"container", "n_missing_container_images", true, uinteger(0)},
			}},
			{"k8s_audit", "source_plugin", 10 * n, nil, []Plugin{
				{"k8saudit", "queue_kb", true, float(1.5)}, {"k8saudit", "balance", true, alert.Value{Kind: alert.Int, Num: ^uint64(2)}},
			}},
		},
		Outputs: []Output{
			{Name: "stdout", Sent: 90},
			{Name: "http", Queued: 4, Bytes: 4096, Oldest: 1500 * time.Millisecond, Sent: 80, Dropped: 5, Failed: 1, Retried: 12, Blocked: true, Trouble: "refused"},
		},
		Resources: &Resources{
			CPUPercent: 1.5, RSS: 20480, VSZ: 1 << 21, PSS: 19500, ContainerMemory: 30 << 20, HostCPUPercent: 12.3,
			HostMemoryUsed: 8 << 20, HostProcsRunning: 3, HostOpenFDs: 1234,
		},
		Memory: &Memory{Allocated: 1, Active: 2, Metadata: 3, Resident: 4, Mapped: 5, Retained: 6},
		Health: &Health{OK: true, Lag: 2 * time.Millisecond},
	}
}

func kernel(n uint64) *Kernel {
	return &Kernel{
		Events: 2000 * n, Lost: 20 * n, CloneFork: 1, Execve: 2, Connect: 3, Open: 4, DirFile: 5, OtherInterest: 6, Close: 7, Proc: 8,
		Scratch: 9, Missed: 10, NoHandler: 11, Undecodable: 12, TruncatedPath: 13, TruncatedArgs: 14,
		PerCPU:   []CPU{{1500 * n, 20 * n}, {500 * n, 0}},
		Programs: []Program{{"sys_exit", 1000, 5_000_000}, {"signal_deliver", 0, 0}},
	}
}

func TestLatest(t *testing.T) {
	var l Latest
	if got := l.Load(); got.Events != 0 {
		t.Errorf("an empty Latest has %d events", got.Events)
	}
	if ok, reason := l.Healthy(at(0), time.Second); ok || reason == "" {
		t.Errorf("before the loop runs: healthy %t, reason %q", ok, reason)
	}
	l.Publish(&Loop{Time: at(10), Events: 5})
	if got := l.Load(); got.Events != 5 {
		t.Errorf("got %d events, want 5", got.Events)
	}
	if ok, reason := l.Healthy(at(12), 2*time.Second); !ok {
		t.Errorf("2 s after it published: %s", reason)
	}
	if ok, reason := l.Healthy(at(13), 2*time.Second); ok || reason != "the event loop stands still for 3s" {
		t.Errorf("3 s after it published: healthy %t, reason %q", ok, reason)
	}
}
