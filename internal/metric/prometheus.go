package metric

import (
	"path/filepath"
	"strconv"

	"github.com/saker-sec/saker/internal/alert"
)

// ContentType is the media type of the text that AppendPrometheus makes.
const ContentType = "text/plain; version=0.0.4"

// falcoHelp is the help that Falco gives with every metric.
const falcoHelp = "https://falco.org/docs/metrics/"

// AppendPrometheus appends the snapshot in Prometheus' text format: what Falco reports under its names, then what only Saker
// has (falco-core.md §2.8). Options.ConvertToMB and IncludeEmpty do not matter here.
func AppendPrometheus(dst []byte, s *Snapshot, o Options) []byte {
	e := newExposition()
	info := func(name string, labels ...label) {
		e.add("falcosecurity_"+name+"_info", falcoHelp, true, "1", labels...)
	}
	info("falco_version", label{"version", s.Agent.FalcoVersion})
	for _, f := range s.Rules {
		info("falco_sha256_rules_files", label{"file_name", filepath.Base(f.Path)}, label{"sha256", f.SHA256})
	}
	for _, f := range s.Configs {
		info("falco_sha256_config_files", label{"file_name", filepath.Base(f.Path)}, label{"sha256", f.SHA256})
	}
	if o.Rules {
		s.Loop.exposeRules(e)
	}
	for i := range s.Sources {
		src := &s.Sources[i]
		if src.Engine != "" {
			info("scap_engine_name", label{"engine_name", src.Engine}, label{"evt_source", src.Name})
		}
		for _, x := range s.ofSource(src, o) {
			x.expose(e)
		}
	}
	if s.Host.KernelRelease != "" {
		info("falco_kernel_release", label{"kernel_release", s.Host.KernelRelease})
	}
	if s.Host.Name != "" {
		info("evt_hostname", label{"hostname", s.Host.Name})
	}
	for _, x := range s.general() {
		x.expose(e)
	}
	s.exposeOwn(e, o)
	return e.appendTo(dst)
}

// expose adds the sample under the name that Falco's conversion gives it: units go from the name and come back as suffix, in
// Prometheus' base units.
func (x *sample) expose(e *exposition) {
	space, name := x.space, x.name
	if x.promSpace != "" {
		space = x.promSpace
	}
	if x.prom != "" {
		name = x.prom
	}
	if name == "-" {
		return
	}
	var value string
	switch {
	case x.unit == percent:
		value = decimal(x.f / 100)
	case x.unit == kibSize:
		value = decimal(float64(x.n) * 1024)
	case x.unit == byteSize:
		value = decimal(float64(x.n))
	case x.kind == alert.Float:
		value = decimal(x.f)
	case x.kind == alert.Int:
		value = strconv.FormatInt(int64(x.n), 10)
	default:
		value = strconv.FormatUint(x.n, 10)
	}
	e.add(withoutUnit("falcosecurity_"+space+"_"+name)+"_"+x.unit.String(), falcoHelp, x.gauge, value, x.labels...)
}

// decimal prints f as Falco does, with six decimals.
func decimal(f float64) string { return strconv.FormatFloat(f, 'f', 6, 64) }

// exposeRules adds the matches of each rule that matched.
func (l *Loop) exposeRules(e *exposition) {
	for _, r := range l.Rules {
		if r.Matches == 0 {
			continue
		}
		labels := []label{{"rule_name", r.Name}, {"priority", strconv.Itoa(int(r.Priority))}, {"source", r.Source}}
		for _, t := range r.Tags {
			labels = append(labels, label{"tag_" + t, "true"})
		}
		e.add("falcosecurity_falco_rules_matches_total", falcoHelp, false, strconv.FormatUint(r.Matches, 10), labels...)
	}
}
