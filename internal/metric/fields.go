package metric

import (
	"path/filepath"
	"strconv"
	"strings"

	"github.com/saker-sec/saker/internal/alert"
)

// snapshotRule is the name under which Falco reports metrics as an alert (falco-core.md §8.3).
const snapshotRule = "Falco internal: metrics snapshot"

// Alerts returns the alert "Falco internal: metrics snapshot" of each source. previous is the snapshot that was reported before
// cur, or nil for the first; rates are between the two.
func Alerts(previous, cur *Snapshot, o Options) []*alert.Alert {
	var out []*alert.Alert
	for i := range cur.Sources {
		out = append(out, &alert.Alert{
			Time: cur.Time, Rule: snapshotRule, Priority: alert.Informational, Source: "internal", Internal: true,
			Hostname: cur.Host.Name, Message: "Falco metrics snapshot", Fields: fields(previous, cur, &cur.Sources[i], o),
		})
	}
	return out
}

// Line returns the fields of an alert of Alerts as a line of metrics.output_file, with a line feed. n is the number of the
// sample: 0 for the first, and the same for all sources of a snapshot.
func Line(n uint64, a *alert.Alert) []byte {
	line := alert.AppendFields([]byte(`{"output_fields":`), a.Fields)
	line = append(line, `,"sample":`...)
	line = strconv.AppendUint(line, n, 10)
	return append(line, '}', '\n')
}

// fields returns the output fields for one source.
func fields(previous, cur *Snapshot, src *Source, o Options) []alert.Field {
	var out []alert.Field
	add := func(key string, v alert.Value) { out = append(out, alert.Field{Key: key, Value: v}) }
	add("evt.time", uinteger(nanos(cur.Time)))
	add("evt.source", text(src.Name))
	add("falco.version", text(cur.Agent.FalcoVersion))
	if cur.Host.KernelRelease != "" {
		add("falco.kernel_release", text(cur.Host.KernelRelease))
	}
	if cur.Host.Name != "" {
		add("evt.hostname", text(cur.Host.Name))
	}
	if src.Engine != "" {
		add("scap.engine_name", text(src.Engine))
	}
	for _, f := range cur.Rules {
		add("falco.sha256_rules_file."+SanitizeRule(filepath.Base(f.Path)), text(f.SHA256))
	}
	for _, f := range cur.Configs {
		add("falco.sha256_config_file."+SanitizeRule(filepath.Base(f.Path)), text(f.SHA256))
	}
	for _, i := range cur.Interfaces {
		prefix := "falco.host_netinfo.interfaces." + i.Name + ".protocols."
		if len(i.IPv4) > 0 {
			add(prefix+"ipv4.addresses", text(strings.Join(i.IPv4, ",")))
		}
		if len(i.IPv6) > 0 {
			add(prefix+"ipv6.addresses", text(strings.Join(i.IPv6, ",")))
		}
	}
	out = append(out, rates(previous, cur, src, o)...)
	if o.Rules {
		out = append(out, cur.Loop.ruleFields(o.IncludeEmpty)...)
	}
	for _, x := range append(cur.general(), cur.ofSource(src, o)...) {
		if x.name != "" && (x.always || o.IncludeEmpty || !x.zero()) {
			out = append(out, x.field(o.ConvertToMB))
		}
	}
	return out
}

// rates compares with the snapshot before. A counter that fell began anew, with its source; it is compared with 0.
func rates(previous, cur *Snapshot, src *Source, o Options) []alert.Field {
	var before Source
	var seconds float64
	if previous != nil {
		seconds = cur.Time.Sub(previous.Time).Seconds()
		for _, p := range previous.Sources {
			if p.Name == src.Name {
				before = p
			}
		}
	}
	var out []alert.Field
	add := func(key string, v alert.Value) { out = append(out, alert.Field{Key: key, Value: v}) }
	rate := func(delta uint64) alert.Value {
		if seconds <= 0 {
			return float(0)
		}
		return float(tenths(float64(delta) / seconds))
	}
	add("falco.num_evts", uinteger(src.Events))
	add("falco.num_evts_prev", uinteger(before.Events))
	if before.Events != 0 && seconds > 0 {
		add("falco.evts_rate_sec", rate(since(before.Events, src.Events)))
	}
	var share float64
	if o.Kernel && src.Kernel != nil {
		var old Kernel
		if before.Kernel != nil {
			old = *before.Kernel
		}
		events, lost := since(old.Events, src.Kernel.Events), since(old.Lost, src.Kernel.Lost)
		add("scap.n_evts_prev", uinteger(old.Events))
		add("scap.evts_rate_sec", rate(events))
		add("scap.n_drops_prev", uinteger(old.Lost))
		add("scap.evts_drop_rate_sec", rate(lost))
		if events > 0 {
			share = 100 * float64(lost) / float64(events)
		}
	}
	add("scap.n_drops_perc", float(share))
	return out
}

// since returns by how much a counter grew.
func since(old, now uint64) uint64 {
	if now < old {
		return now
	}
	return now - old
}

// ruleFields are the matches of each rule, and of all. Rules whose names become the same are counted together.
func (l *Loop) ruleFields(empty bool) []alert.Field {
	out := []alert.Field{{Key: "falco.rules.matches_total"}}
	var total uint64
	for _, n := range l.Alerts {
		total += n
	}
	out[0].Value = uinteger(total)
	at := map[string]int{}
	for _, r := range l.Rules {
		if r.Matches == 0 && !empty {
			continue
		}
		key := "falco.rules." + SanitizeRule(r.Name)
		i, ok := at[key]
		if !ok {
			i, at[key] = len(out), len(out)
			out = append(out, alert.Field{Key: key, Value: uinteger(0)})
		}
		out[i].Value.Num += r.Matches
	}
	return out
}
