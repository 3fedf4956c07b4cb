package ingest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/saker-sec/saker/internal/alert"
)

// seriesLimit bounds how many combinations of labels are counted apart. What comes after is counted together, under the
// rule otherSeries: labels come from whoever sends alerts.
const (
	seriesLimit = 2000
	labelLimit  = 200 // bytes of a label's value
	otherSeries = "other"
)

// Metrics counts alerts and prints the counts as Prometheus reads them, with Falcosidekick's names and labels.
type Metrics struct {
	accepted, rejected atomic.Uint64
	labels             []string // of falco_events_total, beside the fixed ones
	fields             []string // they come from
	more               func(context.Context, io.Writer)

	mu     sync.Mutex
	events map[string]uint64 // by the labels as they are printed
}

// NewMetrics returns metrics with these fields as labels beside Falcosidekick's own. More writes further metrics; nil is none.
func NewMetrics(fields []string, more func(context.Context, io.Writer)) *Metrics {
	m := &Metrics{more: more, events: map[string]uint64{}}
	for _, f := range fields {
		name := labelName(f)
		if !slices.Contains(m.labels, name) && !slices.Contains([]string{"hostname", "rule", "priority", "priority_raw", "source", "k8s_ns_name", "k8s_pod_name"}, name) {
			m.labels = append(m.labels, name)
			m.fields = append(m.fields, f)
		}
	}
	return m
}

// labelName makes a label's name of a field's: other characters than letters and digits become underscores.
func labelName(field string) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, field)
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}

// Totals returns how many alerts were accepted and rejected since the start.
func (m *Metrics) Totals() (accepted, rejected uint64) { return m.accepted.Load(), m.rejected.Load() }

func (m *Metrics) reject() { m.rejected.Add(1) }

// accept counts an alert.
func (m *Metrics) accept(a *alert.Alert) {
	m.accepted.Add(1)
	text := func(name string) string {
		for i := len(a.Fields) - 1; i >= 0; i-- {
			if a.Fields[i].Key == name && a.Fields[i].Value.Kind != alert.Null {
				return a.Fields[i].Value.String()
			}
		}
		return ""
	}
	key := m.series(a, a.Rule, text)
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.events[key]; !ok && len(m.events) >= seriesLimit {
		key = m.series(&alert.Alert{Priority: a.Priority}, otherSeries, func(string) string { return "" })
	}
	m.events[key]++
}

// series returns the labels as they are printed.
func (m *Metrics) series(a *alert.Alert, rule string, text func(string) string) string {
	var b strings.Builder
	label := func(name, value string) {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(name)
		b.WriteString(`="`)
		b.WriteString(escapeLabel(value))
		b.WriteByte('"')
	}
	hostname := a.Hostname
	if hostname == "" {
		hostname = "unknown" // as in Falcosidekick
	}
	label("hostname", hostname)
	label("k8s_ns_name", text("k8s.ns.name"))
	label("k8s_pod_name", text("k8s.pod.name"))
	label("priority", strconv.Itoa(int(alert.Debug)+1-int(a.Priority))) // Falcosidekick's: 1 is Debug, 8 Emergency
	label("priority_raw", strings.ToLower(a.Priority.String()))
	label("rule", rule)
	label("source", a.Source)
	for i, name := range m.labels {
		label(name, text(m.fields[i]))
	}
	return b.String()
}

// escapeLabel writes a label's value as Prometheus' text format wants it, and cuts it.
func escapeLabel(s string) string {
	if len(s) > labelLimit {
		s = s[:labelLimit]
	}
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(strings.ToValidUTF8(s, "\uFFFD"))
}

// write prints all counts.
func (m *Metrics) write(ctx context.Context, out io.Writer) {
	w := bufio.NewWriter(out)
	defer func() { _ = w.Flush() }() // the client has gone when that fails
	const prefix = "falcosecurity_falcosidekick_"
	fmt.Fprintf(w, "# HELP %sinputs_total Number of times an input was received.\n# TYPE %[1]sinputs_total counter\n", prefix)
	fmt.Fprintf(w, "%sinputs_total{source=\"requests\",status=\"accepted\"} %d\n", prefix, m.accepted.Load())
	fmt.Fprintf(w, "%sinputs_total{source=\"requests\",status=\"rejected\"} %d\n", prefix, m.rejected.Load())
	fmt.Fprintf(w, "# HELP %sfalco_events_total Number of alerts.\n# TYPE %[1]sfalco_events_total counter\n", prefix)
	m.mu.Lock()
	lines := make([]string, 0, len(m.events))
	for labels, n := range m.events {
		lines = append(lines, fmt.Sprintf("%sfalco_events_total{%s} %d\n", prefix, labels, n))
	}
	m.mu.Unlock()
	slices.Sort(lines)
	for _, l := range lines {
		fmt.Fprint(w, l)
	}
	if m.more != nil {
		m.more(ctx, w)
	}
}
