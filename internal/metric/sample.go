package metric

import (
	"math"
	"strconv"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// unit is what a number counts; it decides the end of its name.
type unit uint8

const (
	count unit = iota
	percent
	byteSize
	kibSize
	nanoseconds      // of one thing
	nanosecondsTotal // summed up
	secondsTotal
	timestamp // ns since the epoch
)

// String returns the end of the name for Prometheus; sizes are bytes and shares are ratios there.
func (u unit) String() string {
	return [...]string{
		"total", "ratio", "bytes", "bytes", "nanoseconds", "nanoseconds_total", "seconds_total",
		"timestamp_nanoseconds",
	}[u]
}

// sample is one number in Falco's terms, from which its form in the alert, in the file and for Prometheus follow.
type sample struct {
	space string // falco, scap or plugins
	name  string // as in the alert, without the space
	unit  unit
	gauge bool
	kind  alert.Kind // Uint unless said: Int is n in two's complement, Float is f
	n     uint64
	f     float64

	always bool // in the alert also when 0

	// For Prometheus where it differs: the space, and the name without its variable part, with what varies as labels. The name
	// "-" leaves it out.
	promSpace, prom string
	labels          []label
}

// label is one label of a series.
type label struct{ name, value string }

// nanos returns t in ns since the epoch, and 0 for no time.
func nanos(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(t.UnixNano())
}

// general is what does not depend on a source or a group.
func (s *Snapshot) general() []sample {
	out := []sample{
		{space: "falco", name: "outputs_queue_num_drops", n: s.queueDrops(), always: true},
		{space: "falco", name: "reload_ts", unit: timestamp, gauge: true, n: nanos(s.Agent.Reload), always: true},
	}
	if !s.Agent.Start.IsZero() {
		out = append(out,
			sample{space: "falco", name: "start_ts", unit: timestamp, gauge: true, n: nanos(s.Agent.Start), always: true},
			sample{space: "falco", name: "duration_sec", unit: secondsTotal, n: uint64(max(0, s.Time.Sub(s.Agent.Start)/time.Second)), always: true})
	}
	if !s.Host.Boot.IsZero() {
		out = append(out,
			sample{space: "falco", name: "host_boot_ts", unit: timestamp, gauge: true, n: nanos(s.Host.Boot), always: true},
			sample{space: "falco", name: "host_num_cpus", gauge: true, n: uint64(s.Host.CPUs), always: true})
	}
	return out
}

// queueDrops returns how many alerts the queues of all outputs dropped.
func (s *Snapshot) queueDrops() uint64 {
	var n uint64
	for _, o := range s.Outputs {
		n += o.Dropped
	}
	return n
}

// ofSource is what Falco's libraries count, for one source, in the groups that are switched on.
func (s *Snapshot) ofSource(src *Source, o Options) []sample {
	var out []sample
	if k := src.Kernel; k != nil {
		if o.Kernel {
			out = append(out, k.samples()...)
		}
		if o.Kernel && o.KernelPerCPU {
			out = append(out, k.perCPU()...)
		}
		if o.LibBPF {
			out = append(out, k.programs()...)
		}
	}
	if o.Resources && s.Resources != nil {
		out = append(out, s.Resources.samples()...)
	}
	if o.State && src.Name == syscallSource {
		out = append(out, s.Loop.State.samples()...)
	}
	if o.Plugins {
		for _, p := range src.Plugins {
			x := sample{space: "plugins", name: p.Plugin + "." + p.Name, gauge: p.Gauge, kind: p.Value.Kind, n: p.Value.Num}
			if x.kind == alert.Float {
				x.n, x.f = 0, math.Float64frombits(p.Value.Num)
			}
			out = append(out, x)
		}
	}
	return out
}

// syscallSource is the name of the source that is the kernel.
const syscallSource = "syscall"

// samples are the driver's counters over all CPUs. Falco's kernel module also loses events on enter; the constant zeros keep
// the keys of its dashboards.
func (k *Kernel) samples() []sample {
	out := []sample{
		{space: "scap", name: "n_evts", n: k.Events, always: true},
		{space: "scap", name: "n_drops_buffer_total", n: k.buffer(), prom: "-"},
	}
	for _, d := range []struct {
		name string
		n    uint64
	}{
		{"clone_fork", k.CloneFork},
		{"execve", k.Execve},
		{"connect", k.Connect},
		{"open", k.Open},
		{"dir_file", k.DirFile},
		{"other_interest", k.OtherInterest},
		{"close", k.Close},
		{"proc", k.Proc},
	} {
		out = append(out, sample{
			space: "scap", name: "n_drops_buffer_" + d.name + "_exit", n: d.n,
			prom: "n_drops_buffer", labels: []label{{"dir", "exit"}, {"drop", d.name}},
		})
	}
	for _, name := range []string{"clone_fork", "execve", "connect", "open", "dir_file", "other_interest"} {
		x := sample{space: "scap", prom: "n_drops_buffer", labels: []label{{"dir", "enter"}, {"drop", name}}}
		if name == "connect" || name == "open" {
			x.name = "n_drops_buffer_" + name + "_enter"
		}
		out = append(out, x)
	}
	return append(out,
		sample{space: "scap", name: "n_drops_scratch_map", n: k.Scratch},
		sample{space: "scap", name: "n_drops", n: k.Lost, always: true})
}

func (k *Kernel) perCPU() []sample {
	var out []sample
	for i, c := range k.PerCPU {
		cpu := strconv.Itoa(i)
		out = append(out,
			sample{space: "scap", name: "n_evts_cpu_" + cpu, n: c.Events, prom: "n_evts_cpu", labels: []label{{"cpu", cpu}}},
			sample{space: "scap", name: "n_drops_cpu_" + cpu, n: c.Lost, prom: "n_drops_cpu", labels: []label{{"cpu", cpu}}})
	}
	return out
}

// programs is empty unless the kernel counts: no program that is attached runs never.
func (k *Kernel) programs() []sample {
	var out []sample
	counted := false
	for _, p := range k.Programs {
		counted = counted || p.Runs > 0
		var average uint64
		if p.Runs > 0 {
			average = p.TimeNS / p.Runs
		}
		out = append(out,
			sample{space: "scap", name: p.Name + ".run_cnt", n: p.Runs},
			sample{space: "scap", name: p.Name + ".run_time_ns", unit: nanosecondsTotal, n: p.TimeNS},
			sample{space: "scap", name: p.Name + ".avg_time_ns", unit: nanoseconds, gauge: true, n: average})
	}
	if !counted {
		return nil
	}
	return out
}

func (r *Resources) samples() []sample {
	return []sample{
		{space: "falco", name: "cpu_usage_perc", unit: percent, gauge: true, kind: alert.Float, f: r.CPUPercent},
		{space: "falco", name: "memory_rss_kb", unit: kibSize, gauge: true, n: r.RSS},
		{space: "falco", name: "memory_vsz_kb", unit: kibSize, gauge: true, n: r.VSZ},
		{space: "falco", name: "memory_pss_kb", unit: kibSize, gauge: true, n: r.PSS},
		{space: "falco", name: "container_memory_used_bytes", unit: byteSize, gauge: true, n: r.ContainerMemory},
		{space: "falco", name: "host_cpu_usage_perc", unit: percent, gauge: true, kind: alert.Float, f: r.HostCPUPercent},
		{space: "falco", name: "host_memory_used_kb", unit: kibSize, gauge: true, n: r.HostMemoryUsed},
		{space: "falco", name: "host_procs_running", gauge: true, n: r.HostProcsRunning},
		{space: "falco", name: "host_open_fds", gauge: true, n: r.HostOpenFDs},
	}
}

// samples are the counters of the state that Falco has too. Falco reports them under scap for Prometheus, and under falco
// in the alert.
func (s *State) samples() []sample {
	out := make([]sample, 0, 16)
	for _, c := range []struct {
		name string
		n    uint64
	}{
		{"n_threads", s.Threads},
		{"n_fds", s.FDs},
		{"n_noncached_fd_lookups", s.NoncachedFDLookups},
		{"n_failed_fd_lookups", s.FailedFDLookups},
		{"n_added_fds", s.AddedFDs},
		{"n_removed_fds", s.RemovedFDs},
		{"n_stored_evts", s.StoredEvents},
		{"n_store_evts_drops", s.StoreDrops},
		{"n_retrieved_evts", s.RetrievedEvents},
		{"n_retrieve_evts_drops", s.RetrieveDrops},
		{"n_noncached_thread_lookups", s.NoncachedThreadLookups},
		{"n_cached_thread_lookups", s.CachedThreadLookups},
		{"n_failed_thread_lookups", s.FailedThreadLookups},
		{"n_added_threads", s.AddedThreads},
		{"n_removed_threads", s.RemovedThreads},
		{"n_drops_full_threadtable", s.DropsFullThreadTable},
	} {
		out = append(out, sample{space: "falco", promSpace: "scap", name: c.name, n: c.n, gauge: c.name == "n_threads" || c.name == "n_fds"})
	}
	return out
}

// tenths rounds to one decimal, as Falco does with rates and sizes in MB.
func tenths(f float64) float64 { return math.Round(f*10) / 10 }

// zero reports whether the number is 0.
func (x *sample) zero() bool { return x.n == 0 && x.f == 0 }

// field returns the sample as a field of the alert; sizes in MB if mb.
func (x *sample) field(mb bool) alert.Field {
	name, v := x.name, uinteger(x.n)
	switch {
	case x.kind == alert.Float:
		v = float(x.f)
	case x.kind == alert.Int:
		v.Kind = alert.Int
	case mb && x.unit == kibSize:
		name, v = withoutUnit(name)+"_mb", float(tenths(float64(x.n)/1024))
	case mb && x.unit == byteSize:
		name, v = withoutUnit(name)+"_mb", float(tenths(float64(x.n)/1024/1024))
	}
	return alert.Field{Key: x.space + "." + name, Value: v}
}

func uinteger(n uint64) alert.Value { return alert.Value{Kind: alert.Uint, Num: n} }
func float(f float64) alert.Value   { return alert.Value{Kind: alert.Float, Num: math.Float64bits(f)} }
func text(s string) alert.Value     { return alert.Value{Kind: alert.Text, Text: s} }
