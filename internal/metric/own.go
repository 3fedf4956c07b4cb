package metric

import (
	"strconv"
	"time"

	"github.com/saker-sec/saker/internal/alert"
)

// own adds series of Saker's own.
type own struct{ e *exposition }

func (w own) counter(name, help string, n uint64, labels ...label) {
	w.e.add("falcosecurity_saker_"+name+"_total", help, false, strconv.FormatUint(n, 10), labels...)
}

func (w own) gauge(name, help string, f float64, labels ...label) {
	w.e.add("falcosecurity_saker_"+name, help, true, strconv.FormatFloat(f, 'g', -1, 64), labels...)
}

func (w own) flag(name, help string, on bool, labels ...label) {
	f := 0.0
	if on {
		f = 1
	}
	w.gauge(name, help, f, labels...)
}

// exposeOwn adds what Falco does not report: how each output fares, what was lost and shed and why, and whether events flow.
// Outputs and the loop are always there, since they say whether alerts arrive.
func (s *Snapshot) exposeOwn(e *exposition, o Options) {
	w := own{e}
	w.gauge("version_info", "Version of Saker.", 1, label{"version", s.Agent.Version})
	if s.Health != nil {
		w.flag("healthy", "Whether events flow from the kernel to the rules, as /healthz says.", s.Health.OK)
		w.gauge("event_lag_seconds", "Age of the last event of our own when the rules saw it.", s.Health.Lag.Seconds())
	}
	s.Loop.exposeOwn(w, s.Time)
	for _, src := range s.Sources {
		w.counter("events", "Events that the loop took from a source.", src.Events, label{"source", src.Name})
	}
	exposeOutputs(w, s.Outputs)
	for _, src := range s.Sources {
		if o.Kernel && src.Kernel != nil {
			src.Kernel.exposeOwn(w)
		}
	}
	if o.State {
		s.Loop.State.exposeOwn(w)
	}
	if o.State && s.Containers != nil {
		s.Containers.exposeOwn(w)
	}
	if o.State && s.Cluster != nil {
		s.Cluster.exposeOwn(w)
	}
	if o.Memory && s.Memory != nil {
		s.Memory.expose(w)
	}
}

func (l *Loop) exposeOwn(w own, now time.Time) {
	if !l.Time.IsZero() {
		w.gauge("loop_age_seconds", "Age of the event loop's counters here; it grows when the loop stands still.", max(0, now.Sub(l.Time).Seconds()))
	}
	for p, n := range l.Alerts {
		w.counter("alerts", "Alerts of rules, by their priority.", n, label{"priority", alert.Priority(p).String()})
	}
	w.counter("drop_seconds", "Seconds in which more events were lost than syscall_event_drops.threshold allows.", l.DropsDetected)
	w.counter("held_events", "Events that waited for what a container runtime says of their container.", l.Held)
	w.counter("held_events_shed", "Events that did not wait because too many did.", l.HeldShed)
	w.counter("held_events_unmet", "Events that waited in vain.", l.HeldUnmet)
	w.counter("drop_actions", "Times that syscall_event_drops.actions were taken.", l.DropActions)
}

func exposeOutputs(w own, outputs []Output) {
	for _, o := range outputs {
		to := label{"output", o.Name}
		w.gauge("output_queued", "Alerts that wait for an output.", float64(o.Queued), to)
		w.gauge("output_queued_bytes", "Memory of the alerts that wait for an output.", float64(o.Bytes), to)
		w.gauge("output_oldest_seconds", "Age of the oldest alert that waits for an output.", o.Oldest.Seconds(), to)
		w.flag("output_blocked", "Whether a delivery takes longer than output_timeout.", o.Blocked, to)
		w.flag("output_failing", "Whether the last attempt at delivery failed.", o.Trouble != "", to)
		w.counter("output_sent", "Alerts delivered.", o.Sent, to)
		w.counter("output_dropped", "Alerts dropped because the queue was full or closed.", o.Dropped, to)
		w.counter("output_failed", "Alerts that the destination refused for good.", o.Failed, to)
		w.counter("output_retried", "Further attempts at delivery.", o.Retried, to)
	}
}

func (k *Kernel) exposeOwn(w own) {
	const lost, cut = "Events lost for a reason that Falco does not have.", "Events with a parameter that was cut at its limit."
	w.counter("driver_lost", lost, k.Missed, label{"reason", "recursion"})
	w.counter("driver_lost", lost, k.NoHandler, label{"reason", "no_program"})
	w.counter("driver_lost", lost, k.Undecodable, label{"reason", "undecodable"})
	w.counter("driver_truncated", cut, k.TruncatedPath, label{"parameter", "path"})
	w.counter("driver_truncated", cut, k.TruncatedArgs, label{"parameter", "arguments"})
}

func (s *State) exposeOwn(w own) {
	const shed = "What a bounded table of the state did not keep."
	w.counter("state_shed", shed, s.DropsFullThreadTable, label{"table", "threads"})
	w.counter("state_shed", shed, s.DropsFullFDTable, label{"table", "descriptors"})
	w.counter("state_shed", shed, s.StoreDrops, label{"table", "enter_events"})
	w.counter("state_shed", shed, s.ContainersShed, label{"table", "accounts"})
	w.counter("state_undecodable", "Events whose parameters did not say what the state needs.", s.Undecodable)
	w.counter("state_truncated_paths", "Paths that the state cut.", s.TruncatedPaths)
	w.counter("state_made_up_threads", "Threads of which nothing could be found.", s.MadeUpThreads)
	w.counter("state_purged_threads", "Threads removed because they were silent and gone.", s.Purged)
	w.counter("state_raced_calls", "Calls whose arguments changed while they ran.", s.Raced)
	w.counter("state_proc_lookups", "Lookups in /proc of what events did not tell.", s.ProcLookups)
	w.counter("state_proc_lookups_failed", "Lookups in /proc that found nothing.", s.ProcLookupsFailed)
}

func (c *Containers) exposeOwn(w own) {
	w.gauge("container_runtimes", "Container runtimes that are followed now.", float64(c.Connected))
	w.gauge("containers_known", "Containers that the runtimes know.", float64(c.Known))
	w.gauge("container_news_queued", "News of containers that wait for the loop.", float64(c.Queued))
	w.counter("container_lookups", "Containers that the runtimes were asked for.", c.Lookups)
	w.counter("container_lookup_misses", "Containers that no runtime knows.", c.Misses)
	w.counter("container_lookups_shed", "Containers that were not asked for because too many were.", c.Shed)
	w.counter("container_runtime_errors", "Calls to runtimes that failed, and answers that made no sense.", c.Errors)
	w.counter("container_runtime_reconnects", "Times that a runtime was followed anew.", c.Reconnects)
	w.counter("container_lookup_nanoseconds", "Time from the question to the answer, summed up.", uint64(c.Latency))
	w.counter("container_lookup_answers", "Questions that were answered.", c.Answers)
}

func (c *Cluster) exposeOwn(w own) {
	w.gauge("kubernetes_pods", "Pods of the node that are known.", float64(c.Pods))
	w.gauge("kubernetes_services", "Services that are known.", float64(c.Services))
	w.gauge("kubernetes_owners", "Namespaces, and owners of pods, that are known.", float64(c.Owners))
	w.gauge("kubernetes_objects", "Objects of the cluster whose changes are followed.", float64(c.Objects))
	w.counter("kubernetes_changes_dropped", "Changes of the cluster that were not looked at because too many waited.", c.Dropped)
	w.counter("kubernetes_lists", "Complete listings, at the beginning and after interruptions.", c.Lists)
	w.counter("kubernetes_lookups", "Owners and namespaces that were asked for.", c.Lookups)
	w.counter("kubernetes_lookups_failed", "Owners and namespaces that were asked for in vain.", c.LookupsFailed)
	w.counter("kubernetes_errors", "Requests and streams that failed.", c.Errors)
	w.counter("kubernetes_unreadable", "Objects that could not be read or were too large.", c.Unreadable)
	w.counter("kubernetes_shed", "Labels, pods, services and objects beyond the bounds.", c.Shed)
}
