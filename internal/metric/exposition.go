package metric

import (
	"slices"
	"strings"
)

// exposition collects series by their name, because the format wants those of one name together, with HELP and TYPE once
// before them (Prometheus, "Text-based format"). Falco repeats both before each series, which strict readers refuse.
type exposition struct {
	families []*family
	byName   map[string]*family
}

// family is the series of one name.
type family struct {
	name, help, kind string
	series           map[string]bool // by their labels, so that none comes twice
	text             []byte
}

func newExposition() *exposition { return &exposition{byName: map[string]*family{}} }

// add adds a series. Of two with the same name and labels the first counts, and so does of two labels with the same name.
func (e *exposition) add(name, help string, gauge bool, value string, labels ...label) {
	name = SanitizeMetric(name)
	f := e.byName[name]
	if f == nil {
		kind := "counter"
		if gauge {
			kind = "gauge"
		}
		f = &family{name: name, help: help, kind: kind, series: map[string]bool{}}
		e.byName[name] = f
		e.families = append(e.families, f)
	}
	head := appendLabels(nil, labels)
	if f.series[string(head)] {
		return
	}
	f.series[string(head)] = true
	f.text = append(f.text, name...)
	f.text = append(f.text, head...)
	f.text = append(f.text, ' ')
	f.text = append(f.text, value...)
	f.text = append(f.text, '\n')
}

// appendTo appends all families in the order in which they came.
func (e *exposition) appendTo(dst []byte) []byte {
	for _, f := range e.families {
		for _, s := range []string{"# HELP ", f.name, " ", f.help, "\n# TYPE ", f.name, " ", f.kind, "\n"} {
			dst = append(dst, s...)
		}
		dst = append(dst, f.text...)
	}
	return dst
}

// appendLabels appends the labels in the order of their names.
func appendLabels(dst []byte, labels []label) []byte {
	sorted := make([]label, 0, len(labels))
	for _, l := range labels {
		l.name = SanitizeLabel(l.name)
		if !slices.ContainsFunc(sorted, func(o label) bool { return o.name == l.name }) {
			sorted = append(sorted, l)
		}
	}
	if len(sorted) == 0 {
		return dst
	}
	slices.SortFunc(sorted, func(a, b label) int { return strings.Compare(a.name, b.name) })
	for i, l := range sorted {
		if i == 0 {
			dst = append(dst, '{')
		} else {
			dst = append(dst, ',')
		}
		dst = append(dst, l.name...)
		dst = append(dst, '=', '"')
		dst = AppendLabelValue(dst, l.value)
		dst = append(dst, '"')
	}
	return append(dst, '}')
}
