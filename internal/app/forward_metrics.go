package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/saker-sec/saker/internal/route"
	"github.com/saker-sec/saker/internal/sink/all"
)

// header writes what comes before the values of a metric.
func header(w io.Writer, name, kind, help string) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %[1]s %[3]s\n", name, help, kind)
}

// metrics writes what /metrics of saker forward has beside the counts of ingest.
func (f *forwarder) metrics(ctx context.Context, w io.Writer) {
	f.courier.metrics(ctx, w)
	header(w, "go_goroutines", "gauge", "Number of goroutines that currently exist.")
	fmt.Fprintf(w, "go_goroutines %d\n", runtime.NumGoroutine())
	if rss, err := residentBytes(); err == nil {
		header(w, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.")
		fmt.Fprintf(w, "process_resident_memory_bytes %d\n", rss)
	}
}

// metrics writes the state of the queue and of the destinations. Falcosidekick's names come first, ours begin with saker_forward_. The
// names of destinations are the user's own.
func (f *courier) metrics(ctx context.Context, w io.Writer) {
	q, stats, err := f.delivery.Stats(ctx)
	head := func(name, kind, help string) { header(w, name, kind, help) }
	each := func(name, kind, help string, value func(route.DestinationStats) any) {
		head(name, kind, help)
		for _, s := range stats {
			fmt.Fprintf(w, "%s{destination=%s} %v\n", name, label(s.Name), value(s))
		}
	}
	const outputs = "falcosecurity_falcosidekick_outputs_total"
	head(outputs, "counter", "Number of times an output was sent.")
	for _, o := range sidekickCounts(stats) {
		fmt.Fprintf(w, "%s{destination=%s,status=\"ok\"} %d\n", outputs, label(o.name), o.OK)
		fmt.Fprintf(w, "%s{destination=%s,status=\"error\"} %d\n", outputs, label(o.name), o.Failed)
	}
	each("saker_forward_retried_total", "counter", "Further attempts.", func(s route.DestinationStats) any { return s.Retried })
	each("saker_forward_buried_total", "counter", "Alerts that became dead letters.", func(s route.DestinationStats) any { return s.Buried })
	each("saker_forward_filtered_total", "counter", "Alerts that the filter of the destination does not want.", func(s route.DestinationStats) any { return s.Filtered })
	each("saker_forward_grouped_total", "counter", "Repeats that were held back and counted.", func(s route.DestinationStats) any { return s.Grouped })
	each("saker_forward_down", "gauge", "Whether the circuit breaker is open.", func(s route.DestinationStats) any { return bit(s.Down) })
	if err == nil {
		each("saker_forward_queued", "gauge", "Alerts that are not delivered.", func(s route.DestinationStats) any { return s.Queued })
		each("saker_forward_oldest_seconds", "gauge", "Age of the oldest alert in delivery.", func(s route.DestinationStats) any { return s.Oldest.Seconds() })
		each("saker_forward_dead_letters", "gauge", "Dead letters that are kept.", func(s route.DestinationStats) any { return s.Dead })
		head("saker_forward_shed_total", "counter", "Alerts given up because of the bounds of the queue.")
		for _, s := range stats {
			fmt.Fprintf(w, "saker_forward_shed_total{destination=%s,reason=\"full\"} %d\n", label(s.Name), s.Shed.Full)
			fmt.Fprintf(w, "saker_forward_shed_total{destination=%s,reason=\"age\"} %d\n", label(s.Name), s.Shed.Expired)
		}
		head("saker_forward_dead_letters_shed_total", "counter", "Dead letters given up because of their bounds.")
		for _, s := range stats {
			fmt.Fprintf(w, "saker_forward_dead_letters_shed_total{destination=%s,reason=\"full\"} %d\n", label(s.Name), s.Shed.DeadFull)
			fmt.Fprintf(w, "saker_forward_dead_letters_shed_total{destination=%s,reason=\"age\"} %d\n", label(s.Name), s.Shed.DeadExpired)
		}
		head("saker_forward_queue_bytes", "gauge", "Room that the alerts take.")
		fmt.Fprintf(w, "saker_forward_queue_bytes %d\n", q.Bytes)
		head("saker_forward_queue_limit_bytes", "gauge", "Room that there is.")
		fmt.Fprintf(w, "saker_forward_queue_limit_bytes %d\n", q.Limit)
		head("saker_forward_refused_total", "counter", "Alerts that the queue did not take; the senders were told.")
		fmt.Fprintf(w, "saker_forward_refused_total %d\n", q.Refused)
		head("saker_forward_syncs_total", "counter", "Writes to the disk, each of one or more alerts.")
		fmt.Fprintf(w, "saker_forward_syncs_total %d\n", q.Syncs)
	}
	writeLatency(w, head, stats)
}

// label quotes the value of a label as Prometheus' text format wants it, which knows no other escapes.
func label(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(value, "\uFFFD")) + `"`
}

// sidekickCount is what was delivered to a destination by the name that Falcosidekick has for it.
type sidekickCount struct {
	name string
	route.Count
}

// sidekickCounts returns what was delivered. One of the names may be that which the user has given another destination: they are counted
// together, for a series may stand there once.
func sidekickCounts(stats []route.DestinationStats) (out []sidekickCount) {
	for _, s := range stats {
		name := sidekickLabel(s.Name)
		i := slices.IndexFunc(out, func(c sidekickCount) bool { return c.name == name })
		if i < 0 {
			i, out = len(out), append(out, sidekickCount{name: name})
		}
		out[i].OK += s.Sent
		out[i].Failed += s.Retried + s.Buried
	}
	return out
}

// sidekickLabel returns what Falcosidekick calls a destination in its metrics, and the name of one that it does not have.
func sidekickLabel(name string) string {
	if d, ok := all.Find(name); ok {
		return d.Label()
	}
	return name
}

// writeLatency writes the histogram of the attempts' durations.
func writeLatency(w io.Writer, head func(name, kind, help string), stats []route.DestinationStats) {
	const name = "saker_forward_attempt_seconds"
	head(name, "histogram", "Duration of the attempts.")
	for _, s := range stats {
		var sum uint64
		for i, n := range s.Latency.Counts {
			sum += n
			bound := "+Inf"
			if bounds := route.LatencyBounds(); i < len(bounds) {
				bound = fmt.Sprint(bounds[i].Seconds())
			}
			fmt.Fprintf(w, "%s_bucket{destination=%s,le=%q} %d\n", name, label(s.Name), bound, sum)
		}
		fmt.Fprintf(w, "%s_sum{destination=%s} %g\n%[1]s_count{destination=%[2]s} %[4]d\n", name, label(s.Name), s.Latency.Sum.Seconds(), sum)
	}
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// residentBytes reads the memory of this process (man 5 proc, statm).
func residentBytes() (int64, error) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, fmt.Errorf("reading the size of the process: %w", err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		return 0, fmt.Errorf("reading the size of the process: %w", err)
	}
	return resident * int64(os.Getpagesize()), nil
}
